// One tab leads and beats for all; the others hear from it. Knows no server: what the leader
// shares is given to it and handed on as it is.
import type { Scope } from '../utils/scope.js';
import { createTimer } from '../utils/timer.js';
import {
  type ChannelElection,
  type Claim,
  createChannelElection,
  createLockElection,
  type Election,
} from './election.js';

/** A hidden leader keeps its place this long, so that flipping through tabs moves no socket. */
export const HANDOVER_MS = 1000;
/** A new tab gives a leader this long to say hello; a living one answers at once. */
export const FIRST_WORD_MS = 10_000;

export interface LeaderTabOptions<Shared> {
  /** Tabs of one name elect one leader. */
  name: string;
  tabId: string;
  /** Time between two calls of the leader, in milliseconds, as it is now. */
  interval(): number;
  /** What the leader shares, as it is now. */
  shared(): Shared;
  /** This tab leads from now on, or no more. */
  onChange(leads: boolean): void;
  /** Told by the leader to the tab that follows. */
  onShared(shared: Shared): void;
}

export interface LeaderTab {
  leads(): boolean;
  /** Whether there is no other tab, as far as this one has heard; tabs with `prefix` are not others. */
  alone(prefix: string): boolean;
  start(): void;
  /** Hands over, if this tab leads, and is heard of no more. `start` brings it back. */
  stop(): void;
  /** Tells the others what there is to share. `call`: they are to answer, and silence is noticed. */
  share(call?: boolean): void;
  /** The page was shown or hidden. */
  visibilityChanged(): void;
}

type Lead<Shared> = {
  t: 'lead';
  id: string;
  term: number;
  visible: boolean;
  /** Milliseconds until the next call. */
  every: number;
  call: boolean;
  shared: Shared;
};

type Word<Shared> =
  | Lead<Shared>
  | Claim
  /** A tab has come, and wants to know. */
  | { t: 'hi'; id: string }
  | { t: 'here'; id: string }
  | { t: 'bye'; id: string };

export function createLeaderTab<Shared>(
  scope: Scope,
  { name, tabId, interval, shared, onChange, onShared }: LeaderTabOptions<Shared>,
): LeaderTab {
  let leads = false;
  let leader: string | undefined;
  let leaderVisible = true;
  let channel: BroadcastChannel | undefined;
  let election: Election | undefined;
  let terms: ChannelElection | undefined;
  /** Tabs heard of: true since the last call, false when they still owe an answer to it. */
  const others = new Map<string, boolean>();

  const hidden = () => scope.document.hidden;
  const wantsLead = () => leader && !leads && !leaderVisible && !hidden();
  const watchdog = createTimer(scope, () => (election ? election.steal() : changed(true)));
  const handover = createTimer(scope, () => wantsLead() && election?.steal());
  // The leader's calls go on when the server is silent: the others must not take it for dead.
  const calls = createTimer(scope, () => share(true));

  const say = (word: Word<Shared>) => {
    try {
      channel?.postMessage(word);
    } catch {
      // closed under us
    }
  };

  /** Those who have not answered the last call are gone. */
  const callRoll = () => {
    for (const [id, answered] of others)
      if (answered) others.set(id, false);
      else others.delete(id);
  };

  const share = (call = false) => {
    if (!leads) return;
    const every = interval();
    if (call) {
      callRoll();
      calls.arm(every);
    }
    const term = terms?.term() ?? 0;
    say({ t: 'lead', id: tabId, term, visible: !hidden(), every, call, shared: shared() });
  };

  const considerHandover = () => {
    if (!wantsLead()) handover.clear();
    else if (!handover.armed()) handover.arm(HANDOVER_MS);
  };

  const rest = () => {
    handover.clear();
    watchdog.clear();
    calls.clear();
  };

  const changed = (now: boolean) => {
    leads = now;
    rest();
    if (!now) watchdog.arm(FIRST_WORD_MS);
    onChange(now);
    share(true);
  };

  const heardLead = (word: Lead<Shared>) => {
    if (terms && !terms.heardLead(word.id, word.term)) return share(); // there is a newer one: us
    if (leads) return; // a last word of the one the lock was stolen from
    leader = word.id;
    leaderVisible = word.visible;
    if (word.call) say({ t: 'here', id: tabId });
    // Within two intervals, and not all of us at once.
    watchdog.arm(word.every * (1.5 + 0.4 * scope.Math.random()));
    considerHandover();
    onShared(word.shared);
  };

  const hear = (word: Word<Shared>) => {
    const id = word?.id;
    if (typeof id !== 'string') return;
    if (word.t === 'bye') {
      others.delete(id);
      // With locks the browser has a successor already; without, the next election is now.
      if (id === leader) terms?.start();
      return;
    }
    if (word.t === 'lead') {
      if (!word.shared) return; // of another version
      if (word.call) callRoll();
    }
    others.set(id, true);
    switch (word.t) {
      case 'hi':
        if (leads) share();
        else say({ t: 'here', id: tabId });
        break;
      case 'claim':
        share();
        terms?.heardClaim(id);
        break;
      case 'lead':
        heardLead(word);
    }
  };

  const byTerms = () => (terms = createChannelElection(scope, tabId, say, changed));

  return {
    leads: () => leads,
    alone: (prefix) => ![...others.keys()].some((id) => !id.startsWith(prefix)),
    start() {
      try {
        channel = new scope.BroadcastChannel(name);
      } catch {
        // not for this page, or not in this browser
      }
      const { locks } = scope.navigator;
      // Locks without a channel would leave the others without a word: then each tab beats for
      // itself, and the server counts sessions anyway.
      if (channel) {
        channel.onmessage = (event) => hear(event.data);
        election = locks
          ? createLockElection(locks, name, changed, () => (election = byTerms()).start())
          : byTerms();
        election.start();
        say({ t: 'hi', id: tabId });
      }
      watchdog.arm(channel ? FIRST_WORD_MS : 0);
    },
    stop() {
      say({ t: 'bye', id: tabId });
      election?.stop();
      if (channel) channel.onmessage = null;
      channel?.close();
      channel = election = terms = leader = undefined;
      leads = false;
      others.clear();
      rest();
    },
    share,
    visibilityChanged() {
      share(true); // the interval has changed with it
      considerHandover();
    },
  };
}
