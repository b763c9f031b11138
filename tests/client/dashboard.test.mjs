// What the dashboard decides without a page: lines of the chart, order of rows, where numbers come from.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Clock, settle } from './harness/clock.mjs';
import { load } from './harness/sdk.mjs';

const { addSample, RANGES, rangeOf, seriesOf, summaryOf, topOf } = await load('modules/dashboard/series.js');
const { duration } = await load('modules/dashboard/format.js');
const { mergeRows, nextOrder, sortRows } = await load('modules/dashboard/rows.js');
const { createLive } = await load('modules/dashboard/live.js');
const { ApiError } = await load('modules/dashboard/api.js');

// ---- series ---------------------------------------------------------------------------------

const MINUTE = 60_000;
const T = 1_790_000_040_000; // a whole minute
const point = (minute, count) => [T + minute * MINUTE, count - 1, count, count + 1, count + 0.5];
const sample = (ms, count, ema = count) => ({ timestamp: T + ms, count, ema });
const seconds = ({ x }) => x.map((it) => Math.round((it - T / 1000) * 1000) / 1000);

test('series: points stand in the middle of their step, each with its four numbers', () => {
  const series = seriesOf({ step: MINUTE, points: [point(0, 5), point(1, 7)] }, [], T, 0);
  assert.deepEqual(seconds(series), [30, 90]);
  assert.deepEqual(series.min, [4, 6]);
  assert.deepEqual(series.mean, [5, 7]);
  assert.deepEqual(series.max, [6, 8]);
  assert.deepEqual(series.ema, [5.5, 7.5]);
});

test('series: a point that is missing is a gap, also when many are', () => {
  const series = seriesOf({ step: MINUTE, points: [point(0, 5), point(3, 7)] }, [], T, 0);
  assert.deepEqual(seconds(series), [30, 90, 210]);
  for (const column of ['min', 'mean', 'max', 'ema']) assert.equal(series[column][1], null, column);
});

test('series: what is older than the chart is left out, but for a point that reaches into it', () => {
  const history = { step: MINUTE, points: [point(0, 1), point(1, 2), point(2, 3)] };
  assert.deepEqual(seriesOf(history, [], T + 1.5 * MINUTE, 0).mean, [2, 3]);
});

test('series: samples follow where the points end, and a count holds until the next', () => {
  const history = { step: MINUTE, points: [point(0, 5)] };
  const samples = [sample(10_000, 5), sample(70_000, 6), sample(90_000, 9)];
  const series = seriesOf(history, samples, T, T + 100_000);
  // 60: the sample before the end holds until then; 69.999 and 89.999: a jump is a step.
  assert.deepEqual(seconds(series), [30, 69.999, 70, 89.999, 90, 100]);
  assert.deepEqual(series.mean, [5, 5, 6, 6, 9, 9]);
  assert.deepEqual(series.min.slice(1), series.max.slice(1));
});

test('series: times rise, whatever the clocks did', () => {
  const history = { step: MINUTE, points: [point(0, 5), point(1, 6)] };
  const samples = [sample(0, 1), sample(119_999, 2), sample(120_000, 3), sample(120_001, 4)];
  for (const now of [0, T, T + 120_000, T + 500_000]) {
    const { x } = seriesOf(history, samples, T, now);
    assert.ok(x.every((it, i) => i === 0 || it > x[i - 1]), JSON.stringify(x));
  }
});

test('series: without a history the samples are all there is, and without both nothing', () => {
  assert.deepEqual(seriesOf(undefined, [sample(0, 3)], T, T + 1000).mean, [3, 3]);
  assert.deepEqual(seriesOf(undefined, [], T, T + 1000).x, []);
});

test('series: an offline chart does not go on', () => {
  assert.deepEqual(seconds(seriesOf(undefined, [sample(0, 3)], T, 0)), [0]);
});

test('samples: the newest of a moment, none from the past, at most an hour of them', () => {
  const samples = [];
  addSample(samples, sample(5000, 1));
  addSample(samples, sample(5000, 2));
  addSample(samples, sample(4000, 3));
  assert.deepEqual(samples, [sample(5000, 2)]);
  for (let i = 0; i < 4000; i++) addSample(samples, sample(6000 + i * 1000, i));
  assert.equal(samples.length, 3600);
  assert.equal(samples.at(-1).count, 3999);
});

test('ranges: an answer is small, and anything unknown is an hour', () => {
  for (const { name, span, step } of RANGES) assert.ok(span / step <= 168, name);
  assert.equal(rangeOf('week').span, 7 * 24 * 60 * MINUTE);
  for (const name of [null, '', 'year', '__proto__']) assert.equal(rangeOf(name).name, 'hour');
});

