// The client a page makes: a thin face of a run, which clients with the same options share.
import { startRun } from './client.js';
import { fail, resolveConfig } from './config.js';
import { createListeners } from './state/listeners.js';
import { createStore } from './state/store.js';
import type {
  ActiveUsersError,
  ClientConfig,
  ConnectionStatus,
  InitOptions,
  Listener,
  ListenOptions,
  Metrics,
  Unsubscribe,
} from './types.js';
import { joinRun, pageOf } from './utils/page.js';
import type { Scope } from './utils/scope.js';
import { createTimer } from './utils/timer.js';

export * from './types.js';

/** `init()` waits this long for the first metrics, or for the first failure. */
const INIT_MS = 5000;

export class ActiveUsersClient {
  #config: ClientConfig;
  #scope: Scope;
  /** Of the run, from init() until destroy(). */
  #store = createStore();
  #listeners = createListeners(() => this.#store.metrics);
  #init: Promise<void> | undefined;
  /** Aborted by destroy(). */
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

  /**
   * `callback` gets the newest metrics, at most once an animation frame, while the page is visible;
   * with `whileHidden` also while it is hidden.
   */
  onMetrics(callback: (metrics: Metrics) => void, options?: ListenOptions): Unsubscribe {
    return this.subscribe((event) => event.type === 'metrics' && callback(event.metrics), options);
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
  subscribe(listener: Listener, options?: ListenOptions): Unsubscribe {
    return this.#listeners.subscribe(listener, options);
  }

  /** The last metrics, or null before the first. */
  getMetrics(): Metrics | null {
    return this.#store.metrics;
  }

  getConnectionStatus(): ConnectionStatus {
    return this.#store.status;
  }

  /**
   * Ends it for good. The last client of a page with these options takes every timer, listener, lock
   * and channel with it, and leaves, if no other tab is there. A client made within 2.5 s goes on
   * with the session, so that the count does not move.
   */
  destroy(): void {
    this.#life.abort();
    this.#listeners.clear();
  }

  async #start(signal?: AbortSignal): Promise<void> {
    const scope = this.#scope;
    const life = this.#life.signal;
    const config = resolveConfig(this.#config, scope.location?.hostname);
    if (!scope.document) fail('needs a browser');
    if (life.aborted) fail('destroyed');
    signal?.throwIfAborted();
    const page = pageOf(scope);
    const [run, leave] = joinRun(page, JSON.stringify(config), () =>
      startRun(scope, config),
    );
    const { store } = run;
    const { emit } = this.#listeners;
    this.#store = store;
    store.clients.add(emit);
    // What a run that was there before has told already. Later: nothing is called inside init().
    if (run.users > 1)
      queueMicrotask(() => {
        const { status, metrics } = store;
        if (life.aborted) return;
        emit({ type: 'status', status });
        if (metrics) emit({ type: 'metrics', metrics });
      });
    return new Promise((resolve, reject) => {
      const patience = createTimer(scope, resolve);
      const settle = () => {
        patience.clear();
        resolve();
      };
      patience.arm(INIT_MS);
      run.ready.then(settle);
      life.addEventListener('abort', () => {
        store.clients.delete(emit);
        this.#store = { ...createStore(), metrics: store.metrics };
        leave();
        settle();
      });
      signal?.addEventListener(
        'abort',
        () => {
          reject(signal.reason);
          this.destroy();
        },
        { signal: life },
      );
    });
  }
}
