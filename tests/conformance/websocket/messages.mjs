// Fragments, control frames between them, closing, and how bytes arrive (RFC 6455, 5.4 to 7).
import { ours } from '../verdicts.mjs';
import { binary, close, fragments, frame, more, OP, ping, pong, text } from './frames.mjs';

const open = (name, rule, send, expect = {}, rest = {}) => ({
  name,
  rule,
  send,
  open: expect,
  ...rest,
});
const closed = (name, rule, send, closes, rest = {}) => ({ name, rule, send, closes, ...rest });

const ASK = '{"type":"ping","timestamp":7}';
const ANSWER = /^\{"type":"pong","timestamp":7\}$/;

const fragmentation = [
  open('a message in two fragments', 'RFC 6455 5.4', fragments(ASK, [10])),
  open('a message in three fragments', 'RFC 6455 5.4', fragments(ASK, [5, 5])),
  open('a message byte by byte', 'RFC 6455 5.4', fragments(ASK, Array(ASK.length - 1).fill(1))),
  open('a first fragment without a byte', 'RFC 6455 5.4', fragments(ASK, [0])),
  open('a middle fragment without a byte', 'RFC 6455 5.4', fragments(ASK, [5, 0])),
  open('a last fragment without a byte', 'RFC 6455 5.4', fragments(ASK, [ASK.length])),
  open('nothing but fragments without a byte', 'RFC 6455 5.4', fragments('', [0, 0, 0])),
  open('two fragmented messages', 'RFC 6455 5.4', [...fragments(ASK, [3]), ...fragments(ASK, [4])]),
  open('a whole message behind a fragmented one', 'RFC 6455 5.4', [
    ...fragments(ASK, [3]),
    text(ASK),
  ]),
  open(
    'a ping between fragments is answered at once',
    'RFC 6455 5.4',
    [text(ASK.slice(0, 5), { fin: false }), ping('between')],
    { pongs: ['between'] },
  ),
  open(
    'pings between all fragments',
    'RFC 6455 5.4',
    [
      text(ASK.slice(0, 5), { fin: false }),
      ping('between'),
      more(ASK.slice(5, 9), { fin: false }),
      pong('unasked'),
      more(ASK.slice(9)),
    ],
    { pongs: ['between'] },
  ),
  closed(
    'a close between fragments',
    'RFC 6455 5.4',
    [text('{', { fin: false }), close(1000)],
    1000,
  ),
  closed('a continuation of nothing', 'RFC 6455 5.4', [more('x')], 1002),
  closed(
    'a continuation of nothing that goes on',
    'RFC 6455 5.4',
    [more('x', { fin: false })],
    1002,
  ),
  closed('an empty continuation of nothing', 'RFC 6455 5.4', [more('')], 1002),
  closed('a continuation behind a whole message', 'RFC 6455 5.4', [text(ASK), more('x')], 1002),
  closed(
    'a continuation behind the last fragment',
    'RFC 6455 5.4',
    [...fragments(ASK, [4]), more('x')],
    1002,
  ),
  closed('text within a message', 'RFC 6455 5.4', [text('{', { fin: false }), text('}')], 1002),
  closed(
    'a fragment of text within a message',
    'RFC 6455 5.4',
    [text('{', { fin: false }), text('}', { fin: false })],
    1002,
  ),
  closed('binary within a message', 'RFC 6455 5.4', [text('{', { fin: false }), binary('}')], 1002),
  closed(
    'text behind a ping within a message',
    'RFC 6455 5.4',
    [text('{', { fin: false }), ping('x'), text('}')],
    1002,
  ),
  ...[OP.close, OP.ping, OP.pong].flatMap((opcode) => [
    closed(
      `a fragment with opcode ${opcode}`,
      'RFC 6455 5.5',
      [frame(opcode, opcode === OP.close ? Buffer.from([3, 232]) : 'x', { fin: false })],
      1002,
    ),
    closed(
      `an empty fragment with opcode ${opcode}`,
      'RFC 6455 5.5',
      [frame(opcode, '', { fin: false })],
      1002,
    ),
  ]),
  ours(
    open(
      'fragments up to 4096 bytes',
      'contract 4',
      fragments(`"${'x'.repeat(4094)}"`, [1000, 1000, 2000]),
    ),
  ),
  ours(
    closed(
      'fragments of 4097 bytes',
      'contract 4',
      [text('x'.repeat(4000), { fin: false }), more('', { announce: 97 }).subarray(0, 2)],
      1009,
    ),
  ),
  ours(
    closed(
      'a fragment that announces too much with those before it',
      'contract 4',
      [text('xx', { fin: false }), more('', { announce: 4095 }).subarray(0, 4)],
      1009,
    ),
  ),
];

