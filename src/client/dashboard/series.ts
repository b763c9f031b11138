// From the history and the numbers that came since to the lines of a chart. Knows no page.
import type { History, Metrics, Point } from './answers.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export interface Range {
  name: string;
  /** Milliseconds that the chart shows, up to now. */
  span: number;
  /** Milliseconds of a point of the history. */
  step: number;
  words: string;
}

/** 144 to 168 points at most, so that an answer stays small. */
export const RANGES: Range[] = [
  { name: '5min', span: 5 * MINUTE, step: MINUTE, words: 'last 5 minutes' },
  { name: 'hour', span: HOUR, step: MINUTE, words: 'last hour' },
  { name: 'day', span: 24 * HOUR, step: 10 * MINUTE, words: 'last 24 hours' },
  { name: 'week', span: 7 * 24 * HOUR, step: HOUR, words: 'last 7 days' },
];
export const rangeOf = (name: string | null): Range =>
  RANGES.find((it) => it.name === name) ?? (RANGES[1] as Range);

/** Numbers that came after the last point. A count holds until the next one. */
export type Sample = Pick<Metrics, 'timestamp' | 'count' | 'ema'>;

/** What a chart draws: a column each, of the same length; x in seconds. null: nothing is known. */
export interface Series {
  x: number[];
  mean: (number | null)[];
  ema: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
}

/** More than an hour of them never comes: one a second. */
const SAMPLES_MAX = 3600;
/** A jump is drawn as a step, not as a slope since the sample before. */
const STEP_S = 0.001;

/** Adds a sample and drops those that nobody will draw. Returns the same array. */
export function addSample(samples: Sample[], sample: Sample): Sample[] {
  const last = samples.at(-1);
  if (last && sample.timestamp < last.timestamp) return samples;
  if (last && sample.timestamp === last.timestamp) samples.pop();
  samples.push(sample);
  if (samples.length > SAMPLES_MAX) samples.splice(0, samples.length - SAMPLES_MAX);
  return samples;
}

const endOf = (points: Point[], step: number) => {
  const last = points.at(-1);
  return last ? last[0] + step : 0;
};

type Values = [min: number, mean: number, max: number, ema: number];

function append(to: Series, x: number, values?: Values) {
  const [min = null, mean = null, max = null, ema = null] = values ?? [];
  to.x.push(x);
  to.min.push(min);
  to.mean.push(mean);
  to.max.push(max);
  to.ema.push(ema);
}

/**
 * Points stand in the middle of their step; one that is missing leaves a gap. Samples follow from the
 * end of the last point on. nowMs: where the last one ends, by the daemon's clock; 0: it is not known
 * to hold until now.
 */
export function seriesOf(
  history: Pick<History, 'points' | 'step'> | undefined,
  samples: Sample[],
  fromMs: number,
  nowMs: number,
): Series {
  const series: Series = { x: [], mean: [], ema: [], min: [], max: [] };
  const { points = [], step = MINUTE } = history ?? {};
  let before: number | undefined;
  for (const [timestamp, ...values] of points) {
    if (timestamp + step <= fromMs) continue;
    if (before !== undefined && timestamp - before > step)
      append(series, (before + step * 1.5) / 1000);
    append(series, (timestamp + step / 2) / 1000, values);
    before = timestamp;
  }
  const end = Math.max(endOf(points, step), fromMs);
  const add = (x: number, { count, ema }: Sample) => append(series, x, [count, count, count, ema]);
  let last: Sample | undefined;
  for (const sample of samples) {
    const at = sample.timestamp / 1000;
    if (sample.timestamp >= end) {
      const edge = Math.max(at - STEP_S, end / 1000);
      if (last && last.count !== sample.count && edge > (series.x.at(-1) ?? 0)) add(edge, last);
      if (at > (series.x.at(-1) ?? 0)) add(at, sample);
    }
    last = sample;
  }
  if (last && nowMs / 1000 > (series.x.at(-1) ?? 0)) add(nowMs / 1000, last);
  return series;
}

/** The chart in a sentence, for those who do not see it. */
export function summaryOf(series: Series, { words }: Range): string {
  const known = (values: (number | null)[]) => values.filter((it) => it !== null);
  const [low, high] = [known(series.min), known(series.max)];
  if (high.length === 0) return `Chart of the ${words}: nothing is known yet.`;
  const [least, most] = [Math.min(...low), Math.max(...high)];
  return least === most
    ? `Chart of the ${words}: ${most} all the time.`
    : `Chart of the ${words}: between ${least} and ${most}.`;
}

const TOPS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12];

/** The top of the scale: people are whole, and a flat line does not lie on the frame. */
export function topOf(max: number): number {
  if (!(max > 9)) return max > 4 ? 10 : 5;
  const unit = 10 ** Math.floor(Math.log10(max));
  const wanted = max * 1.1;
  return TOPS.map((it) => it * unit).find((it) => it >= wanted) as number;
}
