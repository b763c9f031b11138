// The count beside the truth while a daemon hands over, a panel for each scene. Plain SVG, no library.
const PANEL = { width: 400, height: 170, left: 46, top: 40 };
const FROM_S = -1;

const escape = (text) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);

/** `steps`: {at, value}, at in seconds. A line that is level between two of them, to the pixel. */
function stairs(steps, x, y, endS) {
  const at = (s) => Math.round(x(s));
  const byPixel = new Map([[at(FROM_S), 0]]);
  for (const step of steps) if (step.at <= endS) byPixel.set(at(Math.max(step.at, FROM_S)), step.value);
  const [[first, value], ...rest] = byPixel;
  return `M${first} ${y(value)}${rest.map(([to, value]) => `H${to}V${y(value)}`).join('')}H${at(endS)}`;
}

/** `scene`: {title, truth, open, answers, gone, end}; times in seconds since the stop began. */
function panel({ title, truth, open, answers, gone, end, toS, max }, number) {
  const { width, height, left, top } = PANEL;
  const x = (at) => (left + ((at - FROM_S) / (toS - FROM_S)) * (width - left - 10)).toFixed(1);
  const y = (value) => (top + (1 - value / max) * (height - top - 26)).toFixed(1);
  const seen = answers.filter(({ at, asked }) => asked >= FROM_S && at <= toS);
  const grid = [0, max / 2, max].map(
    (value) => `<line x1="${left}" x2="${width - 10}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>
<text x="${left - 6}" y="${Number(y(value)) + 4}" text-anchor="end">${value}</text>`,
  );
  const every = Math.ceil((toS - FROM_S) / 10);
  const times = Array.from({ length: Math.floor(toS / every) + 1 }, (_, i) => i * every);
  const ticks = times.map(
    (at) => `<text x="${x(at)}" y="${height - 8}" text-anchor="middle">${at} s</text>`,
  );
  const marks = [[0, 'stops'], [gone, 'gone']].map(
    ([at, name]) => `<line x1="${x(at)}" x2="${x(at)}" y1="${top - 4}" y2="${height - 26}" stroke="#888" \
stroke-dasharray="3 3"/><text x="${x(at)}" y="${top - 7}" text-anchor="middle" fill="#555">${name}</text>`,
  );
  // A dot where an answer came, and a line from when it was asked for.
  const dots = seen.map(
    ({ asked, at, count }) =>
      `<path d="M${x(asked)} ${y(count)}H${x(at)}" stroke="#1a7f5a" stroke-opacity=".35"/>\
<circle cx="${x(at)}" cy="${y(count)}" r="2" fill="#1a7f5a"/>`,
  );
  return `<g transform="translate(${(number % 2) * width} ${24 + Math.floor(number / 2) * height})">
<text x="${left}" y="14" font-weight="bold">${escape(title)}</text>
${[...grid, ...ticks, ...marks].join('\n')}
<path d="${stairs(open, x, y, end)}" fill="none" stroke="#c2410c"/>
<path d="${stairs(truth, x, y, end)}" fill="none" stroke="#222" stroke-width="1.5"/>
${dots.join('\n')}
</g>`;
}

export function plot(scenes) {
  const toS = Math.ceil(Math.max(...scenes.map(({ end }) => end)));
  const most = Math.max(...scenes.flatMap(({ truth }) => truth.map(({ value }) => value)));
  const step = 10 ** Math.floor(Math.log10(most)) / 2;
  const max = Math.ceil(most / step) * step;
  const height = 24 + Math.ceil(scenes.length / 2) * PANEL.height;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${2 * PANEL.width}" height="${height}" \
font-family="sans-serif" font-size="10" role="img" aria-label="The count beside the truth during an upgrade">
<rect width="100%" height="100%" fill="#fff"/>
<text x="46" y="16"><tspan fill="#222">━ people who are there</tspan>\
<tspan fill="#1a7f5a" dx="16">● the count that was answered</tspan>\
<tspan fill="#c2410c" dx="16">━ open sockets</tspan></text>
${scenes.map((scene, i) => panel({ ...scene, toS, max }, i)).join('\n')}
</svg>
`;
}
