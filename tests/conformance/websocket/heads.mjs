// The first bytes of a frame: opcodes, reserved bits, masks and lengths (RFC 6455, 5).
import { ours } from '../verdicts.mjs';
import { binary, close, frame, more, OP, ping, pong, text } from './frames.mjs';

const NAMES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };
const open = (name, rule, send, expect = {}) => ({ name, rule, send, open: expect });
const failed = (name, rule, send, closes = 1002) => ({ name, rule, send, closes });

const reservedBits = [1, 2, 3, 4, 5, 6, 7].flatMap((rsv) =>
  Object.keys(NAMES)
    .map(Number)
    .map((opcode) =>
      failed(`reserved bits ${rsv} in a ${NAMES[opcode]} frame`, 'RFC 6455 5.2', [
        ...(opcode === 0 ? [text('a', { fin: false })] : []),
        frame(opcode, opcode === 8 ? Buffer.from([3, 232]) : 'x', { rsv }),
      ]),
    ),
);

const reservedOpcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
  failed(`reserved opcode ${opcode}`, 'RFC 6455 5.2', [frame(opcode, 'x')]),
  failed(`reserved opcode ${opcode} without a payload`, 'RFC 6455 5.2', [frame(opcode)]),
  failed(`reserved opcode ${opcode} between fragments`, 'RFC 6455 5.2', [
    text('a', { fin: false }),
    frame(opcode, 'x', { fin: opcode >= 8 }),
  ]),
]);

const unmasked = { mask: null };
const masks = [
  failed('text without a mask', 'RFC 6455 5.1', [text('{}', unmasked)]),
  failed('binary without a mask', 'RFC 6455 5.1', [binary('x', unmasked)]),
  failed('a ping without a mask', 'RFC 6455 5.1', [ping('x', unmasked)]),
  failed('an empty ping without a mask', 'RFC 6455 5.1', [ping('', unmasked)]),
  failed('a pong without a mask', 'RFC 6455 5.1', [pong('x', unmasked)]),
  failed('a close without a mask', 'RFC 6455 5.1', [close(1000, '', unmasked)]),
  failed('a first fragment without a mask', 'RFC 6455 5.1', [
    text('a', { ...unmasked, fin: false }),
  ]),
  failed('a continuation without a mask', 'RFC 6455 5.1', [
    text('a', { fin: false }),
    more('b', unmasked),
  ]),
  failed('no mask behind masked frames', 'RFC 6455 5.1', [
    ping('1'),
    ping('2'),
    text('{}', unmasked),
  ]),
  failed('a long text without a mask', 'RFC 6455 5.1', [text('x'.repeat(300), unmasked)]),
  open('a mask of zeros', 'RFC 6455 5.3', [ping('zeros', { mask: Buffer.alloc(4) })], {
    pongs: ['zeros'],
  }),
  open('a mask of ones', 'RFC 6455 5.3', [ping('ones', { mask: Buffer.alloc(4, 255) })], {
    pongs: ['ones'],
  }),
  open(
    'a mask that makes plain bytes look like frames',
    'RFC 6455 5.3',
    [ping('mask', { mask: Buffer.from('mask') })],
    { pongs: ['mask'] },
  ),
  open(
    'another mask for each frame',
    'RFC 6455 5.3',
    [
      text('{}', { mask: Buffer.from([1, 2, 3, 4]) }),
      text('{}', { mask: Buffer.from([5, 6, 7, 8]) }),
      ping('last', { mask: Buffer.from([9, 10, 11, 12]) }),
    ],
    { pongs: ['last'] },
  ),
];

/** A JSON text of so many bytes, which any server may find wrong but none malformed. */
const filled = (bytes) => (bytes < 2 ? '1'.repeat(bytes) : `"${'x'.repeat(bytes - 2)}"`);

const lengths = [
  ...[0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 511, 512, 513, 1023, 1024, 4095, 4096].map(
    (bytes) => open(`text of ${bytes} bytes`, 'RFC 6455 5.2', [text(filled(bytes))]),
  ),
  ...[0, 1, 2, 3, 4, 5, 64, 124, 125].map((bytes) =>
    open(`a ping of ${bytes} bytes`, 'RFC 6455 5.5.2', [ping('p'.repeat(bytes))], {
      pongs: ['p'.repeat(bytes)],
    }),
  ),
  ...[0, 1, 124, 125].map((bytes) =>
    open(`a pong of ${bytes} bytes`, 'RFC 6455 5.5.3', [pong('p'.repeat(bytes))]),
  ),
  ...[0, 1, 5, 125].map((bytes) =>
    failed(`${bytes} bytes announced in 16 bits`, 'RFC 6455 5.2', [
      text(filled(bytes), { form: 16 }),
    ]),
  ),
  ...[0, 1, 125, 126, 4096].map((bytes) =>
    failed(`${bytes} bytes announced in 64 bits`, 'RFC 6455 5.2', [
      text(filled(bytes), { form: 64 }),
    ]),
  ),
  failed('a fragment of 3 bytes announced in 16 bits', 'RFC 6455 5.2', [
    text('a', { fin: false }),
    more('abc', { form: 16 }),
  ]),
  ...[126, 127, 200, 65535].map((bytes) =>
    failed(`a ping that announces ${bytes} bytes`, 'RFC 6455 5.5', [
      ping('x', { announce: bytes }),
    ]),
  ),
  failed('a ping that announces 65536 bytes', 'RFC 6455 5.5', [ping('x', { announce: 65536 })]),
  failed('a ping of 5 bytes announced in 16 bits', 'RFC 6455 5.5', [ping('12345', { form: 16 })]),
  failed('a pong of 126 bytes', 'RFC 6455 5.5', [pong('x'.repeat(126))]),
  failed('a close of 126 bytes', 'RFC 6455 5.5', [close(1000, 'x'.repeat(124))]),
  failed('a length with its highest bit set', 'RFC 6455 5.2', [text('', { announce: 1n << 63n })]),
  failed('a length of all ones', 'RFC 6455 5.2', [text('', { announce: (1n << 64n) - 1n })]),
  ...[4097, 5000, 65535, 65536, 1 << 20, 1n << 31n, 1n << 32n, (1n << 63n) - 1n].map((bytes) =>
    ours(
      failed(
        `${bytes} bytes are announced, none comes`,
        'contract 4',
        [text('', { announce: bytes })],
        1009,
      ),
    ),
  ),
  ours(
    failed(
      '4097 bytes are announced, not even the mask comes',
      'contract 4',
      [text('', { announce: 4097 }).subarray(0, 4)],
      1009,
    ),
  ),
  ours(failed('4097 bytes, all of them there', 'contract 4', [text(filled(4097))], 1009)),
  ours(failed('100,000 bytes, all of them there', 'contract 4', [text(filled(100_000))], 1009)),
];

const binaries = [
  ours(failed('binary', 'contract 4', [binary('x')], 1003)),
  ours(failed('an empty binary', 'contract 4', [binary('')], 1003)),
  ours(failed('a first fragment of binary', 'contract 4', [binary('x', { fin: false })], 1003)),
  ours(
    failed(
      'binary that announces too much',
      'contract 4',
      [binary('', { announce: 100_000 })],
      1003,
    ),
  ),
];

export default [...reservedBits, ...reservedOpcodes, ...masks, ...lengths, ...binaries];
