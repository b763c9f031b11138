// What the clients of one page share. The page may hold several copies of this code (a script tag and
// a bundle), so these names are part of an interface between copies: build.mjs does not shorten them.
import type { Store } from '../state/store.js';
import type { Scope } from './scope.js';

/** One running client, for everybody in this page who asked for the same. */
export interface Run {
  /** How many clients use it. */
  users: number;
  store: Store;
  /** Resolves with the first metrics, or after the first failure. */
  ready: Promise<void>;
  /** Leaves, and ends every timer, listener, lock and channel. */
  end(): void;
}

export interface Page {
  runs: Map<string, Run>;
}

const PAGE = Symbol.for('active-users:1');

export function pageOf(scope: Scope): Page {
  const pages = scope as unknown as Record<symbol, Page>;
  return (pages[PAGE] ??= { runs: new Map() });
}

/**
 * Joins the run of that name, which `start` makes if there is none. The function returned leaves it
 * again. The last client ends the run a microtask later, so that a framework may take a component
 * out and put it in again at once.
 */
export function joinRun(page: Page, name: string, start: () => Run): [run: Run, leave: () => void] {
  const run = page.runs.get(name) ?? start();
  page.runs.set(name, run);
  run.users++;
  return [
    run,
    () => {
      run.users--;
      queueMicrotask(() => {
        if (run.users || page.runs.get(name) !== run) return;
        page.runs.delete(name);
        run.end();
      });
    },
  ];
}
