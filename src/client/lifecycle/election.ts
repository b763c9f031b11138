// Who leads among the tabs: three ways to agree, one interface. Must not know what leading means.
import type { Scope } from '../utils/scope.js';
import { createTimer } from '../utils/timer.js';

export interface Election {
  /** This tab stands; `onChange` tells when it wins and when it loses again. Never inside start(). */
  start(): void;
  /** Takes over, whoever leads: because nothing is heard of it, or because this tab is visible. */
  steal(): void;
  /** Stands no more; what it held goes to the next. No `onChange` after it. */
  stop(): void;
}

export type OnChange = (leads: boolean) => void;

/**
 * Web Locks: whoever holds the lock leads, and the browser gives it on when a tab dies. onRefused:
 * the browser has locks but not for this page (sandboxed frame, blocked storage).
 */
export function createLockElection(
  locks: LockManager,
  name: string,
  onChange: OnChange,
  onRefused: () => void,
): Election {
  let request: AbortController | undefined;
  let release: (() => void) | undefined;

  const stop = () => {
    request?.abort(); // waits in the queue no more
    release?.(); // holds it no more
    request = release = undefined;
  };

  const ask = (steal: boolean) => {
    stop();
    const mine = (request = new AbortController());
    let held = false;
    locks
      .request(name, steal ? { steal } : { signal: mine.signal }, () => {
        if (request !== mine) return;
        held = true;
        const free = new Promise<void>((resolve) => (release = resolve));
        onChange(true);
        return free;
      })
      .catch(() => {
        if (request !== mine) return;
        request = release = undefined;
        if (!held) return onRefused();
        onChange(false); // stolen
        ask(false);
      });
  };

  return { start: () => ask(false), steal: () => ask(true), stop };
}

/** A word of the election on the channel, of the tab `id`. */
export type Claim = { t: 'claim'; id: string };

/** How long a leader has to say that it is there; then as long again for other claims. */
export const ELECTION_MS = 300;

export interface ChannelElection extends Election {
  /** Of the leader last heard of, or of this one. */
  term(): number;
  /** A claim of another tab: the lower id goes on, the other waits for its word. */
  heardClaim(claimant: string): void;
  /** A leader's word. False: it is of the past, and this tab leads on. */
  heardLead(leader: string, term: number): boolean;
}

/** A channel alone: terms, as in Raft but without a majority, since nobody knows who is there. */
export function createChannelElection(
  scope: Scope,
  id: string,
  say: (claim: Claim) => void,
  onChange: OnChange,
): ChannelElection {
  let term = 0;
  let leads = false;
  let claims = false;

  const win = () => {
    timer.clear();
    claims = false;
    leads = true;
    term++;
    onChange(true);
  };
  const timer = createTimer(scope, () => {
    if (claims) return win();
    claims = true;
    say({ t: 'claim', id });
    timer.arm(ELECTION_MS);
  });
  const start = () => {
    claims = false;
    timer.arm(ELECTION_MS * (1 + scope.Math.random()));
  };

  return {
    term: () => term,
    start,
    steal: win,
    stop() {
      timer.clear();
      leads = claims = false;
    },
    heardClaim(claimant) {
      if (claims && claimant < id) start();
    },
    heardLead(leader, theirs) {
      const newer = theirs > term || (theirs === term && leader < id);
      if (leads && !newer) return false;
      term = Math.max(term, theirs);
      timer.clear();
      claims = false;
      if (leads) {
        leads = false;
        onChange(false);
      }
      return true;
    },
  };
}
