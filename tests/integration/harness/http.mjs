// HTTP as bytes: a socket that sends what it is told and reads answers strictly, because node's
// own client can neither send malformed requests nor show what stands on the wire.
import assert from 'node:assert/strict';
import net from 'node:net';

import { defer, PATIENCE_MS, waitFor } from './wait.mjs';

/** Takes one response off the front of `bytes`: {response, rest}, or null when it is not whole yet. */
export function parseResponse(bytes, { ofHead = false, ended = false } = {}) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [statusLine, ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const match = /^HTTP\/1\.1 (\d{3}) [ -~]+$/.exec(statusLine);
  assert.ok(match, `not a status line: ${JSON.stringify(statusLine)}`);
  const status = Number(match[1]);
  const headers = {};
  for (const line of lines) {
    const header = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([ -~]*)$/.exec(line);
    assert.ok(header, `not a header line: ${JSON.stringify(line)}`);
    const name = header[1].toLowerCase();
    assert.ok(!(name in headers), `header ${name} sent twice`);
    headers[name] = header[2];
  }
  const bodyStart = headEnd + 4;
  let bodyEnd;
  if (ofHead || status < 200 || status === 204 || status === 304) bodyEnd = bodyStart;
  else if ('content-length' in headers) bodyEnd = bodyStart + Number(headers['content-length']);
  else if (ended) bodyEnd = bytes.length;
  else return null;
  if (bytes.length < bodyEnd) return null;
  const text = bytes.toString('utf8', bodyStart, bodyEnd);
  const response = {
    status,
    headers,
    text,
    get json() {
      return JSON.parse(text);
    },
  };
  return { response, rest: bytes.subarray(bodyEnd) };
}

export class RawConnection {
  ended = false;
  #chunks = [];
  #socket;

  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#chunks.push(chunk));
    // A reset is an end like any other here; tests judge what had arrived before it.
    for (const event of ['end', 'error', 'close']) socket.on(event, () => (this.ended = true));
  }

  static async open(t, port, host = '127.0.0.1', from = undefined) {
    const socket = net.connect({ port, host, localAddress: from, allowHalfOpen: true });
    defer(t, () => socket.destroy());
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawConnection(socket);
  }

  get socket() {
    return this.#socket;
  }

  /** What has arrived and was not read as a response yet. */
  get received() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  take(length) {
    const bytes = this.received;
    this.#chunks = [bytes.subarray(length)];
    return bytes.subarray(0, length);
  }

  send(bytes) {
    if (!this.#socket.destroyed)
      this.#socket.write(bytes, typeof bytes === 'string' ? 'latin1' : undefined);
  }

  /** One write and one segment for each byte, as far as the kernel allows. */
  async sendBytewise(bytes) {
    for (const byte of Buffer.from(bytes, 'latin1')) {
      if (this.#socket.destroyed) return;
      await new Promise((resolve) => this.#socket.write(Buffer.of(byte), resolve));
      await new Promise(setImmediate);
    }
  }

  /** The response, if it is whole already; null otherwise. */
  tryResponse(options) {
    const parsed = parseResponse(this.received, { ...options, ended: this.ended });
    if (parsed === null) return null;
    this.#chunks = [parsed.rest];
    return parsed.response;
  }

  async response({ timeoutMs = PATIENCE_MS, ...options } = {}) {
    const found = await waitFor(
      'a response',
      () => {
        const response = this.tryResponse(options);
        return response !== null || this.ended ? { response } : false;
      },
      { timeoutMs, everyMs: 2 },
    );
    if (found.response !== null) return found.response;
    const unread = this.received.toString('latin1').slice(0, 300);
    throw new Error(`the connection ended without a response; unread: ${JSON.stringify(unread)}`);
  }

  /** Waits until the peer has closed, and returns the bytes that no response was made of. */
  async end(timeoutMs = PATIENCE_MS) {
    await waitFor('the server to close the connection', () => this.ended, {
      timeoutMs,
      everyMs: 2,
    });
    return this.received;
  }

  close() {
    this.#socket.destroy();
  }
}

/** A request as text. `headers` are lines; Host is added unless `headers` has one. */
export function httpText(method, target, { headers = [], body } = {}) {
  const lines = [...headers];
  if (!lines.some((line) => /^host:/i.test(line))) lines.unshift('Host: localhost');
  if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

/** A POST of a sign of life, ready to be sent. */
export function presenceText(action, beat, headers = []) {
  return httpText('POST', `/presence/${action}`, {
    headers: ['Content-Type: application/json', ...headers],
    body: JSON.stringify(beat),
  });
}

/** A cheap question whose answer says that the connection is in step. */
export const HEALTH = httpText('GET', '/health');

export const metricsText = (customerId) => httpText('GET', `/metrics?customerId=${customerId}`);

/** `text` in chunks of `size`, without the last one. */
export const chunksOf = (text, size) =>
  text
    .match(new RegExp(`[^]{1,${size}}`, 'g'))
    .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
    .join('');

/** What every error looks like, whatever the status. */
export function assertError(answer, status, name, field) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/json/);
  const { error, message, field: named, ...more } = answer.json;
  assert.equal(error, name);
  assert.equal(typeof message, 'string');
  assert.notEqual(message, '');
  if (field !== undefined) assert.equal(named, field);
  assert.deepEqual(more, {});
}

export function assertBadRequest(answer, field) {
  assertError(answer, 400, 'Bad Request', field);
}
