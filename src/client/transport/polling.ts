// Signs of life over HTTP; each answer brings the metrics.
import type { Http } from './http.js';
import type { Transport, TransportEvents } from './transport.js';

export function createPolling(http: Http, events: TransportEvents): Transport {
  let abort: AbortController | undefined;
  let beat: () => void;

  return {
    mode: 'polling',
    open(identity, token) {
      const { signal } = (abort = new AbortController());
      beat = async () => {
        const { why, metrics } = await http.beat(identity, token, signal);
        if (signal.aborted) return;
        if (why) return events.failed(why);
        events.alive();
        events.metrics(metrics);
      };
      beat();
    },
    beat: () => beat(),
    close: () => abort?.abort(),
  };
}
