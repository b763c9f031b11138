// Where a body ends (RFC 9112, 6 and 7): lengths, chunks, and what could be read in two ways.
import { ours } from '../verdicts.mjs';
import { refused, taken } from './expect.mjs';
import { all, BODY, CHUNKED, chunks, get, length, post } from './requests.mjs';

const read = taken('read');

const size = BODY.length;
const withLength = (value, body = BODY) => post([`Content-Length: ${value}`], body);

const lengths = [
  read('a body with its length', 'RFC 9112 6.3', withLength(size)),
  read('a length with leading zeros', 'RFC 9110 8.6', withLength(`000${size}`)),
  read('spaces around a length', 'RFC 9110 8.6', withLength(`  ${size}  `)),
  { ...read('a length of 0', 'RFC 9110 8.6', withLength(0, '')), answers: [['read', 400]] },
  {
    ...read('a POST without a length has no body', 'RFC 9112 6.3', post()),
    answers: [['framed', 411]],
  },
  {
    ...read('a GET with a body', 'RFC 9110 9.3.1', (target) => get(length())(target) + BODY),
    answers: ['framed'],
  },
  ...['+5', '-5', '5 5', '0x5', '5.0', 'five', '5,', ',5', '5;', '1e1', "'5'"].map((value) =>
    refused(`a length of ${value}`, 'RFC 9110 8.6', withLength(value)),
  ),
  ours(refused('an empty length', 'RFC 9110 8.6', withLength(''))),
  ...[
    '9223372036854775808',
    '18446744073709551615',
    '18446744073709551616',
    '99999999999999999999999',
  ].map((value) => ({
    ...refused(`a length of ${value}`, 'RFC 9110 8.6', withLength(value)),
    answers: ['error'],
  })),
  refused(
    'two lengths',
    'RFC 9112 6.3',
    post([`Content-Length: ${size}`, `Content-Length: ${size + 1}`], BODY),
  ),
  refused('two lengths in one line', 'RFC 9112 6.3', withLength(`${size}, ${size + 1}`)),
  ours(refused('the same length twice', 'contract 3', post([...length(), ...length()], BODY))),
  ours(refused('the same length twice in one line', 'contract 3', withLength(`${size}, ${size}`))),
  ours({
    name: 'a body of 16 KiB',
    rule: 'contract 3',
    send: post(['Content-Length: 16384'], BODY.padEnd(16_384)),
    answers: [200],
    then: 'open',
  }),
  ours({
    name: 'a body of 16 KiB and one byte',
    rule: 'contract 3',
    send: post(['Content-Length: 16385'], BODY.padEnd(16_385)),
    answers: [413],
    then: 'closed',
  }),
  ours({
    name: 'a body of 1 GB is refused by its head',
    rule: 'contract 3',
    send: post(['Content-Length: 1000000000']),
    answers: [413],
    then: 'closed',
  }),
  ours({
    name: 'a body that ends early is never taken',
    rule: 'contract 3',
    send: withLength(size + 10),
    half: true,
    then: 'closed',
    answers: [],
  }),
  read('a body byte by byte', 'RFC 9112 6.3', withLength(size), { pieces: 1 }),
  ours({
    name: 'a body for a path that is not there is read past',
    rule: 'contract 3',
    send: (target) => post(length(), BODY)({ ...target, post: '/no/such/path' }),
    answers: [404],
    then: 'open',
  }),
  ours({
    name: 'a body for a method that is not allowed is read past',
    rule: 'contract 3',
    send: (target) => post(length(), BODY)({ ...target, post: target.path }),
    answers: [405],
    then: 'open',
  }),
];

const chunked = (body, lines = CHUNKED) => post(lines, body);
const good = chunks();
const hex = size.toString(16);

