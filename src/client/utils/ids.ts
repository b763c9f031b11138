// Random ids. Must not know what they name.
import type { Scope } from './scope.js';

/** 128 random bits. randomUUID exists in secure contexts only, and shops on plain http are none. */
export function randomId(scope: Scope): string {
  return scope.crypto.getRandomValues(new Uint32Array(4)).join('-');
}
