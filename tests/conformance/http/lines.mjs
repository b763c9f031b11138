// The request line (RFC 9112, 3): methods, targets, versions.
import { ours } from '../verdicts.mjs';
import { refused, taken } from './expect.mjs';
import { get, line } from './requests.mjs';

const read = taken('ok');

const versions = [
  read('HTTP/1.1', 'RFC 9112 2.3', get()),
  { ...read('HTTP/1.0', 'RFC 9112 9.3', get([], { version: 'HTTP/1.0' })), then: 'closed' },
  {
    ...read('HTTP/1.0 without Host', 'RFC 9112 3.2', get([], { version: 'HTTP/1.0', host: null })),
    then: 'closed',
  },
  ours(
    read(
      'HTTP/1.0 with keep-alive',
      'RFC 9112 9.3',
      get(['Connection: keep-alive'], { version: 'HTTP/1.0' }),
    ),
  ),
  ...['HTTP/2.0', 'HTTP/3.0', 'HTTP/9.9'].map((version) => ({
    name: version,
    rule: 'RFC 9110 15.6.6',
    send: get([], { version }),
    answers: ['error'],
    then: 'closed',
  })),
  ours({
    name: 'HTTP/1.2',
    rule: 'contract 3',
    send: get([], { version: 'HTTP/1.2' }),
    answers: [505],
    then: 'closed',
  }),
  ours({
    name: 'HTTP/2.0 is 505',
    rule: 'contract 3',
    send: get([], { version: 'HTTP/2.0' }),
    answers: [505],
    then: 'closed',
  }),
  ...[
    'http/1.1',
    'HTTP/1.1x',
    'HTTP/11',
    'HTTP/1.',
    'HTTP/.1',
    'HTTP/1',
    'HTP/1.1',
    'HTTP/1,1',
    'HTTP-1.1',
    'RTSP/1.0',
    'HTTP/a.b',
  ].map((version) => refused(`the version ${version}`, 'RFC 9112 2.3', get([], { version }))),
  ...['HTTP/01.1', 'HTTP/1.01', 'HTTP/1.10'].map((version) =>
    refused(`the version ${version}`, 'RFC 9112 2.3', get([], { version })),
  ),
  ours(
    refused(
      'no version',
      'contract 3',
      line((target) => `GET ${target.path}`),
    ),
  ),
];

const methods = [
  { ...read('HEAD has no body', 'RFC 9110 9.3.2', get([], { method: 'HEAD' })), methods: ['HEAD'] },
  {
    name: 'a small get is another method',
    rule: 'RFC 9110 9.1',
    send: get([], { method: 'get' }),
    answers: ['error'],
  },
  {
    name: 'a method nobody knows',
    rule: 'RFC 9110 9.1',
    send: get([], { method: 'FROBNICATE' }),
    answers: ['error'],
  },
  ...['(', ')', '<', '@', ',', ';', '"', '/', '[', '?', '=', '{', '\x01', '\x7f'].map((char) =>
    refused(
      `a method with ${JSON.stringify(char)}`,
      'RFC 9110 9.1',
      get([], { method: `GE${char}T` }),
    ),
  ),
  refused(
    'no method',
    'RFC 9112 3',
    line((target) => ` ${target.path} HTTP/1.1`),
  ),
  ...['PUT', 'DELETE', 'PATCH'].map((method) =>
    ours({
      name: `${method} is 405 and names what may be`,
      rule: 'contract 3',
      send: get([], { method }),
      answers: [405],
      then: 'open',
    }),
  ),
  ours({
    name: 'CONNECT',
    rule: 'contract 3',
    send: line(() => 'CONNECT example.com:443 HTTP/1.1'),
    answers: ['error'],
  }),
  ours({
    name: 'OPTIONS *',
    rule: 'contract 3',
    send: line(() => 'OPTIONS * HTTP/1.1'),
    answers: [204],
    then: 'open',
  }),
];

