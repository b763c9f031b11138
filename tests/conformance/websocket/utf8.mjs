// Text is UTF-8 (RFC 6455, 8.1, and RFC 3629), however it is cut.
import { fragments, more, text } from './frames.mjs';

const GOOD = {
  ASCII: '61 7a 00 7f',
  'the first of two bytes': 'c2 80',
  'the last of two bytes': 'df bf',
  'the first of three bytes': 'e0 a0 80',
  'the last before the surrogates': 'ed 9f bf',
  'the first behind the surrogates': 'ee 80 80',
  'the replacement character': 'ef bf bd',
  'the last of three bytes': 'ef bf bf',
  'a noncharacter of the middle': 'ef b7 90',
  'a byte order mark': 'ef bb bf 61',
  'the first of four bytes': 'f0 90 80 80',
  'an emoji': 'f0 9f 98 80',
  'the last there is': 'f4 8f bf bf',
  Greek: 'ce ba cf 8c cf 83 ce bc ce b5',
};

const BAD = {
  'a continuation alone': '80',
  'the last continuation alone': 'bf',
  'two continuations': '80 bf',
  'a lead of two alone': 'c2',
  'a lead of two before ASCII': 'c2 41',
  'a lead of three with one continuation': 'e2 82',
  'a lead of three before ASCII': 'e2 82 41',
  'a lead of four with two continuations': 'f0 9f 98',
  'a lead of four before ASCII': 'f0 9f 98 41',
  'an overlong slash in two': 'c0 af',
  'an overlong NUL in two': 'c0 80',
  'the largest overlong of two': 'c1 bf',
  'an overlong slash in three': 'e0 80 af',
  'the largest overlong of three': 'e0 9f bf',
  'an overlong slash in four': 'f0 80 80 af',
  'the largest overlong of four': 'f0 8f bf bf',
  'the first surrogate': 'ed a0 80',
  'the last surrogate': 'ed bf bf',
  'a pair of surrogates': 'ed a0 80 ed b0 80',
  'the first beyond the last': 'f4 90 80 80',
  'a lead of f5': 'f5 80 80 80',
  'five bytes': 'f8 88 80 80 80',
  'six bytes': 'fc 84 80 80 80 80',
  fe: 'fe',
  ff: 'ff',
  'a bad byte behind good text': '61 62 63 ff',
  'a bad byte before good text': 'ff 61 62 63',
};

const bytesOf = (hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const rule = 'RFC 6455 8.1';
/** Within a JSON string, so that only the bytes are in question. */
const quoted = (bytes) => Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')]);

const EURO = quoted(bytesOf('e2 82 ac f0 9f 98 80'));

export default [
  ...Object.entries(GOOD).map(([what, hex]) => ({
    name: `text with ${what}`,
    rule,
    send: [text(quoted(bytesOf(hex)))],
    open: {},
  })),
  ...Array.from({ length: EURO.length - 1 }, (_, i) => ({
    name: `characters of three and four bytes cut into fragments behind byte ${i + 1}`,
    rule,
    send: fragments(EURO, [i + 1]),
    open: {},
  })),
  {
    name: 'characters in fragments of one byte',
    rule,
    send: fragments(EURO, Array(EURO.length - 1).fill(1)),
    open: {},
  },
  { name: 'characters in segments of one byte', rule, send: [text(EURO)], pieces: 1, open: {} },
  ...Object.entries(BAD).map(([what, hex]) => ({
    name: `text with ${what}`,
    rule,
    send: [text(bytesOf(hex))],
    closes: 1007,
  })),
  ...['e2 82', 'f0 9f 98', 'ed a0 80', 'c0 af'].map((hex) => ({
    name: `${hex} across fragments`,
    rule,
    send: [text(bytesOf(hex).subarray(0, 1), { fin: false }), more(bytesOf(hex).subarray(1))],
    closes: 1007,
  })),
  {
    name: 'a character that the last fragment leaves open',
    rule,
    send: [text('a', { fin: false }), more(bytesOf('e2 82'))],
    closes: 1007,
  },
  {
    name: 'a character that an empty last fragment leaves open',
    rule,
    send: [text(bytesOf('e2'), { fin: false }), more('')],
    closes: 1007,
  },
  {
    name: 'bad text byte by byte',
    rule,
    send: [text(bytesOf('61 ed a0 80'))],
    pieces: 1,
    closes: 1007,
  },
  {
    name: 'bad text behind good text',
    rule,
    send: [text('{}'), text(bytesOf('ff'))],
    closes: 1007,
  },
];
