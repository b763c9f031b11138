// One tab leads and beats for all; the others hear from it. Knows no server: what the leader
// shares is given to it and handed on as it is.
import type { Scope } from '../utils/scope.js';
import { createTimer } from '../utils/timer.js';
import { createLockElection, createVote, type Election, type Vote } from './election.js';

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
  /** Another tab has led until now, and may have spoken to the server after this one. */
  onGone(): void;
}

export interface LeaderTab {
  leads(): boolean;
  /**
   * Whether this is known to be the only tab; tabs with `prefix` are not others. Without a channel
   * nobody knows.
   */
  alone(prefix: string): boolean;
  start(): void;
  /** Hands over, if this tab leads, and is heard of no more. `start` brings it back. */
  stop(): void;
  /** Tells the others what there is to share. `call`: they are to answer, and silence is noticed. */
  share(call?: boolean): void;
  /** The page was shown or hidden. */
  visibilityChanged(): void;
}

type Word<Shared> = { id: string } & (
  | {
      t: 'lead';
      /** Grows with each leader, so that of two the later one goes on, as in Raft. */
      term: number;
      hidden: boolean;
      /** Milliseconds until the next call. */
      every: number;
      call: boolean;
      shared: Shared;
    }
  /** A tab has come, and wants to know who leads; without locks it also stands. */
  | { t: 'hi' }
  | { t: 'here' }
  /** Another leads instead of this tab. */
  | { t: 'gone' }
  | { t: 'bye' }
);

export function createLeaderTab<Shared>(
  scope: Scope,
  { name, tabId, interval, shared, onChange, onShared, onGone }: LeaderTabOptions<Shared>,
): LeaderTab {
  let leads = false;
  let term = 0;
  let leaderHidden = false;
  let channel: BroadcastChannel | undefined;
  let election: Election | undefined;
  let vote: Vote | undefined;
  /** Tabs heard of: true since the last call, false when they still owe an answer to it. */
  const others = new Map<string, boolean>();

  const hidden = () => scope.document.hidden;
  const wantsLead = () => leaderHidden && !leads && !hidden();
  const steal = () => (election ? election.steal() : changed(true));
  const watchdog = createTimer(scope, steal);
  const handover = createTimer(scope, steal);
  // The leader's calls go on when the server is silent: the others must not take it for dead.
  const calls = createTimer(scope, () => share(true));

  const say = (t: Word<Shared>['t'], more?: object) =>
    channel?.postMessage({ t, id: tabId, ...more });

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
    say('lead', { term, hidden: hidden(), every, call, shared: shared() });
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
    if (now) term++;
    else watchdog.arm(FIRST_WORD_MS);
    onChange(now);
    if (leads) share(true);
    else say('gone');
  };

  const hear = (word: Word<Shared>) => {
    const id = word?.id;
    if (typeof id !== 'string') return;
    others.set(id, true);
    vote?.heard(id);
    switch (word.t) {
      case 'bye':
        others.delete(id);
        // With locks the browser has a successor already. Without, a leader that is still there says so.
        if (vote && !leads) stand();
        break;
      case 'gone':
        if (leads) onGone();
      // falls through
      case 'hi':
        if (leads) share();
        else say('here');
        break;
      case 'lead':
        if (!word.shared) return; // of another version
        if (leads)
          return word.term > term || (word.term === term && id < tabId) ? changed(false) : share();
        term = word.term;
        leaderHidden = word.hidden;
        vote?.stop();
        if (word.call) {
          callRoll();
          say('here');
        }
        // Within two intervals, and not all of us at once.
        watchdog.arm(word.every * (1.5 + 0.4 * scope.Math.random()));
        considerHandover();
        onShared(word.shared);
    }
  };

  const stand = () => {
    say('hi');
    election?.start();
  };

  const byVote = () => (election = vote = createVote(scope, tabId, changed));

  return {
    leads: () => leads,
    alone: (prefix) => !!channel && [...others.keys()].every((id) => id.startsWith(prefix)),
    start() {
      try {
        channel = new scope.BroadcastChannel(name);
        channel.onmessage = (event) => hear(event.data);
        const { locks } = scope.navigator;
        if (locks) election = createLockElection(locks, name, changed, () => byVote().start());
        else byVote();
        stand();
      } catch {
        // Not for this page, or not in this browser. Locks without a channel would leave the others
        // without a word: each tab beats for itself, and the server counts sessions anyway.
      }
      watchdog.arm(channel ? FIRST_WORD_MS : 0);
    },
    stop() {
      say('bye');
      election?.stop();
      channel?.close();
      channel = election = vote = undefined;
      leads = leaderHidden = false;
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