const control = [
  open('three pings in one segment', 'RFC 6455 5.5.2', [ping('a'), ping('b'), ping('c')], {
    pongs: ['a', 'b', 'c'],
  }),
  open(
    'a ping of all bytes',
    'RFC 6455 5.5.2',
    [ping(Buffer.from(Array.from({ length: 125 }, (_, i) => i * 2)))],
    {
      pongs: [Buffer.from(Array.from({ length: 125 }, (_, i) => i * 2))],
    },
  ),
  open('a ping that is no UTF-8', 'RFC 6455 5.5.2', [ping(Buffer.from([0xff, 0xfe, 0]))], {
    pongs: [Buffer.from([0xff, 0xfe, 0])],
  }),
  open(
    'a ping that looks like a frame',
    'RFC 6455 5.5.2',
    [ping(Buffer.from([0x88, 0x80, 0, 0]))],
    {
      pongs: [Buffer.from([0x88, 0x80, 0, 0])],
    },
  ),
  open('an unasked pong', 'RFC 6455 5.5.3', [pong('unasked')]),
  open('ten unasked pongs', 'RFC 6455 5.5.3', Array(10).fill(pong('unasked'))),
  open('an empty unasked pong', 'RFC 6455 5.5.3', [pong('')]),
  open('a ping behind a pong', 'RFC 6455 5.5.3', [pong('x'), ping('y')], { pongs: ['y'] }),
  ours(
    open(
      'a hundred pings are answered in their order',
      'RFC 6455 5.5.2',
      Array.from({ length: 100 }, (_, i) => ping(`${i}`)),
      {
        pongs: Array.from({ length: 100 }, (_, i) => `${i}`),
      },
    ),
  ),
];

const GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const LATER_CODES = [1012, 1013, 1014]; // registered behind the RFC
const BAD_CODES = [
  0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 65535,
];
const bytes = (...values) => Buffer.from(values);

const closing = [
  ...GOOD_CODES.map((code) =>
    closed(`a close with ${code}`, 'RFC 6455 7.4', [close(code)], code, { fair: [1000, 1005] }),
  ),
  ...LATER_CODES.map((code) =>
    closed(`a close with ${code}`, 'IANA registry', [close(code)], code, {
      fair: [1000, 1002, 1005],
    }),
  ),
  ...BAD_CODES.map((code) => closed(`a close with ${code}`, 'RFC 6455 7.4', [close(code)], 1002)),
  closed('a close without a payload', 'RFC 6455 5.5.1', [close()], 1005, { fair: [1000] }),
  closed('a close with one byte', 'RFC 6455 5.5.1', [frame(OP.close, bytes(3))], 1002),
  closed('a close with one byte of zero', 'RFC 6455 5.5.1', [frame(OP.close, bytes(0))], 1002),
  closed('a close with a reason', 'RFC 6455 5.5.1', [close(1000, 'going')], 1000, { fair: [1005] }),
  closed(
    'a close with the longest reason',
    'RFC 6455 5.5.1',
    [close(1000, 'x'.repeat(123))],
    1000,
    { fair: [1005] },
  ),
  closed('a close with a reason in UTF-8', 'RFC 6455 5.5.1', [close(1000, 'für €')], 1000, {
    fair: [1005],
  }),
  ...Object.entries({
    'a stray byte': bytes(0xff),
    'a character cut short': bytes(0xe2, 0x82),
    'an overlong form': bytes(0xc0, 0x80),
    'a surrogate': bytes(0xed, 0xa0, 0x80),
    'a character too large': bytes(0xf4, 0x90, 0x80, 0x80),
  }).map(([what, reason]) =>
    closed(`a close whose reason has ${what}`, 'RFC 6455 8.1', [close(1000, reason)], 1007, {
      fair: [1002],
    }),
  ),
  closed(
    'a ping behind a close is not answered',
    'RFC 6455 5.5.1',
    [close(1000), ping('behind')],
    1000,
    { fair: [1005] },
  ),
  closed('text behind a close is ignored', 'RFC 6455 5.5.1', [close(1000), text(ASK)], 1000, {
    fair: [1005],
  }),
  closed(
    'a fault behind a close is ignored',
    'RFC 6455 5.5.1',
    [close(1000), frame(3, 'x')],
    1000,
    { fair: [1005] },
  ),
  closed('two closes are answered once', 'RFC 6455 5.5.1', [close(1000), close(1001)], 1000, {
    fair: [1005],
  }),
  closed('a close behind a ping', 'RFC 6455 5.5.1', [ping('x'), close(1000)], 1000, {
    fair: [1005],
  }),
  closed('a close byte by byte', 'RFC 6455 5.5.1', [close(1000, 'bye')], 1000, {
    fair: [1005],
    pieces: 1,
  }),
  closed('a bad close byte by byte', 'RFC 6455 7.4', [close(999, 'bye')], 1002, { pieces: 1 }),
];

