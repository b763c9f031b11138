// Requests behind each other, and how their bytes arrive (RFC 9112, 9.3).
import { ours } from '../verdicts.mjs';
import { all, BODY, CHUNKED, chunks, get, length, post } from './requests.mjs';

const many = (count, request) => all(...Array(count).fill(request));
const oks = (count) => Array(count).fill('ok');
const withLength = post(length(), BODY);
const withChunks = post(CHUNKED, chunks(BODY, 9));
const rule = 'RFC 9112 9.3.2';

/** Each place at which a request may be cut once: a step of 7 meets heads, ends and bodies. */
const whole = (target) => all(withLength, withChunks)(target);

export default [
  { name: 'two requests', rule, send: many(2, get()), answers: oks(2), then: 'open' },
  { name: 'ten requests', rule, send: many(10, get()), answers: oks(10), then: 'open' },
  { name: 'fifty requests', rule, send: many(50, get()), answers: oks(50), then: 'open' },
  ours({
    name: 'five hundred requests',
    rule,
    send: many(500, get()),
    answers: oks(500),
    then: 'open',
  }),
  {
    name: 'GET and POST in turn',
    rule,
    send: all(get(), withLength, get(), withChunks, get()),
    answers: ['ok', 'read', 'ok', 'read', 'ok'],
    then: 'open',
  },
  {
    name: 'HEAD between GETs',
    rule,
    send: all(get(), get([], { method: 'HEAD' }), get()),
    methods: ['GET', 'HEAD', 'GET'],
    answers: oks(3),
    then: 'open',
  },
  {
    name: 'an empty line between requests',
    rule: 'RFC 9112 2.2',
    send: all(get(), '\r\n', get()),
    answers: oks(2),
    then: 'open',
  },
  {
    name: 'nothing is answered behind Connection: close',
    rule: 'RFC 9112 9.6',
    send: all(get(['Connection: close']), get()),
    answers: ['ok'],
    then: 'closed',
  },
  {
    name: 'nothing is answered behind a bad request',
    rule: 'RFC 9112 9.6',
    send: all(get([], { host: null }), get()),
    answers: ['refused'],
    then: 'closed',
  },
  {
    name: 'a bad request behind good ones',
    rule,
    send: all(get(), get(), get([], { host: null })),
    answers: ['ok', 'ok', 'refused'],
    then: 'closed',
  },
  {
    name: 'requests byte by byte',
    rule,
    send: all(get(), withLength, get()),
    pieces: 1,
    answers: ['ok', 'read', 'ok'],
    then: 'open',
  },
  ...[2, 7, 13, 64, 100].map((pieces) => ({
    name: `requests in pieces of ${pieces} bytes`,
    rule,
    send: whole,
    pieces,
    answers: ['read', 'read'],
    then: 'open',
  })),
  ours({
    name: "requests and the end of the client's side",
    rule: 'contract 3',
    send: many(3, get()),
    half: true,
    answers: oks(3),
    then: 'closed',
  }),
  {
    name: 'the client ends its side without a word',
    rule: 'RFC 9112 9.5',
    send: '',
    half: true,
    answers: [],
    then: 'closed',
  },
  {
    name: 'the client ends its side in a head',
    rule: 'RFC 9112 8',
    send: 'GET / HT',
    half: true,
    answers: [],
    then: 'closed',
  },
  ours({
    name: 'a head that never ends is 408',
    rule: 'contract 3',
    send: 'GET /health HTTP/1.1\r\nHost:',
    answers: [408],
    then: 'closed',
    patienceMs: 15_000,
  }),
  ours({
    name: 'a body that never ends is 408',
    rule: 'contract 3',
    send: post(['Content-Length: 50'], '{'),
    answers: [408],
    then: 'closed',
    patienceMs: 15_000,
  }),
  ours({
    name: 'chunks that never end are 408',
    rule: 'contract 3',
    send: post(CHUNKED, '5\r\nhel'),
    answers: [408],
    then: 'closed',
    patienceMs: 15_000,
  }),
];
