// The callbacks that a page gave to one client.
import type { ActiveUsersEvent, Listener, ListenOptions, Metrics, Unsubscribe } from '../types.js';
import type { Emit } from './store.js';

export interface Listeners {
  /** The same function subscribed twice is one subscription. */
  subscribe(listener: Listener, options?: ListenOptions): Unsubscribe;
  emit: Emit;
  clear(): void;
}

/** latest: the metrics for a listener that comes late. */
export function createListeners(latest: () => Metrics | null): Listeners {
  const listeners = new Map<Listener, ListenOptions & { seen?: Metrics }>();

  /** A page's mistake in one callback must reach neither the others nor the window, be it thrown now or in a promise. */
  const call = async (listener: Listener, event: ActiveUsersEvent) => {
    try {
      await listener(event);
    } catch (error) {
      console.error('active-users:', error);
      if (event.type !== 'error')
        emit({ type: 'error', error: { code: 'callback', message: String(error) } });
    }
  };

  const emit: Emit = (event, hidden) => {
    for (const [listener, entry] of [...listeners]) {
      if (event.type === 'metrics') {
        if ((hidden && !entry.whileHidden) || entry.seen === event.metrics) continue;
        entry.seen = event.metrics;
      }
      call(listener, event);
    }
  };

  return {
    subscribe(listener, options) {
      const entry: ListenOptions & { seen?: Metrics } = { ...options };
      listeners.set(listener, entry);
      // A late subscriber must not wait for the next tick. Later, because nothing is called inside subscribe().
      queueMicrotask(() => {
        const metrics = latest();
        if (listeners.get(listener) !== entry || !metrics || entry.seen === metrics) return;
        entry.seen = metrics;
        call(listener, { type: 'metrics', metrics });
      });
      return () => {
        if (listeners.get(listener) === entry) listeners.delete(listener);
      };
    },
    emit,
    clear: () => listeners.clear(),
  };
}