const delivery = [
  open('text byte by byte', 'RFC 6455 5', [text(ASK)], {}, { pieces: 1 }),
  open('a ping byte by byte', 'RFC 6455 5', [ping('slow')], { pongs: ['slow'] }, { pieces: 1 }),
  open('fragments byte by byte', 'RFC 6455 5', fragments(ASK, [4, 4]), {}, { pieces: 1 }),
  open('a long text byte by byte', 'RFC 6455 5', [text('x'.repeat(300))], {}, { pieces: 1 }),
  closed('a reserved opcode byte by byte', 'RFC 6455 5', [frame(5, 'x')], 1002, { pieces: 1 }),
  ...[2, 3, 5, 7, 11].map((size) =>
    open(
      `frames in pieces of ${size} bytes`,
      'RFC 6455 5',
      [text(ASK), ping('one'), text('x'.repeat(200)), ...fragments(ASK, [9])],
      { pongs: ['one'] },
      { pieces: size },
    ),
  ),
  open('fifty frames in one segment', 'RFC 6455 5', Array(50).fill(pong('x'))),
  open('4 KiB of small frames in one segment', 'RFC 6455 5', Array(500).fill(pong('x'))),
  ours(
    open('fifty messages in one segment', 'contract 4', Array(50).fill(text(ASK)), {
      texts: Array(50).fill(ANSWER),
    }),
  ),
  ours(
    open(
      'text in the segment of the handshake',
      'contract 4',
      [text(ASK)],
      { texts: [ANSWER] },
      { early: true },
    ),
  ),
  ours(
    open(
      'a ping in the segment of the handshake',
      'contract 4',
      [ping('early')],
      { pongs: ['early'] },
      { early: true },
    ),
  ),
  ours(
    open(
      'frames in the segment of the handshake',
      'contract 4',
      [ping('a'), text(ASK), ping('b')],
      {
        pongs: ['a', 'b'],
        texts: [ANSWER],
      },
      { early: true },
    ),
  ),
  ours(
    closed('a fault in the segment of the handshake', 'contract 4', [frame(3, 'x')], 1002, {
      early: true,
    }),
  ),
  ours(
    closed(
      'no mask in the segment of the handshake',
      'contract 4',
      [text(ASK, { mask: null })],
      1002,
      { early: true },
    ),
  ),
  ours(
    closed('a close in the segment of the handshake', 'contract 4', [close(1000)], 1000, {
      early: true,
    }),
  ),
  ours(
    closed(
      'more than 4 KiB in the segment of the handshake',
      'contract 4',
      Array(200).fill(text(ASK)),
      1008,
      { early: true },
    ),
  ),
  {
    name: 'the client ends its side without a close',
    rule: 'RFC 6455 7.1',
    send: [ping('x')],
    half: true,
    ends: true,
  },
  {
    name: 'the client ends its side in a head',
    rule: 'RFC 6455 7.1',
    send: [Buffer.of(0x81)],
    half: true,
    ends: true,
  },
  {
    name: 'the client ends its side in a payload',
    rule: 'RFC 6455 7.1',
    send: [text('abc', { announce: 9 })],
    half: true,
    ends: true,
  },
  {
    name: 'the client ends its side in a message',
    rule: 'RFC 6455 7.1',
    send: [text('a', { fin: false })],
    half: true,
    ends: true,
  },
  closed("a close and the end of the client's side", 'RFC 6455 7.1', [close(1000)], 1000, {
    fair: [1005],
    half: true,
  }),
  ours(closed('five errors', 'contract 4', Array(5).fill(text('nonsense')), 1008)),
  ours(
    open('four errors', 'contract 4', Array(4).fill(text('nonsense')), {
      texts: Array(4).fill(/^\{"type":"error","message":".+"\}$/),
    }),
  ),
];

export default [...fragmentation, ...control, ...closing, ...delivery];
