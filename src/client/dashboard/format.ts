// Numbers, times and names as people read and order them, in the browser's language.

const whole = new Intl.NumberFormat();
const tenth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export const number = (value: number) => whole.format(Math.round(value));
/** Large ones need no decimals. */
export const decimal = (value: number) => (Math.abs(value) < 1000 ? tenth : whole).format(value);
export const people = (count: number) => (count === 1 ? 'person' : 'people');

const time = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const second = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric' });

/** ms since the epoch, in the reader's time zone. */
export const timeOfDay = (ms: number) => time.format(ms);
export const timeWithSeconds = (ms: number) => second.format(ms);
export const dayOf = (ms: number) => day.format(ms);

export const compareNames = new Intl.Collator(undefined, { numeric: true }).compare;

/** The largest two units, such as `3 d 4 h`. */
export function duration(seconds: number): string {
  const units: [number, string][] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  let left = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [size, name] of units) {
    const n = Math.floor(left / size);
    left -= n * size;
    if (n > 0) parts.push(`${n} ${name}`);
    if (parts.length === 2 || (parts.length === 1 && n === 0)) break;
  }
  return parts.join(' ') || '0 s';
}
