// What is known now, and who wants to hear of it. Must not know where it comes from.
import type {
  ActiveUsersEvent,
  ConnectionMode,
  ConnectionStatus,
  Listener,
  Metrics,
  Unsubscribe,
} from '../types.js';

export interface Store {
  metrics: Metrics | null;
  /** Frozen, as `metrics` is: pages hold them, and tell by identity whether something changed. */
  status: ConnectionStatus;
  /** The same function subscribed twice is one subscription. */
  subscribe(listener: Listener): Unsubscribe;
  emit(event: ActiveUsersEvent): void;
  /** Tells the listeners when one of the two is another than before. */
  setStatus(mode: ConnectionMode, isLeader: boolean): void;
  countIgnored(): void;
  clear(): void;
}

export function createStore(): Store {
  const listeners = new Set<Listener>();

  /** A page's mistake in one callback must reach neither the others nor the window, be it thrown now or in a promise. */
  const call = async (listener: Listener, event: ActiveUsersEvent) => {
    try {
      await listener(event);
    } catch (error) {
      console.error('active-users:', error);
      if (event.type !== 'error')
        store.emit({ type: 'error', error: { code: 'callback', message: String(error) } });
    }
  };

  const setStatus = (changes: Partial<ConnectionStatus>) =>
    (store.status = Object.freeze({ ...store.status, ...changes }));

  const store: Store = {
    metrics: null,
    status: Object.freeze({ mode: 'offline', isLeader: false, ignoredMessages: 0 }),
    subscribe(listener) {
      listeners.add(listener);
      // Whoever comes late must not wait for the next tick. Later, since subscribing is no call back.
      queueMicrotask(() => {
        if (listeners.has(listener) && store.metrics)
          call(listener, { type: 'metrics', metrics: store.metrics });
      });
      return () => void listeners.delete(listener);
    },
    emit(event) {
      for (const listener of [...listeners]) call(listener, event);
    },
    setStatus(mode, isLeader) {
      if (store.status.mode === mode && store.status.isLeader === isLeader) return;
      store.emit({ type: 'status', status: setStatus({ mode, isLeader }) });
    },
    countIgnored() {
      setStatus({ ignoredMessages: store.status.ignoredMessages + 1 });
    },
    clear: () => listeners.clear(),
  };
  return store;
}
