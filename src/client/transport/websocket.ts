// One WebSocket: auth, pings and what comes back.
import type { Scope } from '../utils/scope.js';
import type { Transport, TransportEvents } from './transport.js';

export function createWebSocket(scope: Scope, url: string, events: TransportEvents): Transport {
  let socket: WebSocket | undefined;
  let beat: () => void;
  let welcome: boolean;
  /** What the server said instead of hello. */
  let refusal: string | undefined;

  const hear = (text: string) => {
    let said: { type?: unknown; data?: unknown; message?: unknown } | null = null;
    try {
      said = JSON.parse(text);
    } catch {
      // not JSON
    }
    const { type, data, message } = said ?? {};
    if (type === 'hello' || type === 'pong') {
      welcome = true;
      events.alive();
    } else if (type === 'error') {
      if (welcome) return events.error({ code: 'server', message: String(message) });
      refusal = String(message);
      socket?.close(); // the server may have closed it already: then the code is its own
    }
    // A type that a later server brings is no mistake; a message without one is.
    else if (type === 'metrics:update' || typeof type !== 'string') events.metrics(data);
  };

  return {
    mode: 'websocket',
    open(identity, token) {
      welcome = false;
      refusal = undefined;
      const mine = (socket = new scope.WebSocket(url));
      const send = (message: object) => mine.send(JSON.stringify(message));
      beat = () => send({ type: 'ping', timestamp: scope.Date.now() });
      mine.onopen = () => send({ type: 'auth', ...identity, token });
      mine.onmessage = (event) => hear(event.data); // of an open one only
      // One that the page's policy forbids fires an error and no close.
      mine.onerror = mine.onclose = (event: Event) => {
        const { code: closeCode = 1006 } = event as Partial<CloseEvent>;
        if (mine === socket)
          events.failed(
            refusal
              ? { code: 'server', message: refusal, closeCode }
              : closeCode === 1006 // of no server: it did not open, or the network is gone
                ? { code: 'network', message: 'the server did not answer' }
                : { code: 'closed', message: 'the socket closed with ' + closeCode, closeCode },
          );
      };
    },
    beat: () => beat(),
    close() {
      socket?.close();
      socket = undefined;
    },
  };
}
