// Writes a number into the elements of a page, also into those that appear later.
import type { Metrics } from './types.js';

export interface Targets {
  show(metrics: Metrics): void;
  /** Whether a target is in the page now. */
  found(): boolean;
  stop(): void;
}

export interface TargetOptions {
  /** Selector of the elements whose text is the number. */
  target: string | undefined;
  /** Selector of elements with `hidden`, which the first number reveals. */
  show: string | undefined;
  /** Words by plural category (`one`, `other`, `few`, …), `{count}` in them or the number before them. */
  words: Readonly<Record<string, string | undefined>>;
}

/** Throws a DOMException when a selector is none. */
export function createTargets(document: Document, options: TargetOptions): Targets {
  const { target, show, words } = options;
  let last: Metrics | undefined;
  let filled = new WeakSet<Element>();
  /** For good: a page may hide its wrapper again. */
  const revealed = new WeakSet<Element>();
  let queued = false;

  const all = (selector: string | undefined) =>
    selector ? [...document.querySelectorAll<HTMLElement>(selector)] : [];
  all(target);
  all(show);

  const textOf = (count: number, element: HTMLElement) => {
    const lang = element.closest('[lang]')?.getAttribute('lang') || undefined;
    const word = words[pluralOf(count, lang)] ?? words.other ?? words.one;
    if (word === undefined) return String(count);
    const number = format(count, lang);
    return word.includes('{count}') ? word.replaceAll('{count}', number) : `${number} ${word}`;
  };

  /** Only elements that have no number yet, so that this never fights with another script. */
  const fill = () => {
    queued = false;
    if (!last) return;
    for (const element of all(target)) {
      if (filled.has(element)) continue;
      filled.add(element);
      const text = textOf(last.count, element);
      if (element.textContent !== text) element.textContent = text;
    }
    for (const element of all(show))
      if (!revealed.has(element)) {
        revealed.add(element);
        element.hidden = false;
      }
  };

  // A page that a framework draws has its elements later, or anew. One look for all changes of a task.
  const observer = new MutationObserver(() => {
    if (queued || !last) return;
    queued = true;
    setTimeout(fill);
  });
  if (target || show) observer.observe(document, { childList: true, subtree: true });

  return {
    show(metrics) {
      // The daemon counts without its store: the last whole number is nearer to the truth.
      if (metrics.stale && last && !last.stale) return;
      const changed = last?.count !== metrics.count;
      last = metrics;
      if (changed) filled = new WeakSet();
      fill();
    },
    found: () => all(target).length + all(show).length > 0,
    stop: () => observer.disconnect(),
  };
}

/** A page's lang attribute may be no language at all. */
export function format(count: number, lang: string | undefined): string {
  try {
    return count.toLocaleString(lang);
  } catch {
    return String(count);
  }
}

export function pluralOf(count: number, lang: string | undefined): string {
  try {
    return new Intl.PluralRules(lang).select(count);
  } catch {
    return count === 1 ? 'one' : 'other';
  }
}