test('summary: a chart in a sentence', () => {
  const hour = rangeOf('hour');
  const of = (counts) =>
    summaryOf(seriesOf({ step: MINUTE, points: counts.map((n, i) => point(i, n)) }, [], T, 0), hour);
  assert.equal(of([]), 'Chart of the last hour: nothing is known yet.');
  assert.equal(of([5, 9]), 'Chart of the last hour: between 4 and 10.');
  assert.equal(
    summaryOf(seriesOf(undefined, [sample(0, 3)], T, 0), hour),
    'Chart of the last hour: 3 all the time.',
  );
});

for (const [max, top] of [
  [NaN, 5],
  [null, 5],
  [0, 5],
  [4, 5],
  [5, 10],
  [9, 10],
  [10, 12],
  [100, 120],
  [209, 250],
  [999, 1200],
  [123_456, 150_000],
])
  test(`scale: ${max} fits under ${top}`, () => assert.equal(topOf(max), top));

for (const [s, text] of [
  [0, '0 s'],
  [59.9, '59 s'],
  [61, '1 min 1 s'],
  [3600, '1 h'],
  [3660, '1 h 1 min'],
  [90_061, '1 d 1 h'],
  [-5, '0 s'],
])
  test(`duration: ${s} s is ${text}`, () => assert.equal(duration(s), text));

// ---- rows -----------------------------------------------------------------------------------

const ROWS = [
  { customerId: 'shop-10', count: 2, ema: 5 },
  { customerId: 'shop-2', count: 2, ema: 1 },
  { customerId: 'acme', count: 9, ema: 9 },
];
const idsBy = (key, descending) => sortRows(ROWS, { key, descending }).map((it) => it.customerId);

test('rows: by each column, both ways, equal ones by id', () => {
  assert.deepEqual(idsBy('count', true), ['acme', 'shop-2', 'shop-10']);
  assert.deepEqual(idsBy('count', false), ['shop-2', 'shop-10', 'acme']);
  assert.deepEqual(idsBy('customerId', false), ['acme', 'shop-2', 'shop-10']);
  assert.deepEqual(idsBy('customerId', true), ['shop-10', 'shop-2', 'acme']);
  assert.deepEqual(idsBy('ema', true), ['acme', 'shop-10', 'shop-2']);
  assert.deepEqual(idsBy('trend', true), ['shop-2', 'acme', 'shop-10']);
  assert.equal(ROWS[0].customerId, 'shop-10', 'what is sorted is a copy');
});

test('rows: a heading begins with the largest number or with A, and turns round', () => {
  const first = nextOrder({ key: 'count', descending: true }, 'customerId');
  assert.deepEqual(first, { key: 'customerId', descending: false });
  assert.deepEqual(nextOrder(first, 'customerId'), { key: 'customerId', descending: true });
  assert.deepEqual(nextOrder(first, 'ema'), { key: 'ema', descending: true });
});

test('rows: one that two pages have is there once, as the newer says', () => {
  const merged = mergeRows(ROWS, [{ customerId: 'acme', count: 1, ema: 1 }]);
  assert.equal(merged.length, 3);
  assert.equal(merged.find((it) => it.customerId === 'acme').count, 1);
});

// ---- where the numbers come from ---------------------------------------------------------------

/** A browser's EventSource in the hands of a test, timers that stand, and a daemon that answers. */
function begin() {
  const clock = new Clock();
  const streams = [];
  class EventSource {
    readyState = 0;
    constructor(url) {
      this.url = url;
      streams.push(this);
    }
    close() {
      this.readyState = 2;
    }
    say(data) {
      this.readyState = 1;
      this.onmessage({ data: typeof data === 'string' ? data : JSON.stringify(data) });
    }
    fail(readyState) {
      this.readyState = readyState;
      this.onerror();
    }
  }
  const scope = {
    EventSource,
    setTimeout: (run, ms) => clock.set('live', run, ms),
    clearTimeout: (id) => clock.clear(id),
  };
  const it = { clock, streams, counts: [], links: [], asked: 0, daemon: async () => sample(0, 7) };
  const poll = () => ((it.asked += 1), it.daemon());
  it.live = createLive(scope, 'metrics/stream?customerId=a', poll, {
    metrics: ({ count }) => it.counts.push(count),
    link: (link, why) => it.links.at(-1) !== link && (it.links.push(link), (it.why = why)),
  });
  it.live.open();
  return it;
}

const NO_ANSWER = () => Promise.reject(new ApiError('no answer'));

test('live: the stream alone, while it speaks', async () => {
  const it = begin();
  it.streams[0].say(sample(0, 3));
  await it.clock.advance(30_000);
  it.streams[0].say(sample(1, 4));
  assert.deepEqual([it.counts, it.links, it.asked], [[3, 4], ['connecting', 'live'], 0]);
});

test('live: what is no number is nothing', async () => {
  const it = begin();
  for (const text of ['', '{', 'null', '[]', '{"count":"3","timestamp":1}']) it.streams[0].say(text);
  assert.deepEqual([it.counts, it.links], [[], ['connecting']]);
});

