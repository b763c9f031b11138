// Rows of the list of customers: order and pages. Knows no page.
import type { CustomerRow } from './answers.js';
import { compareNames } from './format.js';

export type Key = 'customerId' | 'count' | 'ema' | 'trend';
export interface Order {
  key: Key;
  descending: boolean;
}

/** How far the count is above what is usual. */
export const trendOf = ({ count, ema }: CustomerRow) => count - ema;

/** Sorted copies; equal ones by their ids, so that rows do not dance. */
export function sortRows(rows: CustomerRow[], { key, descending }: Order): CustomerRow[] {
  const valueOf = (row: CustomerRow) => (key === 'trend' ? trendOf(row) : (row[key] as number));
  const sign = descending ? -1 : 1;
  const byId = (a: CustomerRow, b: CustomerRow) => compareNames(a.customerId, b.customerId);
  return [...rows].sort((a, b) =>
    key === 'customerId' ? sign * byId(a, b) : sign * (valueOf(a) - valueOf(b)) || byId(a, b),
  );
}

/** The order after a click on a heading: numbers begin with the largest, names with A. */
export const nextOrder = (order: Order, key: Key): Order => ({
  key,
  descending: order.key === key ? !order.descending : key !== 'customerId',
});

/** Pages are walks at different moments: a customer that is met twice counts once, by the newer one. */
export function mergeRows(rows: CustomerRow[], more: CustomerRow[]): CustomerRow[] {
  const byId = new Map(rows.map((row) => [row.customerId, row]));
  for (const row of more) byId.set(row.customerId, row);
  return [...byId.values()];
}
