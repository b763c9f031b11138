// How a page goes and comes back. No `unload` and no `beforeunload`: they would keep the page out
// of the back/forward cache, and phones do not send them.
import type { Listen } from '../utils/listen.js';
import type { Scope } from '../utils/scope.js';

/** A navigation that was announced longer ago has come to nothing, as a download does. */
const ANNOUNCED_MS = 10_000;

export interface UnloadEvents {
  /**
   * The page stops running. `forGood`: it will not come back. `moves`: another page of this site
   * comes in its place.
   */
  suspend(forGood: boolean, moves?: boolean): void;
  /** It runs again. May come without a `suspend`, and twice. */
  resume(): void;
}

/** Of the Navigation API, which TypeScript does not know yet. */
interface NavigateEvent extends Event {
  destination: { url: string; sameDocument: boolean };
}

export function watchUnload(scope: Scope, listen: Listen, events: UnloadEvents): void {
  const persisted = (event: Event) => (event as PageTransitionEvent).persisted;
  let movesUntil = 0;
  const { navigation } = scope as { navigation?: EventTarget };
  if (navigation)
    listen(navigation, 'navigate', (event) => {
      const { url, sameDocument } = (event as NavigateEvent).destination;
      if (!sameDocument)
        movesUntil =
          new URL(url).origin === scope.location.origin ? scope.Date.now() + ANNOUNCED_MS : 0;
    });
  listen(scope, 'pagehide', (event) =>
    events.suspend(!persisted(event), movesUntil > scope.Date.now()),
  );
  listen(scope, 'pageshow', (event) => persisted(event) && events.resume());
  listen(scope.document, 'freeze', () => events.suspend(false));
  listen(scope.document, 'resume', events.resume);
}
