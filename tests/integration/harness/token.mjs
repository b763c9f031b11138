// Tokens as a customer's server mints them, and bad ones.
import { createHmac } from 'node:crypto';

export const SECRET = 'an example secret of thirty-two bytes and more';

const part = (value) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** `claims` and `header` are objects, or text that is signed as it is. */
export function mint(claims, { secret = SECRET, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** Seconds since the epoch, `ms` from now. */
export const inMs = (ms) => (Date.now() + ms) / 1000;
