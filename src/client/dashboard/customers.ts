// The list of customers, for operators: found by a part of the id, in any order.
import type { CustomerRow, Customers } from './answers.js';
import { type ApiError, get, query } from './api.js';
import { $, make, show, write } from './dom.js';
import { decimal, number } from './format.js';
import { type Key, mergeRows, nextOrder, type Order, sortRows, trendOf } from './rows.js';

const REFRESH_MS = 15_000;
/** After the last letter of a search. */
const TYPED_MS = 250;
/** A difference below this is none. */
const STEADY = 0.5;

const trendText = (row: CustomerRow) => {
  const trend = trendOf(row);
  if (Math.abs(trend) < STEADY) return 'steady';
  return `${trend > 0 ? '▲' : '▼'} ${decimal(Math.abs(trend))}`;
};

export function openCustomers() {
  let rows: CustomerRow[] = [];
  let next: string | null = null;
  let search = '';
  let order: Order = { key: 'count', descending: true };
  /** The newest request; answers to others come too late. */
  let asked = 0;

  const rowOf = (row: CustomerRow) => {
    const { customerId, count, ema } = row;
    const trend = trendText(row);
    return make(
      'tr',
      {},
      make('th', { scope: 'row' }, make('a', { href: query({ customerId }) }, customerId)),
      make('td', {}, number(count)),
      make('td', {}, decimal(ema)),
      make('td', { class: { '▲': 'up', '▼': 'down' }[trend[0] as string] ?? 'soft' }, trend),
    );
  };

  function showRows() {
    const focused = document.activeElement?.getAttribute('href');
    $('customers-body').replaceChildren(...sortRows(rows, order).map(rowOf));
    if (focused) $('customers-body').querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus();
    for (const th of document.querySelectorAll<HTMLElement>('#customers th[data-key]')) {
      const isIt = th.dataset.key === order.key;
      th.setAttribute('aria-sort', !isIt ? 'none' : order.descending ? 'descending' : 'ascending');
    }
    const found = search ? ` with “${search}”` : '';
    write(
      'customers-note',
      next
        ? `The ${number(rows.length)} customers${found} with the highest count; there are more.`
        : rows.length === 1
          ? `1 customer${found}.`
          : `${number(rows.length)} customers${found}.`,
    );
    show('more', next !== null);
  }

  async function load(after?: string) {
    const mine = ++asked;
    try {
      const page = await get<Customers>('admin/customers' + query({ search: search || undefined, after }), true);
      if (mine !== asked) return;
      rows = after ? mergeRows(rows, page.customers) : page.customers;
      next = page.next;
      write('customers-error', '');
      showRows();
    } catch (error) {
      if (mine === asked) write('customers-error', `The list is not to be had: ${(error as ApiError).message}.`);
    }
  }

  for (const button of document.querySelectorAll<HTMLElement>('#customers th[data-key] button'))
    button.addEventListener('click', () => {
      order = nextOrder(order, button.parentElement?.dataset.key as Key);
      showRows();
    });
  let typed: number | undefined;
  $<HTMLInputElement>('search').addEventListener('input', ({ target }) => {
    clearTimeout(typed);
    typed = window.setTimeout(() => {
      search = (target as HTMLInputElement).value.trim();
      void load();
    }, TYPED_MS);
  });
  $('more').addEventListener('click', () => next && void load(next));
  show('customers-view', true);
  void load();
  // Only what is one page is read anew: nobody wants to lose the others, or 100 walks.
  setInterval(() => document.hidden || rows.length > 100 || void load(), REFRESH_MS);
}
