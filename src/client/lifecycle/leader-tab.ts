// One tab leads and beats for all; the others hear from it. Knows no server: what the leader
// shares is given to it and handed on as it is.
import type { Scope } from '../utils/scope.js';
import { createTimer } from '../utils/timer.js';
import { createLockElection, createVote, type Election, type Vote } from './election.js';

/** A hidden leader keeps its place this long, so that flipping through tabs moves no socket. */
export const HANDOVER_MS = 1000;
/** A new tab gives a leader this long to say hello; a living one answers at once. */
export const FIRST_WORD_MS = 10_000;
/** No leader lets the others wait longer for its next call: the longest interval of the options. */
const LONGEST_CALL_MS = 86_400_000;

export interface LeaderTabOptions<Shared, News> {
  /** Tabs of one name elect one leader. */
  name: string;
  tabId: string;
  /** Time between two calls of the leader, in milliseconds, as it is now. */
  interval(): number;
  /** What the leader shares, as it is now, and what has just happened. */
  shared(news: News | undefined): Shared;
  /** This tab leads from now on, or no more. */
  onChange(leads: boolean): void;
  /** The leader has shared this with the tab that follows. Not checked. */
  onShared(shared: unknown): void;
  /** Another tab has led until now, and may have spoken to the server after this one. */
  onGone(): void;
}

export interface LeaderTab<News> {
  leads(): boolean;
  start(): void;
  /**
   * Hands over, if this tab leads, and is heard of no more. `start` brings it back. Returns whether
   * other tabs could hear of it.
   */
  stop(): boolean;
  /** Tells the others what there is to share. `call`: silence is noticed from then on. */
  share(call?: boolean, news?: News): void;
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
      shared: Shared;
    }
  /** A tab has come, and wants to know who leads; without locks it also stands. */
  | { t: 'hi' }
  /** The answer of one that does not lead, so that of two that stand each hears the other. */
  | { t: 'here' }
  /** Another leads instead of this tab. */
  | { t: 'gone' }
  | { t: 'bye' }
);

export function createLeaderTab<Shared, News>(
  scope: Scope,
  { name, tabId, interval, shared, onChange, onShared, onGone }: LeaderTabOptions<Shared, News>,
): LeaderTab<News> {
  let leads = false;
  let term = 0;
  let leaderHidden = false;
  let channel: BroadcastChannel | undefined;
  let election: Election | undefined;
  let vote: Vote | undefined;

  const hidden = () => scope.document.hidden;
  const wantsLead = () => leaderHidden && !leads && !hidden();
  const steal = () => (election ? election.steal() : changed(true));
  const watchdog = createTimer(scope, steal);
  const handover = createTimer(scope, steal);
  // The leader's calls go on when the server is silent: the others must not take it for dead.
  const calls = createTimer(scope, () => share(true));

  const say = (t: Word<Shared>['t'], more?: object) =>
    channel?.postMessage({ t, id: tabId, ...more });

  const share = (call = false, news?: News) => {
    if (!leads) return;
    const every = interval();
    if (call) calls.arm(every);
    say('lead', { term, hidden: hidden(), every, shared: shared(news) });
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
    if (typeof id !== 'string') return; // anybody may speak on the channel
    vote?.heard(id);
    switch (word.t) {
      case 'bye':
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
        if (!word.shared || !(word.term >= 0) || !(word.every > 0 && word.every <= LONGEST_CALL_MS)) return; // of another version, or junk
        if (leads)
          return word.term > term || (word.term === term && id < tabId) ? changed(false) : share();
        term = word.term;
        leaderHidden = word.hidden;
        vote?.stop();
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
      const heard = !!channel;
      say('bye');
      election?.stop();
      channel?.close();
      channel = election = vote = undefined;
      leads = leaderHidden = false;
      rest();
      return heard;
    },
    share,
    visibilityChanged() {
      share(true); // the interval has changed with it
      considerHandover();
    },
  };
}