const chunkFrames = [
  read('one chunk', 'RFC 9112 7.1', chunked(good)),
  read('chunks of one byte', 'RFC 9112 7.1', chunked(chunks(BODY, 1))),
  read('chunks of seven bytes', 'RFC 9112 7.1', chunked(chunks(BODY, 7))),
  read('chunks byte by byte', 'RFC 9112 7.1', chunked(chunks(BODY, 7)), { pieces: 1 }),
  read(
    'a size in capitals',
    'RFC 9112 7.1',
    chunked(`${hex.toUpperCase()}\r\n${BODY}\r\n0\r\n\r\n`),
  ),
  read('a size with leading zeros', 'RFC 9112 7.1', chunked(`000${hex}\r\n${BODY}\r\n0\r\n\r\n`)),
  read('a last chunk of several zeros', 'RFC 9112 7.1', chunked(chunks(BODY, size, '000\r\n\r\n'))),
  read('an extension', 'RFC 9112 7.1.1', chunked(`${hex};a=b\r\n${BODY}\r\n0\r\n\r\n`)),
  read(
    'an extension without a value',
    'RFC 9112 7.1.1',
    chunked(`${hex};a\r\n${BODY}\r\n0\r\n\r\n`),
  ),
  read(
    'an extension of the last chunk',
    'RFC 9112 7.1.1',
    chunked(chunks(BODY, size, '0;a=b\r\n\r\n')),
  ),
  {
    ...read('no chunk but the last', 'RFC 9112 7.1', chunked('0\r\n\r\n')),
    answers: [['read', 400]],
  },
  ...Object.entries({
    'no number': 'x',
    'a minus': '-5',
    'a plus': '+5',
    '0x': '0x5',
    nothing: '',
    'a space before it': ' 5',
    'an extension without a size': ';a=b',
    'a dot': '5.0',
    'a letter beyond f': '5g',
    'sixty-five bits': '10000000000000005',
    'eighty bits': 'ffffffffffffffffffff',
  }).map(([what, value]) => ({
    ...refused(`a size with ${what}`, 'RFC 9112 7.1', chunked(`${value}\r\nhello\r\n0\r\n\r\n`)),
    answers: ['error'],
  })),
  ours(refused('a space behind a size', 'contract 3', chunked('5 \r\nhello\r\n0\r\n\r\n'))),
  ours(
    refused(
      'a size that ends with LF alone',
      'contract 3',
      chunked(`${hex}\n${BODY}\r\n0\r\n\r\n`),
    ),
  ),
  ours(
    refused('data that ends with LF alone', 'contract 3', chunked(`${hex}\r\n${BODY}\n0\r\n\r\n`)),
  ),
  ours(
    refused(
      'a body that ends with LF alone',
      'contract 3',
      chunked(`${hex}\r\n${BODY}\r\n0\r\n\n`),
    ),
  ),
  refused('data longer than its size', 'RFC 9112 7.1', chunked('5\r\nhello!\r\n0\r\n\r\n')),
  refused('data shorter than its size', 'RFC 9112 7.1', chunked('9\r\nhello\r\n0\r\n\r\n')),
  ours(refused('a trailer', 'contract 3', chunked(chunks(BODY, size, '0\r\nX-Test: 1\r\n\r\n')))),
  ours({
    name: 'chunks that end early are never taken',
    rule: 'contract 3',
    send: chunked(`${hex}\r\n${BODY}\r\n`),
    half: true,
    then: 'closed',
    answers: [],
  }),
  ours({
    name: 'a chunk that announces too much',
    rule: 'contract 3',
    send: chunked('4001\r\n'),
    answers: [413],
    then: 'closed',
  }),
  ours({
    name: 'chunks that are too large together',
    rule: 'contract 3',
    send: chunked(`2000\r\n${' '.repeat(8192)}\r\n2001\r\n`),
    answers: [413],
    then: 'closed',
  }),
  ours({
    name: 'an extension without end',
    rule: 'contract 3',
    send: chunked(`5;${'x'.repeat(70_000)}`),
    answers: ['error'],
    then: 'closed',
  }),
];

const coding = (value, body = good) => post([`Transfer-Encoding: ${value}`], body);

