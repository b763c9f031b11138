// Random ids. Must not know what they name.
import type { Scope } from './scope.js';

/** Of this page: its id. */
const PAGE = Symbol.for('active-users');

/**
 * An id for one more client of this page, and what the ids of all of them begin with: two scripts
 * on one page come and go together. The symbol is for copies of this code that know nothing of
 * each other.
 */
export function tabIdOf(scope: Scope): [tabId: string, page: string] {
  const pages = scope as unknown as Record<symbol, string>;
  const page = (pages[PAGE] ??= randomId(scope) + '.');
  return [page + randomId(scope), page];
}

/** 128 random bits. randomUUID exists in secure contexts only, and shops on plain http are none. */
export function randomId(scope: Scope): string {
  return scope.crypto.getRandomValues(new Uint32Array(4)).join('-');
}
