// The chart, by uPlot: the count with its lowest and highest, and the average.
import uPlot from 'uplot';

import { dayOf, decimal, number, timeOfDay, timeWithSeconds } from './format.js';
import { type Series, topOf } from './series.js';

const DAY_S = 86_400;
/** Seconds between two times of the axis, which has minutes. */
const TIMES_S = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880].map((minutes) => minutes * 60);
const COUNTS = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));
const HEIGHT = { narrow: 200, wide: 280, widthFrom: 640 };

export interface View extends Series {
  fromMs: number;
  toMs: number;
  /** Milliseconds of a point, which its time is told by. */
  step: number;
}

const EMPTY: View = { x: [], mean: [], ema: [], min: [], max: [], fromMs: 0, toMs: 1000, step: 1 };

/** readout: what is under the pointer, in words; '' when it is not there. */
export function createChart(place: HTMLElement, readout: (text: string) => void) {
  let view = EMPTY;
  let plot: uPlot | undefined;

  const data = (): uPlot.AlignedData => [view.x, view.max, view.min, view.mean, view.ema];

  const wordsOf = (at: number) => {
    const ms = (view.x[at] as number) * 1000;
    const [mean, ema, min, max] = [view.mean, view.ema, view.min, view.max].map((it) => it[at] ?? null);
    if (mean === null) return '';
    const when = view.step < 60_000 ? timeWithSeconds(ms) : timeOfDay(ms);
    const day = view.toMs - view.fromMs > DAY_S * 1000 ? dayOf(ms) + ', ' : '';
    const spread = min === max ? '' : ` (${number(min as number)} to ${number(max as number)})`;
    return `${day}${when}: ${decimal(mean as number)}${spread}, smoothed ${decimal(ema as number)}`;
  };

  function options(): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const font = `12px ${style.getPropertyValue('--font')}`;
    const axis = { stroke: color('--soft'), font, ticks: { show: false } };
    const width = Math.max(place.clientWidth, 200);
    return {
      width,
      height: width < HEIGHT.widthFrom ? HEIGHT.narrow : HEIGHT.wide,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      hooks: {
        setCursor: [({ cursor: { idx } }) => readout(idx == null ? '' : wordsOf(idx))],
      },
      scales: {
        x: { range: () => [view.fromMs / 1000, view.toMs / 1000] },
        y: { range: (_, _min, max) => [0, topOf(max)] },
      },
      axes: [
        {
          ...axis,
          space: 70,
          size: 26,
          incrs: TIMES_S,
          grid: { show: false },
          values: (_, splits, _axis, _space, incr) =>
            splits.map((s) => (incr >= DAY_S ? dayOf(s * 1000) : timeOfDay(s * 1000))),
        },
        {
          ...axis,
          space: 45,
          size: (_, values) => 12 + 8 * Math.max(1, ...(values ?? []).map((it) => it.length)),
          incrs: COUNTS,
          grid: { stroke: color('--line'), width: 1 },
          values: (_, splits) => splits.map(number),
        },
      ],
      series: [
        {},
        { width: 0, points: { show: false } },
        { width: 0, points: { show: false } },
        { stroke: color('--accent'), width: 2, fill: color('--area'), points: { show: false } },
        { stroke: color('--soft'), width: 1.5, dash: [5, 4], points: { show: false } },
      ],
      bands: [{ series: [1, 2], fill: color('--band') }],
    };
  }

  function draw() {
    plot?.destroy();
    plot = new uPlot(options(), data(), place);
  }

  draw();
  // Colours are in a canvas, which no style sheet reaches.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    draw();
  }).observe(place);

  return {
    set(next: View) {
      view = next;
      plot?.setData(data());
    },
  };
}
