// When the page is looked at, and when the network is there. Must not know what follows from it.
import type { Listen } from '../utils/listen.js';
import type { Scope } from '../utils/scope.js';

export interface VisibilityEvents {
  visible(): void;
  hidden(): void;
  online(): void;
  offline(): void;
}

export function watchVisibility(scope: Scope, listen: Listen, events: VisibilityEvents): void {
  const { document } = scope;
  listen(document, 'visibilitychange', () =>
    document.hidden ? events.hidden() : events.visible(),
  );
  listen(scope, 'online', events.online);
  listen(scope, 'offline', events.offline);
}