const codings = [
  read('chunked in capitals', 'RFC 9112 7', coding('CHUNKED')),
  read('spaces around chunked', 'RFC 9112 7', coding('  chunked  ')),
  ...[
    'gzip',
    'identity',
    'xchunked',
    'chunkedx',
    'chunked, gzip',
    'gzip, chunked, gzip',
    '"chunked"',
    'chunked;q=1',
  ].map((value) => ({
    ...refused(`Transfer-Encoding: ${value}`, 'RFC 9112 6.1', coding(value)),
    answers: ['error'],
  })),
  {
    ...refused('Transfer-Encoding: chunked, chunked', 'RFC 9112 6.1', coding('chunked, chunked')),
    answers: ['error'],
  },
  {
    ...refused('chunked in two lines', 'RFC 9112 6.1', post([...CHUNKED, ...CHUNKED], good)),
    answers: ['error'],
  },
  {
    ...refused('a vertical tab before chunked', 'RFC 9112 6.1', coding('\x0bchunked')),
    answers: ['error'],
  },
  ours({
    name: 'a coding that is not spoken is 501',
    rule: 'contract 3',
    send: coding('gzip'),
    answers: [501],
    then: 'closed',
  }),
  ours({ ...refused('an empty Transfer-Encoding', 'contract 3', coding('')), answers: ['error'] }),
  {
    name: 'chunks of HTTP/1.0',
    rule: 'RFC 9112 6.1',
    send: post(CHUNKED, good, { version: 'HTTP/1.0' }),
    answers: [['refused', 'framed', 501]],
    then: 'closed',
  },
];

/** A request that hides a second one from whoever reads its framing in another way. */
const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
const smuggled = (name, rule, lines, body) => ({
  ...refused(name, rule, (target) => post(lines, body)(target)),
  answers: ['error'],
});

const smuggling = [
  smuggled(
    'a length and chunks',
    'RFC 9112 6.3',
    [`Content-Length: ${5 + hidden.length}`, ...CHUNKED],
    `0\r\n\r\n${hidden}`,
  ),
  smuggled(
    'chunks and a length',
    'RFC 9112 6.3',
    [...CHUNKED, 'Content-Length: 4'],
    `5c\r\n${hidden}`,
  ),
  ours(
    smuggled(
      'a space before the colon of Transfer-Encoding',
      'RFC 9112 5.1',
      ['Content-Length: 5', 'Transfer-Encoding : chunked'],
      `0\r\n\r\n${hidden}`,
    ),
  ),
  smuggled(
    'a tab before the colon of Transfer-Encoding',
    'RFC 9112 5.1',
    ['Content-Length: 5', 'Transfer-Encoding\t: chunked'],
    `0\r\n\r\n${hidden}`,
  ),
  smuggled(
    'a space before the colon of Content-Length',
    'RFC 9112 5.1',
    [`Content-Length : ${hidden.length}`],
    hidden,
  ),
  ours(
    smuggled(
      'Transfer-Encoding behind a bare CR',
      'contract 3',
      ['Content-Length: 5', 'X-Test: a\rTransfer-Encoding: chunked'],
      `0\r\n\r\n${hidden}`,
    ),
  ),
  ours(
    smuggled(
      'Transfer-Encoding behind a bare LF',
      'contract 3',
      ['Content-Length: 5', 'X-Test: a\nTransfer-Encoding: chunked'],
      `0\r\n\r\n${hidden}`,
    ),
  ),
  ours(
    smuggled(
      'a folded Transfer-Encoding',
      'contract 3',
      ['Content-Length: 5', 'Transfer-Encoding:', ' chunked'],
      `0\r\n\r\n${hidden}`,
    ),
  ),
  ours(
    smuggled(
      'a folded Content-Length',
      'contract 3',
      ['Content-Length:', ` ${hidden.length}`],
      hidden,
    ),
  ),
  ours(
    smuggled(
      'a space within the name Content-Length',
      'contract 3',
      ['Content Length: 5', ...CHUNKED],
      `0\r\n\r\n${hidden}`,
    ),
  ),
  smuggled(
    'Transfer-Encoding: x and a length',
    'RFC 9112 6.1',
    ['Content-Length: 5', 'Transfer-Encoding: x'],
    `0\r\n\r\n${hidden}`,
  ),
  smuggled(
    'a head that ends with CR LF CR X',
    'RFC 9112 2.2',
    ['Content-Length: 5', '\rX: 1'],
    `0\r\n\r\n${hidden}`,
  ),
  {
    name: 'a body that looks like a request is a body',
    rule: 'RFC 9112 6.3',
    send: all(post([`Content-Length: ${hidden.length}`], hidden), get()),
    answers: ['framed', 'ok'],
    then: 'open',
  },
  {
    name: 'a chunk that looks like a request is a chunk',
    rule: 'RFC 9112 7.1',
    send: all(post(CHUNKED, chunks(hidden)), get()),
    answers: ['framed', 'ok'],
    then: 'open',
  },
];

export default [...lengths, ...chunkFrames, ...codings, ...smuggling];
