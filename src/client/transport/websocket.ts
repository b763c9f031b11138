// One WebSocket: auth, pings and what comes back.
import type { Scope } from '../utils/scope.js';
import type { Transport, TransportEvents } from './transport.js';

export function createWebSocket(scope: Scope, url: string, events: TransportEvents): Transport {
  let socket: WebSocket | undefined;
  let ready = false;

  const close = () => {
    if (socket) {
      socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
      socket.close();
    }
    socket = undefined;
  };

  const send = (message: object) => {
    // Closing, it would throw nothing and send nothing; opening, it would throw.
    if (socket?.readyState === 1) socket.send(JSON.stringify(message));
  };

  const hear = (text: string) => {
    let message: { type?: unknown; data?: unknown } | null = null;
    try {
      message = JSON.parse(text);
    } catch {
      // not JSON
    }
    const type = message?.type;
    if (type === 'hello') {
      ready = true;
      events.ready();
      events.alive();
    } else if (type === 'pong') events.alive();
    // A type that a later server brings is no mistake; a message without one is.
    else if (type === 'metrics:update' || typeof type !== 'string') events.metrics(message?.data);
  };

  return {
    mode: 'websocket',
    open(identity, token) {
      close();
      ready = false;
      socket = new scope.WebSocket(url);
      socket.onopen = () => send({ type: 'auth', ...identity, token });
      socket.onmessage = (event) => hear(event.data);
      // One that the page's policy forbids fires an error and no close.
      socket.onerror = socket.onclose = (event: Event) => {
        const { code = 1006 } = event as Partial<CloseEvent>;
        close();
        events.failed(
          ready || code !== 1006
            ? { code: 'closed', message: 'the socket closed with ' + code, closeCode: code }
            : { code: 'network', message: 'the socket did not open' },
        );
      };
    },
    beat: () => send({ type: 'ping', timestamp: scope.Date.now() }),
    close,
  };
}
