// How a page goes and comes back. No `unload` and no `beforeunload`: they would keep the page out
// of the back/forward cache, and phones do not send them.
import type { Listen } from '../utils/listen.js';
import type { Scope } from '../utils/scope.js';

export interface UnloadEvents {
  /** The page stops running. `goes`: the person goes to another page, or closes this one. */
  suspend(goes: boolean): void;
  /** It runs again. May come without a `suspend`, and twice. */
  resume(): void;
}

export function watchUnload(scope: Scope, listen: Listen, events: UnloadEvents): void {
  listen(scope, 'pagehide', () => events.suspend(true));
  listen(scope, 'pageshow', (event) => (event as PageTransitionEvent).persisted && events.resume());
  // A phone freezes tabs that nobody closed.
  listen(scope.document, 'freeze', () => events.suspend(false));
  listen(scope.document, 'resume', events.resume);
}
