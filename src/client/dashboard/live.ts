// The numbers of one customer as they change: by the daemon's stream, else by asking. It only watches.
import type { Metrics } from './answers.js';
import { ApiError } from './api.js';

/** refused: the daemon answers, but not with numbers. */
export type Link = 'connecting' | 'live' | 'polling' | 'refused' | 'offline';

export interface LiveEvents {
  metrics(metrics: Metrics): void;
  /** why: of `refused` and `offline`. */
  link(link: Link, why: string): void;
}

export type Scope = Pick<Window & typeof globalThis, 'EventSource' | 'setTimeout' | 'clearTimeout'>;

/** Without a first event in this time the daemon is asked beside the stream. */
const FIRST_MS = 3000;
/** While there is no stream. */
const POLL_MS = 5000;
/** A stream that is silent for so long may have no daemon behind it any more. */
const SILENT_MS = 45_000;
/** Nobody looks; the stream is closed, for a browser has six connections to a host. */
const HIDDEN_POLL_MS = 30_000;
/** After an answer that will hardly change, as for an id that is none. */
const FINAL_MS = 60_000;
/** A daemon that refuses streams, as its admin port does, is asked for one again after this, doubling. */
const REFUSED_MS = 10_000;
const REFUSED_MAX_MS = 600_000;

const parse = (text: string): Metrics | undefined => {
  try {
    const value = JSON.parse(text);
    return typeof value?.count === 'number' && typeof value.timestamp === 'number' ? value : undefined;
  } catch {
    return undefined;
  }
};

/** poll: asks once for the numbers, and rejects with an ApiError. */
export function createLive(scope: Scope, streamUrl: string, poll: () => Promise<Metrics>, events: LiveEvents) {
  let stream: EventSource | undefined;
  let timer: number | undefined;
  let hidden = false;
  let closed = false;
  let refusals = 0;
  /** Whether the stream has to wait before it is tried again. */
  let waits: number | undefined;

  const check = (ms: number) => {
    scope.clearTimeout(timer);
    timer = closed ? undefined : scope.setTimeout(ask, ms);
  };

  const drop = () => {
    stream?.close();
    stream = undefined;
  };

  /** `CLOSED` is for good: an answer that is no stream. Anything else the browser tries again. */
  const onError = (mine: EventSource) => {
    if (mine !== stream) return;
    if (mine.readyState === 2) {
      drop();
      scope.clearTimeout(waits);
      waits = scope.setTimeout(
        () => (waits = undefined),
        Math.min(REFUSED_MS * 2 ** refusals++, REFUSED_MAX_MS),
      );
    }
    check(0);
  };

  const openStream = () => {
    if (closed || hidden || stream || waits !== undefined) return;
    const mine = (stream = new scope.EventSource(streamUrl));
    mine.onerror = () => onError(mine);
    mine.onmessage = ({ data }) => {
      const metrics = parse(data);
      if (mine !== stream || !metrics) return;
      refusals = 0;
      check(SILENT_MS);
      events.metrics(metrics);
      events.link('live', '');
    };
  };

  const answered = (metrics: Metrics) => {
    const live = stream?.readyState === 1;
    check(hidden ? HIDDEN_POLL_MS : live ? SILENT_MS : POLL_MS);
    events.metrics(metrics);
    events.link(live ? 'live' : 'polling', '');
    openStream();
  };

  const failed = (error: ApiError) => {
    // A stream that looks open leads nowhere when the daemon does not answer.
    if (error.status === 0 && stream?.readyState === 1) drop();
    const pause = error.isFinal ? FINAL_MS : hidden ? HIDDEN_POLL_MS : POLL_MS;
    check(Math.max(pause, error.retryAfterMs));
    events.link(error.status ? 'refused' : 'offline', error.message);
  };

  let asking = 0;
  function ask() {
    const mine = ++asking;
    const isMine = () => mine === asking && !closed;
    check(SILENT_MS); // should neither come
    poll().then(
      (metrics) => isMine() && answered(metrics),
      (error) => isMine() && failed(error),
    );
  }

  return {
    open() {
      events.link('connecting', '');
      openStream();
      check(FIRST_MS);
    },
    setHidden(now: boolean) {
      if (hidden === now || closed) return;
      hidden = now;
      if (hidden) {
        drop();
        check(HIDDEN_POLL_MS);
      } else {
        openStream();
        check(0);
      }
    },
    close() {
      closed = true;
      drop();
      scope.clearTimeout(timer);
      scope.clearTimeout(waits);
    },
  };
}
export type Live = ReturnType<typeof createLive>;
