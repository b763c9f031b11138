// Bytes of attackers. A mark in them is filled in by au-flood: COUNT with a number that is never
// the same, PEER with one of the connection.
import { httpText } from '../../integration/harness/http.mjs';
import { handshakeText, OPCODE } from '../../integration/harness/socket.mjs';

export const COUNT = '@@@@@@@@';
export const PEER = '&&&';

/** A client's frame whose mask is zero, so that au-flood finds its marks in the payload. */
export function frame(opcode, payload, { fin = true, length } = {}) {
  const body = Buffer.from(payload);
  const size = length ?? body.length;
  const head = [(fin ? 0x80 : 0) | opcode];
  if (size < 126) head.push(0x80 | size);
  else if (size < 65536) head.push(0x80 | 126, size >> 8, size & 255);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(size));
    head.push(0x80 | 127, ...long);
  }
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), body]);
}

export const text = (message, options) => frame(OPCODE.text, JSON.stringify(message), options);

export const join = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part, 'latin1')));

export const handshake = (options) => Buffer.from(handshakeText(options), 'latin1');

export const auth = (customerId, sessionId, tabId = 't') =>
  text({ type: 'auth', customerId, ...(sessionId && { sessionId, tabId }) });

export const ping = text({ type: 'ping' });

/** `bytes` again and again, up to about `total` of them. */
export const repeated = (bytes, total) =>
  Buffer.concat(Array(Math.max(1, Math.floor(total / bytes.length))).fill(Buffer.from(bytes)));

export const get = (target, headers) => Buffer.from(httpText('GET', target, { headers }), 'latin1');

export function post(action, body, headers = []) {
  return Buffer.from(
    httpText('POST', `/presence/${action}`, {
      headers: ['Content-Type: application/json', ...headers],
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
    'latin1',
  );
}

/** What costs most to read among bodies that are valid: 16 KiB, an escape, 8,100 numbers. */
export function heavyJoin(customerId, headers) {
  const head = `{"customerId":"${customerId}","sessionId":"\\u0061${COUNT}","tabId":"t","x":[`;
  return post('join', `${head}${'1,'.repeat(8_100)}1]}`, headers);
}
