// Polling with a stream of server-sent events beside it, which brings what changes between two answers.
import type { ResolvedConfig } from '../config.js';
import type { Scope } from '../utils/scope.js';
import type { Http } from './http.js';
import { createPlainPolling } from './polling.js';
import type { Transport, TransportEvents } from './transport.js';

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not the daemon's: counted as ignored
  }
};

export function createPolling(
  http: Http,
  events: TransportEvents,
  { apiUrl, customerId }: ResolvedConfig,
  { EventSource }: Scope,
): Transport {
  const url = apiUrl + '/metrics/stream?customerId=' + encodeURIComponent(customerId);
  let stream: EventSource | undefined;

  /** A stream comes back by itself. One that was refused is tried again behind the next answer. */
  const follow = () => {
    if (!EventSource || (stream && stream.readyState < 2)) return;
    stream = new EventSource(url);
    stream.onmessage = ({ data }) => events.metrics(parse(data));
  };
  const polling = createPlainPolling(http, {
    ...events,
    metrics(value) {
      follow(); // not before: a server that is away is asked once at a time
      events.metrics(value);
    },
  });

  return {
    get mode() {
      return stream?.readyState === 1 ? 'sse' : 'polling';
    },
    open: polling.open,
    beat: polling.beat,
    close(goes) {
      polling.close(goes);
      stream?.close();
      stream = undefined;
    },
  };
}
