// Signs of life over HTTP; each answer brings the metrics.
import type { Http } from './http.js';
import type { Identity, Transport, TransportEvents } from './transport.js';

export function createPlainPolling(http: Http, events: TransportEvents): Transport {
  let abort: AbortController | undefined;
  let who: Identity | undefined;
  let beat: (fresh?: Identity) => void;

  return {
    mode: 'polling',
    open(identity) {
      const { signal } = (abort = new AbortController());
      beat = async (fresh = identity) => {
        who = identity = fresh;
        const { why, told = {} } = await http.beat(identity, signal);
        if (signal.aborted) return;
        if (why) return events.failed(why);
        events.alive(told);
        events.metrics(identity.sessionId ? told.metrics : told);
      };
      beat();
    },
    beat: (fresh) => beat(fresh),
    close(goes) {
      abort?.abort();
      if (goes && who?.sessionId) http.leave(who);
      who = undefined;
    },
  };
}
