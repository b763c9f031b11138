// Runs one WebSocket case: sends its bytes after a handshake and judges what comes back. Asks for
// nothing that RFC 6455 does not demand, unless the server is held to the contract.
import { createHash, randomBytes } from 'node:crypto';

import { Connection } from '../connection.mjs';
import { takeResponse } from '../http/response.mjs';
import { OP, ping, takeFrame } from './frames.mjs';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
export const acceptOf = (key) =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64');

/** A server that has failed a connection ends TCP; the contract gives it a second. */
const END_MS = 3000;

/** A handshake as bytes. `lines` are header lines in place of the usual ones, by name; null: none. */
export function handshake(
  target,
  { method = 'GET', version = 'HTTP/1.1', path, lines = {}, extra = [], body = '' } = {},
) {
  const usual = {
    Host: target.name,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
  };
  const head = Object.entries({ ...usual, ...lines })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}`);
  const text = `${method} ${path ?? target.path} ${version}\r\n${[...head, ...extra].join('\r\n')}\r\n\r\n${body}`;
  return Buffer.from(text, 'latin1');
}

async function response(connection, method = 'GET') {
  return connection.until(() => takeResponse(connection, { method }));
}

/** Collects frames until `done` says so or the connection is over: [frames]. */
async function collect(connection, done, patienceMs) {
  const frames = [];
  await connection.until(() => {
    for (let next; (next = takeFrame(connection)) !== null;) {
      frames.push(next);
      if (done(next)) return true;
    }
    return null;
  }, patienceMs);
  return frames;
}

function wellFormed(frames) {
  for (const frame of frames) {
    if (frame.masked) return 'the server sent a masked frame';
    if (frame.rsv !== 0) return 'the server set a reserved bit';
    if (frame.opcode >= 8 && (!frame.fin || frame.payload.length > 125))
      return 'the server sent a bad control frame';
  }
  return null;
}

const codeOf = (frame) => (frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0));

function sendAll(connection, bytes, pieces) {
  if (pieces) return connection.sendInPieces(bytes, pieces);
  connection.send(bytes);
  return null;
}

/** The connection goes on: a last ping is answered, after the pongs that the case names. */
async function checkOpen(connection, expect, strict) {
  const mark = randomBytes(6).toString('hex');
  connection.send(ping(mark));
  const frames = await collect(
    connection,
    (frame) =>
      frame.opcode === OP.close || (frame.opcode === OP.pong && frame.payload.toString() === mark),
  );
  const last = frames.at(-1);
  if (last?.opcode === OP.close) return `closed with ${codeOf(last)}`;
  if (last?.opcode !== OP.pong)
    return connection.ended ? 'connection ended' : 'no answer to a ping';
  const pongs = frames
    .filter((frame) => frame.opcode === OP.pong)
    .map((frame) => frame.payload.toString('latin1'));
  pongs.pop();
  const wanted = (expect.pongs ?? []).map((payload) => Buffer.from(payload).toString('latin1'));
  // Of several pings that came together the newest alone may be answered (RFC 6455, 5.5.3).
  const mayMiss = !strict && wanted.length > 1;
  if (!mayMiss && JSON.stringify(pongs) !== JSON.stringify(wanted))
    return `pongs ${JSON.stringify(pongs).slice(0, 80)}`;
  if (strict && expect.texts) {
    const texts = frames
      .filter((frame) => frame.opcode === OP.text)
      .map((frame) => frame.payload.toString());
    if (
      texts.length !== expect.texts.length ||
      !expect.texts.every((want, i) => want.test(texts[i]))
    )
      return `texts ${JSON.stringify(texts).slice(0, 80)}`;
  }
  return wellFormed(frames);
}

/** The connection is failed: a close frame with a code of `codes`, or (RFC 6455, 7.1.7) none, then the end. */
async function checkClosed(connection, codes, strict) {
  const began = Date.now();
  const frames = await collect(connection, () => false, END_MS);
  const closes = frames.filter((frame) => frame.opcode === OP.close);
  if (closes.length === 0 && !connection.ended) return 'not closed';
  if (closes.length > 1) return 'several close frames';
  if (closes.length === 1 && !codes.includes(codeOf(closes[0])))
    return `closed with ${codeOf(closes[0])}`;
  if (strict && closes.length === 0) return 'ended without a close frame';
  if (closes.length === 1 && frames.at(-1) !== closes[0]) return 'frames behind the close frame';
  if (frames.some((frame) => frame.opcode === OP.pong && frame.payload.toString() === 'behind'))
    return 'went on behind the fault';
  if (strict && !connection.ended) return `TCP is open ${Date.now() - began} ms later`;
  return wellFormed(frames);
}

async function checkRefused(connection, test, strict) {
  const expect = test.refused;
  const answer = await response(connection, test.handshake.method);
  if (!answer) return connection.ended && !strict ? null : 'no answer';
  if (answer.status === 101) return 'upgraded';
  if (answer.status < 400) return `status ${answer.status}`;
  if (strict && expect.status && !expect.status.includes(answer.status))
    return `status ${answer.status}`;
  for (const [name, value] of Object.entries(expect.headers ?? {}))
    if (!value.test(answer.headers[name] ?? '')) return `header ${name} is ${answer.headers[name]}`;
  return null;
}

/** Null when the server does as the case demands, else what it did. */
export async function checkWebSocket(target, test, strict) {
  const connection = await Connection.open(target);
  try {
    const hello = handshake(target, test.handshake);
    const bytes = Buffer.concat((test.send ?? []).map((part) => Buffer.from(part)));
    const early = test.early ? bytes : Buffer.alloc(0);
    await sendAll(connection, Buffer.concat([hello, early]), test.handshakePieces);
    if (test.refused) return await checkRefused(connection, test, strict);

    const answer = await response(connection);
    if (answer?.status !== 101) return answer ? `handshake: ${answer.status}` : 'no handshake';
    const key = /Sec-WebSocket-Key: *(\S+)/i.exec(hello.toString('latin1'))[1];
    if (answer.headers['sec-websocket-accept'] !== acceptOf(key))
      return 'wrong Sec-WebSocket-Accept';
    if (!/^websocket$/i.test(answer.headers.upgrade ?? '')) return 'no Upgrade: websocket';
    if (!/\bupgrade\b/i.test(answer.headers.connection ?? '')) return 'no Connection: Upgrade';
    for (const [name, value] of Object.entries(test.headers ?? {}))
      if ((answer.headers[name] ?? null) !== value)
        return `header ${name} is ${answer.headers[name]}`;

    if (!test.early) await sendAll(connection, bytes, test.pieces);
    if (test.half) connection.half();
    if (test.closes) {
      if (!test.half) connection.send(ping('behind'));
      return await checkClosed(
        connection,
        [test.closes, strict ? [] : (test.fair ?? [])].flat(),
        strict,
      );
    }
    if (test.ends) return (await connection.waitEnd()) ? null : 'not ended';
    return await checkOpen(connection, test.open ?? {}, strict);
  } finally {
    connection.close();
  }
}
