// The client a page makes: a thin face, so that what runs behind it can change.
import { runClient } from './client.js';
import { fail, resolveConfig } from './config.js';
import { createStore } from './state/store.js';
import type {
  ActiveUsersError,
  ClientConfig,
  ConnectionStatus,
  InitOptions,
  Listener,
  Metrics,
  Unsubscribe,
} from './types.js';
import type { Scope } from './utils/scope.js';
import { createTimer } from './utils/timer.js';

export * from './types.js';

/** `init()` waits this long for the first metrics, or for the first failure. */
const INIT_MS = 5000;

export class ActiveUsersClient {
  #config: ClientConfig;
  #scope: Scope;
  #store = createStore();
  #init: Promise<void> | undefined;
  /** Aborted by destroy(): everything ends with it. */
  #life = new AbortController();

  /**
   * Does nothing yet, and never throws: `init()` says what is wrong with the options.
   * `scope` is for tests.
   */
  constructor(config: ClientConfig, scope?: Window & typeof globalThis) {
    this.#config = config;
    this.#scope = scope ?? (globalThis as Scope);
  }

  /**
   * Starts counting this person. Resolves with the first metrics, or after the first failure (then
   * it goes on trying), or after 5 s. Rejects when the options are wrong, with what to fix, when
   * this is no browser, and when `signal` aborts first. Calling it again gives the same promise.
   */
  init(options: InitOptions = {}): Promise<void> {
    return (this.#init ??= this.#start(options.signal));
  }

  /** `callback` gets the newest metrics, at most once an animation frame, while the page is visible. */
  onMetrics(callback: (metrics: Metrics) => void): Unsubscribe {
    return this.subscribe((event) => event.type === 'metrics' && callback(event.metrics));
  }

  /** `callback` runs when the mode changes, and when this tab begins or ends to lead. */
  onStatus(callback: (status: ConnectionStatus) => void): Unsubscribe {
    return this.subscribe((event) => event.type === 'status' && callback(event.status));
  }

  /** `callback` runs for each failure; the client goes on trying by itself. */
  onError(callback: (error: ActiveUsersError) => void): Unsubscribe {
    return this.subscribe((event) => event.type === 'error' && callback(event.error));
  }

  /** Everything that happens, as one union. */
  subscribe(listener: Listener): Unsubscribe {
    return this.#store.subscribe(listener);
  }

  /** The last metrics, or null before the first. */
  getMetrics(): Metrics | null {
    return this.#store.metrics;
  }

  getConnectionStatus(): ConnectionStatus {
    return this.#store.status;
  }

  /** Ends it for good: leaves if this is the last tab, and no timer, listener, lock or channel stays. */
  destroy(): void {
    this.#life.abort();
    this.#store.clear();
  }

  async #start(signal?: AbortSignal): Promise<void> {
    const config = resolveConfig(this.#config);
    const scope = this.#scope;
    const life = this.#life.signal;
    if (!scope.document) fail('init() needs a browser');
    if (life.aborted) fail('client was destroyed');
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const patience = createTimer(scope, resolve);
      const settle = () => {
        patience.clear();
        resolve();
      };
      patience.arm(INIT_MS);
      life.addEventListener('abort', settle);
      signal?.addEventListener(
        'abort',
        () => {
          reject(signal.reason);
          this.destroy();
        },
        { signal: life },
      );
      runClient(scope, config, this.#store, life, settle);
    });
  }
}
