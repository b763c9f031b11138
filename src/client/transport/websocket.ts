// One WebSocket: auth, pings and what comes back.
import type { Scope } from '../utils/scope.js';
import { textOf } from '../utils/text.js';
import { NO_ANSWER, type Http } from './http.js';
import type { Identity, Told, Transport, TransportEvents } from './transport.js';

/** What a browser says with 1001, which a page may not: it goes. A beacon would cost a request. */
export const PAGE_GONE = 4001;

export function createWebSocket(
  scope: Scope,
  url: string,
  write: Http['write'],
  events: TransportEvents,
): Transport {
  let socket: WebSocket | undefined;
  let beat: (fresh?: Identity) => void;
  let welcome: boolean;
  /** What the server said instead of hello. */
  let refusal: string | undefined;

  const hear = (text: string) => {
    let said: Told = {};
    try {
      said = JSON.parse(text) ?? {};
    } catch {
      // not JSON
    }
    const { type, data, message } = said;
    if (type === 'hello' || type === 'pong') {
      welcome = true;
      events.alive(said);
    } else if (type === 'error') {
      const words = textOf(message) ?? 'no reason';
      if (welcome) return events.error({ code: 'server', message: words });
      refusal = words;
      socket?.close(); // the server may have closed it already: then the code is its own
    }
    // A type that a later server brings is no mistake; a message without one is.
    else if (type === 'metrics:update' || typeof type !== 'string') events.metrics(data);
  };

  return {
    mode: 'websocket',
    open(identity) {
      welcome = false;
      refusal = undefined;
      const mine = (socket = new scope.WebSocket(url));
      beat = (fresh) =>
        mine.send(write({ type: fresh ? 'auth' : 'ping', ...fresh }));
      mine.onopen = () => beat(identity);
      mine.onmessage = (event) => hear(event.data); // of an open one only
      // One that the page's policy forbids fires an error and no close.
      mine.onerror = mine.onclose = (event: Event) => {
        const { code: closeCode = 1006 } = event as Partial<CloseEvent>;
        if (mine === socket)
          events.failed(
            refusal
              ? { code: 'server', message: refusal, closeCode }
              : closeCode === 1006 // of no server: it did not open, or the network is gone
                ? NO_ANSWER
                : { code: 'closed', message: 'closed with ' + closeCode, closeCode },
          );
      };
    },
    beat: (fresh) => beat(fresh),
    close(goes) {
      socket?.close(goes ? PAGE_GONE : undefined);
      socket = undefined;
    },
  };
}
