// Header fields (RFC 9110, 5 and 7; RFC 9112, 5): names, values, Host, Connection, Expect.
import { ours } from '../verdicts.mjs';
import { refused, taken } from './expect.mjs';
import { BODY, get, length, post } from './requests.mjs';

const read = taken('ok');

const NAME_CHARS = [
  '(',
  ')',
  ',',
  '/',
  ';',
  '<',
  '=',
  '>',
  '?',
  '@',
  '[',
  '\\',
  ']',
  '{',
  '}',
  '"',
  '\x01',
  '\x7f',
  '\x80',
];

const names = [
  refused('a space before the colon', 'RFC 9112 5.1', get(['X-Test : 1'])),
  refused('a tab before the colon', 'RFC 9112 5.1', get(['X-Test\t: 1'])),
  ours(refused('a space within a name', 'contract 3', get(['X Test: 1']))),
  ...NAME_CHARS.map((char) =>
    ours(refused(`a name with ${JSON.stringify(char)}`, 'contract 3', get([`X${char}Test: 1`]))),
  ),
  ours(refused('a line without a colon', 'contract 3', get(['X-Test']))),
  ours(refused('a line without a name', 'contract 3', get([': 1']))),
  read('a name of all token characters', 'RFC 9110 5.6.2', get(["!#$%&'*+-.^_`|~09azAZ: 1"])),
  read('the same unknown name twice', 'RFC 9110 5.3', get(['X-Test: 1', 'X-Test: 2'])),
];

/** Either of two answers is right: to refuse, or to read the line as if it were harmless. */
const either = (name, rule, send) => ({ name, rule, send, answers: [['refused', 'ok']] });

const values = [
  read('no space behind the colon', 'RFC 9112 5', get(['X-Test:1'])),
  read('an empty value', 'RFC 9112 5', get(['X-Test:'])),
  read('a value of spaces', 'RFC 9112 5', get(['X-Test:    '])),
  read('tabs around a value', 'RFC 9112 5', get(['X-Test:\t1\t'])),
  read('a tab within a value', 'RFC 9110 5.5', get(['X-Test: a\tb'])),
  read('bytes beyond ASCII in a value', 'RFC 9110 5.5', get(['X-Test: \x80\xff'])),
  read('a colon in a value', 'RFC 9110 5.5', get(['X-Test: a:b'])),
  read('a long value', 'RFC 9110 5.4', get([`Cookie: ${'c'.repeat(4000)}`])),
  either('NUL in a value', 'RFC 9110 5.5', get(['X-Test: a\0b'])),
  either('CR in a value', 'RFC 9110 5.5', get(['X-Test: a\rb'])),
  either('a folded line', 'RFC 9112 5.2', get(['X-Test: a', ' b'])),
  either(
    'a space before the first header',
    'RFC 9112 2.2',
    (target) => `GET ${target.path} HTTP/1.1\r\n X: 1\r\nHost: ${target.name}\r\n\r\n`,
  ),
  ours(refused('NUL in a value is refused', 'contract 3', get(['X-Test: a\0b']))),
  ours(refused('CR in a value is refused', 'contract 3', get(['X-Test: a\rb']))),
  ours(refused('LF in a value is refused', 'contract 3', get(['X-Test: a\nb: c']))),
  ours(refused('a folded line is refused', 'contract 3', get(['X-Test: a', ' b']))),
  ours(refused('a line folded by a tab is refused', 'contract 3', get(['X-Test: a', '\tb']))),
  ours({
    name: 'a head of 70,000 bytes',
    rule: 'contract 3',
    send: get([`X-Test: ${'x'.repeat(70_000)}`]),
    answers: [431],
    then: 'closed',
  }),
  ours({
    name: 'a hundred and one headers',
    rule: 'contract 3',
    send: get(Array.from({ length: 101 }, (_, i) => `X-${i}: 1`)),
    answers: [431],
    then: 'closed',
  }),
  ours(
    read('ninety headers', 'contract 3', get(Array.from({ length: 90 }, (_, i) => `X-${i}: 1`))),
  ),
];

