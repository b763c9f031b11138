// The dashboard's page, as the cases read it.
import { aBeat, waitFor } from '../../integration/harness.mjs';
import { textOf } from './pages.mjs';

export const urlOf = (daemon, query = '', port = daemon.httpPort) =>
  `http://127.0.0.1:${port}/dashboard${query}`;

export async function join(daemon, customerId, n) {
  const beats = Array.from({ length: n }, () => aBeat({ customerId }));
  for (const beat of beats) await daemon.must('join', beat);
  return beats;
}

export const waitText = (page, selector, wanted) =>
  waitFor(`${selector} to be ${wanted}`, async () => {
    const text = await textOf(page, selector);
    return wanted instanceof RegExp ? wanted.test(text) : text === wanted;
  });

/** What a person sees; the rest of the page is there and hidden. */
export const isShown = (page, id) =>
  page.evaluate((id) => document.getElementById(id).checkVisibility(), id);
export const waitShown = (page, id) => waitFor(`${id} to be seen`, () => isShown(page, id));

/** Lines of a table, each an array of its cells. */
export const cellsOf = (page, selector) =>
  page.evaluate(
    (it) =>
      [...document.querySelectorAll(`${it} tr`)].map((row) =>
        [...row.cells].map((cell) => cell.querySelector('time')?.dateTime ?? cell.textContent),
      ),
    selector,
  );
export const typeInto = (page, id, text) =>
  page.evaluate(
    (id, text) => {
      const input = document.getElementById(id);
      input.value = text;
      input.dispatchEvent(new Event('input', { bubbles: true }));
    },
    id,
    text,
  );
