// A daemon as far as the client can see it, with faults that a test scripts.

export const LATENCY_MS = 5;
/** Close codes of a page that went: the browser's, and the client's own. */
const PAGE_GONE = [1001, 4001];
const PAGE_GRACE_MS = 2500;

export class FakeServer {
  /** customer/session -> {tabId, at} */
  sessions = new Map();
  /** Every socket ever opened, newest last. */
  sockets = [];
  /** Every request: {method, path, body, headers, at}. */
  requests = [];
  /** What clients said on sockets: {socket, message, at}. */
  said = [];
  ema = 0;
  /** Requests begun, answered or not. */
  attempts = 0;
  /** refuse: nothing listens. noSocket: only WebSocket is refused. silentSocket: it neither opens nor fails. halfOpen: takes bytes, says nothing.
   *  mute: pongs stop. http: {status, retryAfter, body} of every answer. token: the only one taken, expires: for so long.
   *  refusal: {message, close} instead of hello. */
  faults = {};

  constructor(clock) {
    this.clock = clock;
  }

  get open() {
    return this.sockets.filter((socket) => socket.readyState === 1);
  }

  get count() {
    return this.sessions.size;
  }

  metrics(customerId) {
    return { customerId, timestamp: this.clock.now, count: this.count, ema: this.ema };
  }

  /** Sends to every socket. */
  push(message) {
    for (const socket of this.open) socket.deliver(message);
  }

  update(customerId = 'shop') {
    this.push({ type: 'metrics:update', data: this.metrics(customerId) });
  }

  closeAll(code) {
    for (const socket of [...this.sockets]) socket.shut(code);
  }

  /** What is left of a token, which begins when it is first seen. */
  left({ token }) {
    const { expires } = this.faults;
    if (!expires) return undefined;
    this.ends ??= new Map();
    if (!this.ends.has(token)) this.ends.set(token, this.clock.now + expires);
    return this.ends.get(token) - this.clock.now;
  }

  touch({ customerId, sessionId, tabId }) {
    this.sessions.set(`${customerId}/${sessionId}`, { tabId, at: this.clock.now });
  }

  /** The session ends, if this tab holds it, unless it gives another sign of life within `graceMs`. */
  leave({ customerId, sessionId, tabId }, graceMs) {
    const key = `${customerId}/${sessionId}`;
    const session = this.sessions.get(key);
    if (session?.tabId !== tabId) return;
    // Whoever gives a sign of life in time has another entry by then.
    const end = () => this.sessions.get(key) === session && this.sessions.delete(key);
    if (graceMs) this.clock.set(null, end, graceMs);
    else end();
  }

  hear(socket, text) {
    const message = JSON.parse(text);
    this.said.push({ socket, message, at: this.clock.now });
    if (this.faults.halfOpen) return;
    if (message.type === 'ping') {
      if (this.faults.mute) return;
      if (socket.who?.sessionId) this.touch(socket.who);
      return socket.deliver({ type: 'pong', timestamp: message.timestamp });
    }
    const { token } = this.faults;
    if (token && message.token !== token) return socket.shut(4401);
    if (this.faults.refusal) {
      const { message, close } = this.faults.refusal;
      socket.deliver({ type: 'error', message });
      if (close) this.clock.set(null, () => socket.shut(close), LATENCY_MS);
      return;
    }
    socket.who = message;
    if (message.sessionId) this.touch(message);
    const { sessionId } = message;
    socket.deliver({ type: 'hello', timestamp: this.clock.now, sessionId, tokenExpiresInMs: this.left(message) });
    socket.deliver({ type: 'metrics:update', data: this.metrics(message.customerId) });
  }

  /** Answers a request of `scope.fetch`. */
  answer(method, url, body, headers) {
    const { pathname, search, searchParams } = new URL(url);
    const path = pathname + search;
    const beat = body ? JSON.parse(body) : undefined;
    this.requests.push({ method, path, body: beat, headers, at: this.clock.now });
    const { http, token, html } = this.faults;
    if (http)
      return json(http.body ?? { error: 'scripted' }, http.status, {
        'Retry-After': http.retryAfter,
      });
    if (token && beat && beat.token !== token) return json({}, 401);
    if (html) return new Response('<html>a proxy</html>', { status: 200 });
    if (pathname === '/presence/leave') {
      this.leave(beat, beat.graceMs);
      return json({ success: true });
    }
    if (pathname === '/presence/beat') {
      this.touch(beat);
      const metrics = this.metrics(beat.customerId);
      return json({ success: true, tokenExpiresInMs: this.left(beat), metrics });
    }
    return json(this.metrics(searchParams.get('customerId')));
  }

  fetchFor() {
    return (url, { method, body, headers, signal }) =>
      new Promise((resolve, reject) => {
        this.attempts++;
        if (signal?.aborted) return reject(signal.reason);
        signal?.addEventListener('abort', () => reject(signal.reason));
        // keepalive requests outlive their tab
        this.clock.set(
          null,
          () => {
            if (this.faults.refuse) reject(new TypeError('Failed to fetch'));
            else if (!this.faults.halfOpen) resolve(this.answer(method, url, body, headers));
          },
          LATENCY_MS,
        );
      });
  }

  socketFor(tab) {
    const server = this;
    return class FakeWebSocket {
      readyState = 0;
      onopen = null;
      onmessage = null;
      onclose = null;

      constructor(url) {
        if (server.faults.blocked) throw new Error('blocked by the page');
        this.url = url;
        this.tab = tab;
        server.sockets.push(this);
        tab.sockets.add(this);
        server.clock.set(
          null,
          () => {
            if (this.readyState !== 0 || server.faults.silentSocket) return;
            if (server.faults.refuse || server.faults.noSocket) return this.shut(1006);
            this.readyState = 1;
            this.onopen?.({});
          },
          LATENCY_MS,
        );
      }

      /** It was slow. */
      open() {
        this.readyState = 1;
        this.onopen?.({});
      }

      send(text) {
        if (this.readyState !== 1) throw new Error('InvalidStateError');
        server.clock.set(null, () => this.readyState < 3 && server.hear(this, text), LATENCY_MS);
      }

      /** From the server. Text goes as it is. */
      deliver(message) {
        const data = typeof message === 'string' ? message : JSON.stringify(message);
        server.clock.set(
          null,
          () => {
            if (this.readyState === 1 && !tab.frozen) this.onmessage?.({ data });
          },
          LATENCY_MS,
        );
      }

      shut(code) {
        if (this.readyState === 3) return;
        this.readyState = 3;
        if (PAGE_GONE.includes(code) && this.who) server.leave(this.who, PAGE_GRACE_MS);
        tab.sockets.delete(this);
        this.onclose?.({ code });
      }

      /** As in a browser, what was sent arrives, the event comes later, and the server may be first. */
      close(code = 1005) {
        if (this.readyState >= 2) return;
        if (this.readyState === 1) {
          this.closeCode = code;
          const arrive = () =>
            PAGE_GONE.includes(code) && this.who && server.leave(this.who, PAGE_GRACE_MS);
          server.clock.set(null, arrive, LATENCY_MS);
        }
        this.readyState = 2;
        tab.sockets.delete(this);
        server.clock.set(null, () => tab.gone || this.shut(1005), LATENCY_MS + 1);
      }
    };
  }
}

function json(value, status = 200, headers = {}) {
  const given = Object.entries(headers).filter(([, text]) => text !== undefined);
  return new Response(JSON.stringify(value), { status, headers: Object.fromEntries(given) });
}
