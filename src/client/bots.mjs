// Turns the list of known bots into the C table that src/server/transports/access/bots.c looks in.
// Programs that only fetch (curl, an app's HTTP library) are left out: they may speak for people.

/** Sorts of the list that say nothing of who sits behind. */
const NOT_BOTS = ['http-library'];
/** Patterns that browsers of people match, too. */
const PEOPLE = [
  'AP3A\\.240617\\.008', // a build of Android 15
  'Code\\/1\\.', // an editor with a browser in it
  'Notion\\/', // an app that shows pages
  'ds9', // in names of devices
];
/** Bots that the list does not know yet: who names a page about itself is one. */
const OWN = ['\\+https?:\\/\\/'];

const BEGIN = '\x02';
const END = '\x03';
/** Any bytes. */
const WILD = '\0';

const times = (heads, tails) => heads.flatMap((head) => tails.map((tail) => head + tail));

/** The texts that a pattern stands for: a small part of regular expressions, and an error for the rest. */
export function expand(pattern) {
  let at = 0;
  const escaped = () => {
    const c = pattern[at++];
    if (/[dswDSW]/.test(c)) return WILD;
    if (/[A-Za-z0-9]/.test(c)) throw new Error(`\\${c} in ${pattern}`);
    return c;
  };
  const setOf = () => {
    const chars = [];
    const negated = pattern[at] === '^';
    while (pattern[at] !== ']') {
      const c = pattern[at++];
      chars.push(c === '\\' ? escaped() : c);
      if (at >= pattern.length) throw new Error(`[ in ${pattern}`);
    }
    at++;
    return negated || chars.includes(WILD) || chars.includes('-') ? [WILD] : chars;
  };
  const atom = () => {
    const c = pattern[at++];
    if (c === '\\') return [escaped()];
    if (c === '[') return setOf();
    if (c === '.') return [WILD];
    if (c === '^') return [BEGIN];
    if (c === '$') return [END];
    if (c !== '(') return [c];
    if (pattern.startsWith('?:', at)) at += 2;
    else if (pattern[at] === '?') throw new Error(`(? in ${pattern}`);
    const inner = either();
    if (pattern[at++] !== ')') throw new Error(`( in ${pattern}`);
    return inner;
  };
  const sequence = () => {
    let texts = [''];
    while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')') {
      let part = atom();
      const how = pattern[at];
      if (how === '{') throw new Error(`{ in ${pattern}`);
      if (how === '?' || how === '*' || how === '+') at++;
      if (how === '?') part = [...part, ''];
      if (how === '*') part = [WILD];
      if (how === '+') part = times(part, [WILD]);
      texts = times(texts, part);
    }
    return texts;
  };
  const either = () => {
    const texts = sequence();
    while (pattern[at] === '|') {
      at++;
      texts.push(...sequence());
    }
    return texts;
  };
  const texts = either();
  if (at < pattern.length) throw new Error(`) in ${pattern}`);
  return texts;
}

/** The longest part of a text that has no wild bytes: {text, begins, ends}. */
function needleOf(text) {
  const whole = text.split(WILD).reduce((a, b) => (b.length > a.length ? b : a));
  const needle = {
    text: whole.replace(BEGIN, '').replace(END, ''),
    begins: whole.startsWith(BEGIN),
    ends: whole.endsWith(END),
  };
  if (needle.text.length < 3 || needle.text.length > 255 || /[^ -~]/.test(needle.text))
    throw new Error(`no needle in ${JSON.stringify(text)}`);
  return needle;
}

/** list: entries of the package crawler-user-agents. */
export function needlesOf(list) {
  const patterns = list
    .filter(({ pattern, tags = [] }) => !PEOPLE.includes(pattern) && !tags.some((tag) => NOT_BOTS.includes(tag)))
    .map(({ pattern }) => pattern);
  const all = [...OWN, ...patterns].flatMap(expand).map(needleOf);
  const free = all.filter(({ begins, ends }) => !begins && !ends).map(({ text }) => text);
  const unique = new Map(all.map((needle) => [JSON.stringify(needle), needle]));
  return [...unique.values()].filter(
    ({ text, begins, ends }) =>
      !free.some((other) => text.includes(other) && (text !== other || begins || ends)),
  );
}

const BUCKETS = 4096;
/** As in bots.c. */
const bucketOf = (text) =>
  ((text.charCodeAt(0) << 7) ^ (text.charCodeAt(1) << 4) ^ text.charCodeAt(2)) % BUCKETS;

/** Needles by the bucket of their first three bytes. The same list gives the same text. */
export function botsSource(list) {
  const buckets = Array.from({ length: BUCKETS }, () => []);
  for (const needle of needlesOf(list)) buckets[bucketOf(needle.text)].push(needle);
  const needles = buckets.flat();
  let place = 0;
  const rows = needles.map(({ text, begins, ends }) => {
    const row = `{${place},${text.length},${(begins ? 1 : 0) + (ends ? 2 : 0)}}`;
    place += text.length;
    return row;
  });
  let first = 0;
  const firsts = buckets.map((bucket) => (first += bucket.length) - bucket.length);
  const lines = (items) => items.map((item, i) => item + ((i + 1) % 12 ? ',' : ',\n')).join('');
  return (
    `\n#include "transports/access/bots_table.h"\n\n` +
    `const char bots_text[] = {\n${needles.map(({ text }) => [...Buffer.from(text)].join()).join(',\n')}};\n` +
    `const bots_needle bots_needles[] = {\n${lines(rows)}};\n` +
    `const uint16_t bots_buckets[BOTS_BUCKETS + 1] = {\n${lines([...firsts, needles.length])}};\n`
  );
}
