// Requests as text, for any target.

export const BODY = '{"customerId":"conformance","sessionId":"s","tabId":"t"}';

const join = (first, lines, body = '') =>
  `${first}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`;

/** A GET with further header lines; `host` null leaves Host out. */
export const get =
  (lines = [], { path, version = 'HTTP/1.1', method = 'GET', host } = {}) =>
  (target) =>
    join(`${method} ${path ?? target.path} ${version}`, [
      ...(host === null ? [] : [`Host: ${host ?? target.name}`]),
      ...lines,
    ]);

/** A POST whose framing the case itself gives: header lines and raw bytes behind the head. */
export const post =
  (lines = [], body = '', { version = 'HTTP/1.1' } = {}) =>
  (target) =>
    join(
      `POST ${target.post} ${version}`,
      [`Host: ${target.name}`, 'Content-Type: application/json', ...lines],
      body,
    );

/** Requests behind each other, in one write. */
export const all =
  (...requests) =>
  (target) =>
    requests.map((request) => (typeof request === 'function' ? request(target) : request)).join('');

/** One write of a whole request line, whatever it is. */
export const line = (make) => (target) => join(make(target), [`Host: ${target.name}`]);

export const length = (body = BODY) => [`Content-Length: ${Buffer.byteLength(body)}`];

export const CHUNKED = ['Transfer-Encoding: chunked'];

/** A body in chunks of `size`, with its end. */
export const chunks = (body = BODY, size = body.length, end = '0\r\n\r\n') =>
  body
    .match(new RegExp(`[^]{1,${size}}`, 'g'))
    .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
    .join('') + end;
