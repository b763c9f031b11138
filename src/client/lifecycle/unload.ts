// How a page goes and comes back. No `unload` and no `beforeunload`: they would keep the page out
// of the back/forward cache, and phones do not send them.
import type { Listen } from '../utils/listen.js';
import type { Scope } from '../utils/scope.js';

export interface UnloadEvents {
  /** The page stops running. `forGood`: it will not come back. */
  suspend(forGood: boolean): void;
  /** It runs again. May come without a `suspend`, and twice. */
  resume(): void;
}

export function watchUnload(scope: Scope, listen: Listen, events: UnloadEvents): void {
  const persisted = (event: Event) => (event as PageTransitionEvent).persisted;
  listen(scope, 'pagehide', (event) => events.suspend(!persisted(event)));
  listen(scope, 'pageshow', (event) => persisted(event) && events.resume());
  listen(scope.document, 'freeze', () => events.suspend(false));
  listen(scope.document, 'resume', events.resume);
}
