// When the page is looked at, and when the network is there. Must not know what follows from it.
import type { Listen } from '../utils/listen.js';
import type { Scope } from '../utils/scope.js';

export interface VisibilityEvents {
  changed(hidden: boolean): void;
  online(): void;
  offline(): void;
}

export function watchVisibility(scope: Scope, listen: Listen, events: VisibilityEvents): void {
  const { document } = scope;
  listen(document, 'visibilitychange', () => events.changed(document.hidden));
  listen(scope, 'online', events.online);
  listen(scope, 'offline', events.offline);
}
