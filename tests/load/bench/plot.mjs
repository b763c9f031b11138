// A dot for each row on a line of shares of the goal: left of 1 is met. Plain SVG, no library.

const ROW = 20;
const LEFT = 430;
const WIDTH = 330;
const TOP = 44;
/* The scale is logarithmic: twice as good is as far from the goal as half as good. */
const FROM = 1 / 16;
const TO = 4;

const escape = (text) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);

export function place(share) {
  const held = Math.min(TO, Math.max(FROM, share));
  return LEFT + (Math.log(held / FROM) / Math.log(TO / FROM)) * WIDTH;
}

function axis(height) {
  return [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4].map((share) => {
    const x = place(share).toFixed(1);
    const name = share < 1 ? `1/${1 / share}` : String(share);
    const style = share === 1 ? 'stroke="#222"' : 'stroke="#ccc" stroke-dasharray="2 3"';
    return `<line x1="${x}" x2="${x}" y1="${TOP - 8}" y2="${height - 8}" ${style}/>
<text x="${x}" y="${TOP - 14}" text-anchor="middle">${name}</text>`;
  });
}

/** `dots`: {label, share}. */
export function plot(dots) {
  const height = TOP + dots.length * ROW + 12;
  const marks = dots.map(({ label, share }, i) => {
    const y = TOP + i * ROW + 8;
    const colour = share <= 1 ? '#1a7f5a' : '#c2410c';
    return `<text x="${LEFT - 12}" y="${y + 4}" text-anchor="end">${escape(label)}</text>
<circle cx="${place(share).toFixed(1)}" cy="${y}" r="5" fill="${colour}"/>
<text x="${(place(share) + (share <= 1 ? -9 : 9)).toFixed(1)}" y="${y + 4}" fill="${colour}" \
text-anchor="${share <= 1 ? 'end' : 'start'}">${share.toFixed(2)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 60}" height="${height}" \
font-family="sans-serif" font-size="11" role="img" aria-label="Share of each goal">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT + WIDTH / 2}" y="14" text-anchor="middle">share of the goal: left of 1 is met</text>
${[...axis(height), ...marks].join('\n')}
</svg>
`;
}
