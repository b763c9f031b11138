// The metrics and the status of one run, as known now. Must not know where they come from.
import type { ActiveUsersEvent, ConnectionMode, ConnectionStatus, Metrics } from '../types.js';

/** `hidden`: the page is hidden, so this is only for listeners that asked for that. */
export type Emit = (event: ActiveUsersEvent, hidden?: boolean) => void;

export interface Store {
  metrics: Metrics | null;
  /** Frozen, as `metrics` is: pages compare them by identity. */
  status: ConnectionStatus;
  /** One for each client that uses the run. */
  clients: Set<Emit>;
  emit: Emit;
  /** Emits when one of the two has changed. */
  setStatus(mode: ConnectionMode, isLeader: boolean): void;
  countIgnored(): void;
}

export function createStore(): Store {
  const change = (changes: Partial<ConnectionStatus>) =>
    (store.status = Object.freeze({ ...store.status, ...changes }));

  const store: Store = {
    metrics: null,
    status: Object.freeze({ mode: 'offline', isLeader: false, ignoredMessages: 0 }),
    clients: new Set(),
    emit(event, hidden) {
      for (const emit of [...store.clients]) emit(event, hidden);
    },
    setStatus(mode, isLeader) {
      if (store.status.mode === mode && store.status.isLeader === isLeader) return;
      store.emit({ type: 'status', status: change({ mode, isLeader }) });
    },
    countIgnored() {
      change({ ignoredMessages: store.status.ignoredMessages + 1 });
    },
  };
  return store;
}
