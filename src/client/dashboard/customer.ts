// The page about one customer: its number, chart, peaks, pages.
import type { History, Metrics, Pages, Point } from './answers.js';
import { type ApiError, get, query } from './api.js';
import { createChart } from './chart.js';
import { $, createSpeaker, make, show, write } from './dom.js';
import { dayOf, decimal, number, people, timeOfDay, timeWithSeconds } from './format.js';
import { createLive, type Link } from './live.js';
import { addSample, RANGES, type Range, rangeOf, type Sample, seriesOf, summaryOf } from './series.js';

/** How often the history and what hangs on it is read anew: it has minutes. */
const REFRESH_MS = 60_000;
/** After a history that was not to be had. */
const RETRY_MS = 5000;
/** How often the chart moves on without a number. */
const MOVE_MS = 1000;

const isUp = (link: Link) => link === 'live' || link === 'polling';

/** onLink: how the page hears of the daemon, and why it does not. */
export function openCustomer(customerId: string, onLink: (link: Link, words: string) => void) {
  const metricsPath = 'metrics' + query({ customerId });
  const samples: Sample[] = [];
  const speak = createSpeaker('spoken');
  const chart = createChart($('chart'), (text) => write('readout', text));
  let range: Range = rangeOf(new URLSearchParams(location.search).get('range'));
  let history: History | undefined;
  let retry: number | undefined;
  let last: Metrics | undefined;
  let link: Link = 'connecting';
  let failure = '';
  let hasPages = true;
  /** Since the peaks were asked for. */
  let highest = 0;
  /** Milliseconds that the daemon's clock is ahead of ours. */
  let ahead = 0;
  const now = () => Date.now() + ahead;

  // ---- the number ---------------------------------------------------------------------------

  function showLink() {
    if (isUp(link)) {
      if (last?.stale) return onLink(link, 'Stale: the daemon counts without its Redis');
      return onLink(link, link === 'live' ? 'Live' : 'Asks every few seconds');
    }
    const since = last ? `, last number of ${timeWithSeconds(last.timestamp - ahead)}` : '';
    if (link === 'offline') return onLink(link, `Offline${since}`);
    if (link === 'refused') return onLink(link, `Refused: ${failure}`);
    onLink(link, 'Connecting');
  }

  /** None of them is below what was just there. */
  function showPeaks() {
    const atLeast = (value?: number) => (value === undefined ? '–' : number(Math.max(value, highest)));
    write('peak-today', atLeast(history?.peakToday));
    write('peak', atLeast(history?.peak));
    write('unique-today', atLeast(history?.uniqueToday));
    write('unique-week', atLeast(history?.unique7d));
  }

  function showMetrics(metrics: Metrics) {
    const { count, ema, timestamp } = metrics;
    last = { ...last, ...metrics, stale: metrics.stale };
    ahead = timestamp - Date.now();
    addSample(samples, { timestamp, count, ema });
    write('count', number(count));
    write('unit', people(count));
    write('ema', decimal(ema));
    document.title = `${number(count)} – ${customerId} – Active Users`;
    speak(`${number(count)} ${people(count)} here`);
    highest = Math.max(highest, count);
    showPeaks();
    draw();
  }

  // ---- the chart ----------------------------------------------------------------------------

  function showTable(points: Point[]) {
    const day = range.span > 86_400_000;
    const rowOf = ([ms, min, mean, max, ema]: Point) => {
      const words = day ? `${dayOf(ms)}, ${timeOfDay(ms)}` : timeOfDay(ms);
      const time = make('time', { datetime: new Date(ms).toISOString() }, words);
      const values = [number(min), decimal(mean), number(max), decimal(ema)];
      return make(
        'tr',
        {},
        make('th', { scope: 'row' }, time),
        ...values.map((value) => make('td', {}, value)),
      );
    };
    $('table-body').replaceChildren(...points.map(rowOf).reverse());
  }

  function draw() {
    const to = now();
    const from = to - range.span;
    const series = seriesOf(history, samples, from, isUp(link) ? to : 0);
    chart.set({ ...series, fromMs: from, toMs: to, step: history?.step ?? 0 });
  }

  const describe = () => {
    const from = now() - range.span;
    const series = seriesOf(history, samples, from, 0);
    $('chart').setAttribute('aria-label', summaryOf(series, range));
    if ($<HTMLDetailsElement>('table').open)
      showTable((history?.points ?? []).filter(([timestamp]) => timestamp >= from));
  };

  // ---- what is read each minute -------------------------------------------------------------

  async function readHistory() {
    const wanted = range;
    highest = last?.count ?? 0;
    // Without a start the daemon gives the last hour by its own clock.
    const from = wanted.span > 3_600_000 ? Math.floor(now() - wanted.span) : undefined;
    try {
      const answer = await get<History>('metrics/history' + query({ customerId, from, step: wanted.step }));
      if (wanted !== range) return;
      history = answer;
      ahead = answer.to - Date.now();
      write('chart-note', '');
    } catch (error) {
      if (wanted !== range) return;
      const { message, isFinal, retryAfterMs } = error as ApiError;
      clearTimeout(retry);
      if (!isFinal) retry = window.setTimeout(readHistory, Math.max(RETRY_MS, retryAfterMs));
      write('chart-note', `The history is not to be had: ${message}.`);
    }
    showPeaks();
    draw();
    describe();
  }

  function showPages({ pages, other = 0, visible = 0 }: Pages) {
    const most = Math.max(1, ...pages.map((it) => it.count));
    const rows = [...pages, ...(other > 0 ? [{ page: 'all others', count: other }] : [])];
    $('pages-body').replaceChildren(
      ...rows.map(({ page, count }) => {
        const bar = make('span', { class: 'bar', 'aria-hidden': 'true' });
        bar.style.inlineSize = `${Math.min(1, count / most) * 100}%`;
        return make(
          'tr',
          {},
          make('th', { scope: 'row', title: page }, bar, make('span', {}, page)),
          make('td', {}, number(count)),
        );
      }),
    );
    // A site that says nothing of its pages has none, and nobody who looks at them.
    show('pages-card', rows.length > 0);
    show('visible-tile', rows.length > 0 || visible > 0);
    write('visible', number(visible));
  }

  async function readPages() {
    if (!hasPages) return;
    try {
      showPages(await get<Pages>('metrics/pages' + query({ customerId })));
    } catch (error) {
      if ((error as ApiError).status !== 404) return;
      hasPages = false; // an older daemon
      show('pages-card', false);
    }
  }

  /** Bots are in answers, not in the stream. */
  async function readBots() {
    const { bots } = await get<Metrics>(metricsPath).catch((): Partial<Metrics> => ({}));
    if (bots === undefined) return;
    show('bots-tile', true);
    write('bots', number(bots));
  }

  const refresh = () => Promise.all([readHistory(), readPages(), readBots()]);

  // ---- together -----------------------------------------------------------------------------

  function choose(next: Range) {
    range = next;
    history = undefined;
    draw();
    void readHistory();
    const address = new URL(location.href);
    address.searchParams.set('range', next.name);
    window.history.replaceState(null, '', address);
  }

  for (const { name } of RANGES) {
    const radio = $<HTMLInputElement>(`range-${name}`);
    radio.checked = name === range.name;
    radio.addEventListener('change', () => choose(rangeOf(name)));
  }
  $('table').addEventListener('toggle', describe);
  write('customer', customerId);
  show('customer-view', true);

  const live = createLive(
    window,
    'metrics/stream' + query({ customerId }),
    () => get<Metrics>(metricsPath),
    {
      metrics: showMetrics,
      link(next, why) {
        const back = isUp(next) && !isUp(link) && link !== 'connecting';
        link = next;
        failure = why;
        showLink();
        if (back) void refresh();
      },
    },
  );
  live.open();
  document.addEventListener('visibilitychange', () => live.setHidden(document.hidden));
  setInterval(() => document.hidden || draw(), MOVE_MS);
  setInterval(() => document.hidden || void refresh(), REFRESH_MS);
  void refresh();
}
