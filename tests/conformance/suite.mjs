// All cases, and how many of them run at a time.
import httpCases from './http/cases.mjs';
import { checkHttp } from './http/check.mjs';
import { checkWebSocket } from './websocket/check.mjs';
import handshakes from './websocket/handshake.mjs';
import heads from './websocket/heads.mjs';
import messages from './websocket/messages.mjs';
import utf8 from './websocket/utf8.mjs';

const KINDS = {
  http: { cases: httpCases, check: checkHttp },
  websocket: { cases: [...handshakes, ...heads, ...messages, ...utf8], check: checkWebSocket },
};

const AT_A_TIME = 16;

/** The cases of a kind, each with a name of its own. */
export function casesOf(kind) {
  const { cases } = KINDS[kind];
  const names = new Set(cases.map((test) => test.name));
  if (names.size !== cases.length) {
    const twice = cases.find((test, i) => cases.findIndex((other) => other.name === test.name) < i);
    throw new Error(`two cases are named ${twice.name}`);
  }
  return cases;
}

/**
 * Runs cases against a server: [{test, fault}], fault null where it does as demanded. `strict`
 * holds it to the contract where the RFC leaves a choice.
 */
export async function runCases(kind, target, cases, { strict }) {
  const results = cases.map((test) => ({ test, fault: null }));
  let next = 0;
  const work = async () => {
    while (next < results.length) {
      const result = results[next++];
      try {
        result.fault = await KINDS[kind].check(target, result.test, strict);
      } catch (error) {
        result.fault = error.message;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return results;
}
