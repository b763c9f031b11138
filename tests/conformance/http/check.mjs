// Runs one HTTP case: sends its bytes and judges the answers, and whether the connection is in step
// afterwards. Asks for nothing that RFC 9110 and 9112 do not demand, unless the server is held to
// the contract.
import { Connection } from '../connection.mjs';
import { takeResponse } from './response.mjs';

/** Statuses that say "I could not read that", whatever the request asked for. */
const UNREAD = [400, 411, 413, 414, 431, 501, 505];

/** What a case may ask of an answer, by name. `strict` is the contract's view. */
const MATCH = {
  ok: (status) => status === 200,
  // Read as it stands; whether the server likes it is its own affair, unless it is ours.
  read: (status, strict) => (strict ? status === 200 : status < 500 && !UNREAD.includes(status)),
  framed: (status) => status >= 200 && status < 500, // any answer: only the framing is in question
  refused: (status, strict) => (strict ? status === 400 : status >= 400 && status < 600),
  error: (status) => status >= 400 && status < 600,
};

function matches(want, status, strict) {
  if (typeof want === 'number') return status === want;
  if (Array.isArray(want)) return want.some((one) => matches(one, status, strict));
  return MATCH[want](status, strict);
}

async function next(connection, method, patienceMs) {
  return connection.until(() => takeResponse(connection, { method }), patienceMs);
}

function badHead(answer) {
  if (answer.status === 204 && 'content-length' in answer.headers)
    return '204 with a Content-Length';
  if (answer.status === 405 && !('allow' in answer.headers)) return '405 without Allow';
  return null;
}

/** The final answer to one request; interim ones are counted. */
async function finalAnswer(connection, method, patienceMs) {
  let interim = 0;
  for (;;) {
    const answer = await next(connection, method, patienceMs);
    if (!answer || answer.status >= 200 || answer.status === 101) return { answer, interim };
    interim += 1;
  }
}

async function checkEnd(connection, test, target) {
  if (test.then === 'closed') {
    if (!(await connection.waitEnd())) return 'not closed';
    if (connection.received.length > 0) return 'answered what came behind';
  }
  if (test.then === 'open') {
    connection.send(`GET ${target.path} HTTP/1.1\r\nHost: ${target.name}\r\n\r\n`);
    const { answer } = await finalAnswer(connection, 'GET');
    if (!answer) return connection.ended ? 'closed' : 'the next request is not answered';
    if (answer.status !== 200) return `the next request is answered with ${answer.status}`;
    if (connection.received.length > 0) return 'more answers than requests';
  }
  return null;
}

/** Null when the server does as the case demands, else what it did. */
export async function checkHttp(target, test, strict) {
  const connection = await Connection.open(target);
  try {
    const sent = typeof test.send === 'function' ? test.send(target) : test.send;
    const bytes = Buffer.isBuffer(sent) ? sent : Buffer.from(sent, 'latin1');
    if (test.pieces) await connection.sendInPieces(bytes, test.pieces);
    else connection.send(bytes);
    if (test.half) connection.half();
    const answers = test.answers ?? [];
    for (const [i, want] of answers.entries()) {
      const method = test.methods?.[i] ?? 'GET';
      const { answer, interim } = await finalAnswer(connection, method, test.patienceMs);
      if (!answer) {
        // To close without a word is allowed where a request cannot be read.
        const silent = !strict && connection.ended && ['refused', 'error'].includes(want);
        return silent ? null : connection.ended ? 'closed without an answer' : 'no answer';
      }
      if (!matches(want, answer.status, strict)) return `status ${answer.status}`;
      if (test.interim !== undefined && interim !== test.interim)
        return `${interim} interim answers`;
      const fault = badHead(answer);
      if (fault) return fault;
      for (const [name, value] of Object.entries(test.headers ?? {}))
        if (!value.test(answer.headers[name] ?? ''))
          return `header ${name} is ${answer.headers[name]}`;
    }
    return await checkEnd(connection, test, target);
  } finally {
    connection.close();
  }
}
