// WebSocket clients: a polite one on the ws package, and one that writes frames bit by bit.
import { randomBytes } from 'node:crypto';
import WebSocket from 'ws';

import { httpText, RawConnection } from './http.mjs';
import { defer, Inbox, PATIENCE_MS, waitFor, within } from './wait.mjs';

export const WS_PATH = '/ws/active-users';

export class Socket {
  inbox = new Inbox();
  pings = 0;
  /** Set once it is closed: {code, reason}. */
  closed = null;

  constructor(ws) {
    this.ws = ws;
    ws.on('message', (data) => this.inbox.put(JSON.parse(data.toString('utf8'))));
    ws.on('ping', () => (this.pings += 1));
    ws.on('error', () => {}); // 'close' follows with the code
    this.closing = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        this.closed = { code, reason: reason.toString('utf8'), at: Date.now() };
        this.inbox.end(`socket closed with ${code}`);
        resolve(this.closed);
      });
    });
  }

  /** Connects; throws an error with `status` when the upgrade was answered by plain HTTP. */
  static async open(t, port, { path = WS_PATH, headers = {}, host = '127.0.0.1', from } = {}) {
    const ws = new WebSocket(`ws://${host}:${port}${path}`, { headers, localAddress: from });
    defer(t, () => ws.terminate());
    const socket = new Socket(ws);
    const opened = new Promise((resolve, reject) => {
      ws.once('open', resolve);
      ws.once('unexpected-response', (request, response) => {
        const error = new Error(`upgrade answered with ${response.statusCode}`);
        reject(Object.assign(error, { status: response.statusCode, headers: response.headers }));
        request.destroy();
      });
      ws.once('error', reject);
    });
    await within('the WebSocket handshake', opened);
    return socket;
  }

  /** Connects, authenticates and waits for hello. */
  static async join(t, port, auth, options) {
    const socket = await Socket.open(t, port, options);
    socket.send({ type: 'auth', ...auth });
    await socket.next('hello');
    return socket;
  }

  send(message) {
    this.ws.send(
      typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message),
    );
  }

  next(type, match = () => true) {
    return this.inbox.next(
      `a ${type} message`,
      (message) => message.type === type && match(message),
    );
  }

  /** The data of the next update, or of the first that matches. */
  async update(match = () => true) {
    return (await this.next('metrics:update', (message) => match(message.data))).data;
  }

  /** Every update so far, oldest first. */
  get updates() {
    return this.inbox.all
      .filter((message) => message.type === 'metrics:update')
      .map((message) => message.data);
  }

  waitClose() {
    return within('the socket to close', this.closing);
  }

  /** Vanishes: no close frame. */
  terminate() {
    this.ws.terminate();
  }
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** A client's frame; every rule of RFC 6455 can be broken by an option. */
export function frameBytes(opcode, payload, { fin = true, rsv = 0, masked = true } = {}) {
  const body = Buffer.from(payload);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const maskBit = masked ? 0x80 : 0;
  if (body.length < 126) head.push(maskBit | body.length);
  else if (body.length < 65536) head.push(maskBit | 126, body.length >> 8, body.length & 255);
  else throw new Error('longer frames are not needed here');
  if (!masked) return Buffer.concat([Buffer.from(head), body]);
  const mask = randomBytes(4);
  return Buffer.concat([Buffer.from(head), mask, body.map((byte, i) => byte ^ mask[i % 4])]);
}

export function handshakeText({
  path = WS_PATH,
  method = 'GET',
  headers = [],
  version = 13,
  key = true,
} = {}) {
  const lines = ['Connection: Upgrade', 'Upgrade: websocket', ...headers];
  if (version !== null) lines.push(`Sec-WebSocket-Version: ${version}`);
  if (key) lines.push(`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`);
  return httpText(method, path, { headers: lines });
}

export class RawSocket {
  constructor(connection) {
    this.connection = connection;
  }

  /** Upgrades; `early` is sent in the same segment as the handshake. */
  static async open(t, port, { early = Buffer.alloc(0), ...handshake } = {}) {
    const connection = await RawConnection.open(t, port);
    connection.send(Buffer.concat([Buffer.from(handshakeText(handshake), 'latin1'), early]));
    const response = await connection.response();
    if (response.status !== 101) throw new Error(`handshake answered with ${response.status}`);
    return new RawSocket(connection);
  }

  send(opcode, payload, options) {
    this.connection.send(frameBytes(opcode, payload, options));
  }

  sendJson(message) {
    this.send(OPCODE.text, JSON.stringify(message));
  }

  #tryFrame() {
    const bytes = this.connection.received;
    if (bytes.length < 2) return null;
    let length = bytes[1] & 127;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) return null;
      length = bytes.readUInt16BE(2);
      at = 4;
    }
    if (bytes.length < at + length) return null;
    const payload = Buffer.from(this.connection.take(at + length).subarray(at));
    const opcode = bytes[0] & 15;
    return { opcode, payload, text: payload.toString('utf8') };
  }

  /** The next frame, or null once the connection has ended without one. */
  async frame(timeoutMs = PATIENCE_MS) {
    const found = await waitFor(
      'a WebSocket frame',
      () => {
        const frame = this.#tryFrame();
        return frame !== null || this.connection.ended ? { frame } : false;
      },
      { timeoutMs, everyMs: 2 },
    );
    return found.frame;
  }

  /** The next text message of a type; frames before it are dropped. */
  async next(type) {
    for (;;) {
      const frame = await this.frame();
      if (frame === null) throw new Error(`connection ended before a ${type} message`);
      if (frame.opcode !== OPCODE.text) continue;
      const message = JSON.parse(frame.text);
      if (message.type === type) return message;
    }
  }

  /** The code the server closed with, or null when the connection ended without a close frame. */
  async closeCode() {
    for (;;) {
      const frame = await this.frame();
      if (frame === null) return null;
      if (frame.opcode === OPCODE.close)
        return frame.payload.length >= 2 ? frame.payload.readUInt16BE(0) : 1005;
    }
  }
}

/** Both listeners take WebSockets: names of a daemon's ports. */
export const PORTS = ['httpPort', 'wsPort'];

export const authText = (who) => JSON.stringify({ type: 'auth', ...who });