const hosts = [
  refused('no Host', 'RFC 9112 3.2', get([], { host: null })),
  refused('two Hosts', 'RFC 9112 3.2', get(['Host: other.example'])),
  refused('the same Host twice', 'RFC 9112 3.2', (target) => get([`host: ${target.name}`])(target)),
  ...['a b', 'a/b', 'a?b', 'a#b', 'a@b', 'a\\b', 'a"b', 'a<b', 'a\x7fb'].map((host) =>
    refused(`Host: ${JSON.stringify(host).slice(1, -1)}`, 'RFC 9112 3.2', get([], { host })),
  ),
  read('Host with a port', 'RFC 9112 3.2', (target) =>
    get([], { host: `${target.name}:8080` })(target),
  ),
  read('Host in capitals', 'RFC 9112 3.2', (target) =>
    get([], { host: target.name.toUpperCase() })(target),
  ),
  read('an IPv4 address as Host', 'RFC 9112 3.2', get([], { host: '127.0.0.1' })),
  read('an IPv6 address as Host', 'RFC 9112 3.2', get([], { host: '[::1]:80' })),
  read('HOST as a name', 'RFC 9110 5.1', (target) =>
    get([`HOST: ${target.name}`], { host: null })(target),
  ),
  ours(read('an empty Host', 'RFC 9112 3.2', get([], { host: '' }))),
];

const connections = [
  ...['close', 'Close', 'CLOSE', 'x, close', 'close,x', ' close '].map((value) => ({
    ...read(`Connection: ${JSON.stringify(value)}`, 'RFC 9112 9.6', get([`Connection: ${value}`])),
    then: 'closed',
    headers: { connection: /close/i },
  })),
  read('Connection: keep-alive', 'RFC 9112 9.3', get(['Connection: keep-alive'])),
  read('Connection: x-unknown', 'RFC 9110 7.6.1', get(['Connection: x-unknown', 'X-Unknown: 1'])),
  read(
    'an upgrade to h2c is not taken',
    'RFC 9110 7.8',
    get([
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    ]),
  ),
  read(
    'an upgrade to something unknown',
    'RFC 9110 7.8',
    get(['Connection: Upgrade', 'Upgrade: x-unknown/1']),
  ),
];

const expectations = [
  {
    name: 'Expect: 100-continue with a body at hand',
    rule: 'RFC 9110 10.1.1',
    send: post([...length(), 'Expect: 100-continue'], BODY),
    answers: ['read'],
    then: 'open',
  },
  ours({
    name: 'Expect: 100-continue is answered',
    rule: 'RFC 9110 10.1.1',
    send: post([...length(), 'Expect: 100-continue'], BODY),
    answers: [200],
    interim: 1,
    then: 'open',
  }),
  ours({
    name: 'Expect: 100-CONTINUE is answered',
    rule: 'RFC 9110 10.1.1',
    send: post([...length(), 'Expect: 100-CONTINUE'], BODY),
    answers: [200],
    interim: 1,
    then: 'open',
  }),
  {
    name: 'Expect: 100-continue of HTTP/1.0 is not answered',
    rule: 'RFC 9110 10.1.1',
    send: post([...length(), 'Expect: 100-continue'], BODY, { version: 'HTTP/1.0' }),
    answers: ['read'],
    interim: 0,
    then: 'closed',
  },
  ours({
    name: 'Expect: 100-continue with too large a body is 413 at once',
    rule: 'contract 3',
    send: post(['Content-Length: 100000', 'Expect: 100-continue']),
    answers: [413],
    interim: 0,
    then: 'closed',
  }),
  {
    name: 'Expect: 100-continue without a body',
    rule: 'RFC 9110 10.1.1',
    send: get(['Expect: 100-continue']),
    answers: ['ok'],
    then: 'open',
  },
];

export default [...names, ...values, ...hosts, ...connections, ...expectations];
