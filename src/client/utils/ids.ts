// Random ids. Must not know what they name.
import type { Scope } from './scope.js';

/** Of this page: its id, and one more entry for each client that runs in it. */
const PAGE = Symbol.for('active-users');

/**
 * An id for one more client of this page, and what the ids of all of them begin with: two scripts
 * on one page come and go together. The symbol is for copies of this code that know nothing of
 * each other.
 */
export function tabIdOf(scope: Scope): [tabId: string, page: string] {
  const pages = scope as unknown as Record<symbol, [string, ...number[]]>;
  const entries = (pages[PAGE] ??= [randomId(scope)]);
  return [entries[0] + '.' + entries.push(0), entries[0]];
}

/** randomUUID exists in secure contexts only, and shops on plain http are none. */
export function randomId({ crypto }: Scope): string {
  return crypto.randomUUID
    ? crypto.randomUUID()
    : Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
        byte.toString(16).padStart(2, '0'),
      ).join('');
}