test('live: a stream that does not open in 3 s: asks every 5 s until it does', async () => {
  const it = begin();
  await it.clock.advance(2999);
  assert.equal(it.asked, 0);
  await it.clock.advance(10_001);
  assert.deepEqual([it.asked, it.links.at(-1)], [3, 'polling']);
  assert.equal(it.streams.length, 1, 'the browser goes on trying the same one');
  it.streams[0].say(sample(2, 8));
  await it.clock.advance(20_000);
  assert.deepEqual([it.asked, it.links.at(-1)], [3, 'live']);
});

test('live: a stream that is silent is looked after', async () => {
  const it = begin();
  it.streams[0].say(sample(0, 3));
  await it.clock.advance(45_000);
  assert.deepEqual([it.asked, it.links.at(-1)], [1, 'live'], 'it is alive');
  it.daemon = NO_ANSWER;
  await it.clock.advance(45_000);
  assert.deepEqual([it.links.at(-1), it.why], ['offline', 'no answer']);
  assert.equal(it.streams[0].readyState, 2, 'it leads nowhere');
});

test('live: a daemon that goes is offline at once, and live again with its first word', async () => {
  const it = begin();
  it.streams[0].say(sample(0, 3));
  it.daemon = NO_ANSWER;
  it.streams[0].fail(0);
  await it.clock.advance(0);
  assert.equal(it.links.at(-1), 'offline');
  await it.clock.advance(20_000);
  assert.equal(it.asked, 5, 'it is asked every 5 s');
  it.streams[0].say(sample(9, 1));
  assert.deepEqual([it.links.at(-1), it.counts.at(-1)], ['live', 1]);
});

test('live: a browser that gave up gets another stream when the daemon answers', async () => {
  const it = begin();
  it.daemon = NO_ANSWER;
  it.streams[0].fail(2);
  await it.clock.advance(11_000);
  assert.deepEqual([it.streams.length, it.links.at(-1)], [1, 'offline']);
  it.daemon = async () => sample(0, 7);
  await it.clock.advance(5000);
  assert.deepEqual([it.streams.length, it.links.at(-1)], [2, 'polling']);
});

test('live: a daemon without streams is asked for one ever more rarely', async () => {
  const it = begin();
  const opened = [];
  for (let s = 0; s < 1800; s++) {
    const stream = it.streams.at(-1);
    if (stream.readyState === 0) {
      stream.fail(2);
      opened.push(s);
    }
    await it.clock.advance(1000);
  }
  assert.ok(opened.length >= 6 && opened.length <= 9, `${opened}`);
  assert.deepEqual([it.links.at(-1), it.counts.at(-1)], ['polling', 7]);
});

test('live: a refusal says why and waits as it is asked to', async () => {
  const it = begin();
  it.daemon = () => Promise.reject(new ApiError('Rate limit exceeded', 429, 45_000));
  await it.clock.advance(3000);
  assert.deepEqual([it.links.at(-1), it.why, it.asked], ['refused', 'Rate limit exceeded', 1]);
  await it.clock.advance(44_999);
  assert.equal(it.asked, 1);
  await it.clock.advance(1);
  assert.equal(it.asked, 2);
});

test('live: an answer that will not change is not asked for again and again', async () => {
  const it = begin();
  it.daemon = () => Promise.reject(new ApiError('customerId must be', 400));
  await it.clock.advance(3000 + 59_999);
  assert.deepEqual([it.links.at(-1), it.asked], ['refused', 1]);
  await it.clock.advance(1);
  assert.equal(it.asked, 2);
});

test('live: hidden it gives its stream back and asks rarely; shown it is live again', async () => {
  const it = begin();
  it.streams[0].say(sample(0, 3));
  it.live.setHidden(true);
  assert.equal(it.streams[0].readyState, 2);
  await it.clock.advance(60_000);
  assert.deepEqual([it.asked, it.streams.length], [2, 1]);
  it.live.setHidden(false);
  await it.clock.advance(0);
  assert.deepEqual([it.asked, it.streams.length], [3, 2]);
  it.streams[1].say(sample(5, 9));
  assert.deepEqual([it.links.at(-1), it.counts.at(-1)], ['live', 9]);
});

test('live: an answer that comes too late for the last question is none', async () => {
  const it = begin();
  let answer;
  it.daemon = () => new Promise((resolve) => (answer = resolve));
  await it.clock.advance(3000);
  const late = answer;
  await it.clock.advance(45_000);
  late(sample(0, 1));
  answer(sample(1, 2));
  await settle();
  assert.deepEqual(it.counts, [2]);
});

test('live: closed it leaves no timer and no stream', async () => {
  const it = begin();
  it.streams[0].fail(2);
  it.live.close();
  assert.equal(it.clock.count('live'), 0);
  await it.clock.advance(600_000);
  assert.deepEqual([it.streams.length, it.counts], [1, []]);
});