const targets = [
  read(
    'absolute-form',
    'RFC 9112 3.2.2',
    line((target) => `GET http://${target.name}${target.path} HTTP/1.1`),
  ),
  read(
    'absolute-form in capitals',
    'RFC 9112 3.2.2',
    line((target) => `GET HTTP://${target.name}${target.path} HTTP/1.1`),
  ),
  read(
    'absolute-form with a port',
    'RFC 9112 3.2.2',
    line((target) => `GET http://${target.name}:80${target.path} HTTP/1.1`),
  ),
  read(
    'absolute-form goes before Host',
    'RFC 9112 3.2.2',
    (target) => `GET http://${target.name}${target.path} HTTP/1.1\r\nHost: other.example\r\n\r\n`,
  ),
  read(
    'a query',
    'RFC 9112 3.2.1',
    line((target) => `GET ${target.path}?a=b&c=%20 HTTP/1.1`),
  ),
  ...['\x00', '\x01', '\x1f', '\x7f'].map((char) =>
    refused(
      `a target with ${JSON.stringify(char)}`,
      'RFC 9112 3.2',
      line((target) => `GET ${target.path}${char}x HTTP/1.1`),
    ),
  ),
  refused(
    'a target with a space',
    'RFC 9112 3.2',
    line((target) => `GET ${target.path} x HTTP/1.1`),
  ),
  ours(
    refused(
      'a target with a byte beyond ASCII',
      'contract 3',
      line((target) => `GET ${target.path}\xff HTTP/1.1`),
    ),
  ),
  ours(
    refused(
      'a tab before the target',
      'contract 3',
      line((target) => `GET\t${target.path} HTTP/1.1`),
    ),
  ),
  ours(
    refused(
      'two spaces before the target',
      'contract 3',
      line((target) => `GET  ${target.path} HTTP/1.1`),
    ),
  ),
  ours(
    refused(
      'two spaces before the version',
      'contract 3',
      line((target) => `GET ${target.path}  HTTP/1.1`),
    ),
  ),
  ours(
    refused(
      'a space behind the version',
      'contract 3',
      line((target) => `GET ${target.path} HTTP/1.1 `),
    ),
  ),
  ours(
    refused(
      'no target',
      'contract 3',
      line(() => 'GET HTTP/1.1'),
    ),
  ),
  ours({
    name: 'a path that is not there',
    rule: 'contract 3',
    send: get([], { path: '/no/such/path' }),
    answers: [404],
    then: 'open',
  }),
  ours({
    name: 'a target without a slash',
    rule: 'contract 3',
    send: get([], { path: 'health' }),
    answers: ['error'],
  }),
  ours({
    name: 'a target of 4097 bytes',
    rule: 'contract 3',
    send: get([], { path: `/${'x'.repeat(4096)}` }),
    answers: [414],
    then: 'closed',
  }),
  ours({
    name: 'a target of 4096 bytes',
    rule: 'contract 3',
    send: get([], { path: `/${'x'.repeat(4095)}` }),
    answers: [404],
    then: 'open',
  }),
  {
    name: 'a target of 100,000 bytes',
    rule: 'RFC 9112 3',
    send: get([], { path: `/${'x'.repeat(100_000)}` }),
    answers: ['error'],
    then: 'closed',
  },
];

const ends = [
  read('an empty line before the request', 'RFC 9112 2.2', (target) => `\r\n${get()(target)}`),
  ours(
    read(
      'three empty lines before the request',
      'contract 3',
      (target) => `\r\n\r\n\r\n${get()(target)}`,
    ),
  ),
  ours(
    refused('lines that end with LF alone', 'contract 3', (target) =>
      get()(target).replaceAll('\r\n', '\n'),
    ),
  ),
  ours(
    refused('a request line that ends with LF alone', 'contract 3', (target) =>
      get()(target).replace('\r\n', '\n'),
    ),
  ),
  ours(
    refused('a head that ends with LF alone', 'contract 3', (target) =>
      get()(target).replace(/\r\n$/, '\n'),
    ),
  ),
  ours(
    refused('a request line that ends with CR alone', 'contract 3', (target) =>
      get()(target).replace('\r\n', '\r'),
    ),
  ),
  ours(
    refused('a head that ends with CR CR LF', 'contract 3', (target) =>
      get()(target).replace(/\r\n$/, '\r\r\n'),
    ),
  ),
  {
    name: 'a TLS hello',
    rule: 'RFC 9112 2.2',
    send: Buffer.from('16030100c8010000c40303', 'hex'),
    half: true,
    answers: ['error'],
    then: 'closed',
  },
  {
    name: 'nothing but zeros',
    rule: 'RFC 9112 2.2',
    send: Buffer.alloc(64),
    half: true,
    answers: ['error'],
    then: 'closed',
  },
  {
    name: 'the preface of HTTP/2',
    rule: 'RFC 9112 2.2',
    send: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    answers: ['error'],
    then: 'closed',
  },
];

export default [...versions, ...methods, ...targets, ...ends];
