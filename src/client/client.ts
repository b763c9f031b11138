// Joins session, tabs and connection into one running client. Every part has its own file.
import type { ResolvedConfig } from './config.js';
import { createHybridConnectionManager, type Waits } from './connection/HybridConnectionManager.js';
import { createLeaderTab } from './lifecycle/leader-tab.js';
import { watchUnload } from './lifecycle/unload.js';
import { watchVisibility } from './lifecycle/visibility.js';
import { isMetrics } from './metrics/check.js';
import { createEma } from './metrics/ema.js';
import { createSampler } from './metrics/sampler.js';
import { createSession } from './state/session.js';
import type { Store } from './state/store.js';
import { createHttp } from './transport/http.js';
import type { ActiveUsersError, ConnectionMode, Metrics, ServerMetrics } from './types.js';
import { tabIdOf } from './utils/ids.js';
import { createListen } from './utils/listen.js';
import type { Scope } from './utils/scope.js';

/** What the leading tab tells the others. */
interface Shared {
  mode: ConnectionMode;
  sessionId: string | undefined;
  /** The tab by which the server knows the session. */
  holder: string | undefined;
  metrics: ServerMetrics | null;
  waits: Waits;
  /** What went wrong just now. */
  error: ActiveUsersError | undefined;
}

/**
 * Runs until `life` aborts, and reports to `store`. `settled` runs with the first metrics and with
 * the first failure.
 */
export function runClient(
  scope: Scope,
  config: ResolvedConfig,
  store: Store,
  life: AbortSignal,
  settled: () => void,
): void {
  const { customerId, watch } = config;
  const [tabId, page] = tabIdOf(scope);
  const session = createSession(scope, config.storage === 'local');
  const http = createHttp(scope, config);
  const smooth = createEma(config.emaAlpha, config.emaWindowSize);
  const sampler = createSampler<Metrics>(scope, (metrics) =>
    store.emit({ type: 'metrics', metrics }),
  );
  const listen = createListen(life);
  let running = false;
  let holder: string | undefined;
  let error: ActiveUsersError | undefined;
  const waits: Waits = {};

  const log = (text: string) => {
    if (config.debug) console.debug('active-users:', customerId, text);
  };

  const setMetrics = (metrics: unknown) => {
    if (!isMetrics(metrics)) return store.countIgnored();
    store.metrics = Object.freeze({ ...metrics, smoothed: smooth(metrics.count) });
    sampler.push(store.metrics);
    settled();
  };

  const report = (why: ActiveUsersError) => {
    log(why.message);
    settled();
    store.emit({ type: 'error', error: why });
  };

  const connection = createHybridConnectionManager(scope, config, http, waits, {
    identity: () => (watch ? { customerId } : { customerId, sessionId: session.use(), tabId }),
    mode(mode) {
      log(mode);
      store.setStatus(mode, tabs.leads());
      tabs.share();
    },
    metrics(metrics) {
      setMetrics(metrics);
      tabs.share();
    },
    alive() {
      holder = tabId;
      if (!watch) session.use(); // a sign of life: not idle
      tabs.share(true);
    },
    error(why) {
      error = why;
      tabs.share();
      error = undefined;
      report(why);
    },
  });

  const tabs = createLeaderTab<Shared>(scope, {
    // Watchers hold no session, so they elect among themselves; so do the tabs of another daemon.
    name: `active-users:${watch}:${customerId}:${config.apiUrl}`,
    tabId,
    interval: connection.interval,
    shared: () => ({
      mode: store.status.mode,
      sessionId: session.current(),
      holder,
      metrics: store.metrics,
      waits,
      error,
    }),
    onChange(leads) {
      log(leads ? 'leads' : 'follows');
      // The mode stays as the last leader told it, until this one knows better.
      if (leads) connection.start();
      else connection.stop();
      store.setStatus(store.status.mode, tabs.leads());
    },
    onShared(told) {
      const { mode, sessionId, metrics } = told;
      holder = told.holder;
      Object.assign(waits, told.waits);
      if (sessionId) session.adopt(sessionId);
      store.setStatus(mode, false);
      if (metrics && metrics.timestamp !== store.metrics?.timestamp) setMetrics(metrics);
      if (told.error) report(told.error);
    },
    onGone: connection.soon,
  });

  const resume = () => {
    if (running) return connection.wake();
    running = true;
    tabs.start();
  };

  /**
   * Hands over to another tab; the last one leaves, if it goes for good. But when it only makes room
   * for the next page of this site, which takes the session on, the daemon notices by itself that
   * the socket is gone, and waits for a while. `going`: what the ids of the tabs begin with that go
   * in the same moment.
   */
  const suspend = (forGood: boolean, moves?: boolean, going = page) => {
    if (!running) return;
    running = false;
    const alone = tabs.alone(going);
    const sessionId = session.current();
    const takenOn = moves && session.kept() && store.status.mode === 'websocket';
    tabs.stop();
    if (forGood && alone && holder && sessionId && !watch && !takenOn)
      http.leave({ customerId, sessionId, tabId: holder }, connection.token());
    connection.stop();
    store.setStatus('offline', false);
  };

  const begin = () => {
    watchVisibility(scope, listen, {
      changed(hidden) {
        tabs.visibilityChanged();
        if (hidden) return;
        connection.wake();
        sampler.flush();
      },
      online: () => connection.wake(true),
      offline: () => tabs.leads() && connection.offline(),
    });
    watchUnload(scope, listen, { suspend, resume });
    resume();
  };

  // A page that is only rendered ahead has nobody in front of it.
  const document = scope.document as Document & { prerendering?: boolean };
  if (document.prerendering) listen(document, 'prerenderingchange', begin);
  else begin();

  life.onabort = () => {
    suspend(true, false, tabId); // nobody: a client of this page that stays is another
    sampler.stop();
  };
}
