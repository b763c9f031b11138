// Joins session, tabs and connection into one run. Every part has its own file.
import type { ResolvedConfig } from './config.js';
import { createHybridConnectionManager, type Waits } from './connection/HybridConnectionManager.js';
import { createLeaderTab } from './lifecycle/leader-tab.js';
import { loadTracking } from './lifecycle/tracking.js';
import { watchUnload } from './lifecycle/unload.js';
import { watchVisibility } from './lifecycle/visibility.js';
import { isMetrics } from './metrics/check.js';
import { createEma } from './metrics/ema.js';
import { createSampler } from './metrics/sampler.js';
import { believe, type Shared } from './sharing.js';
import { createSession } from './state/session.js';
import { createStore } from './state/store.js';
import { createHttp } from './transport/http.js';
import type { ActiveUsersError, Metrics } from './types.js';
import { randomId } from './utils/ids.js';
import { createListen } from './utils/listen.js';
import type { Run } from './utils/page.js';
import type { Scope } from './utils/scope.js';

/** Starts at once, and ends with `end()`. */
export function startRun(scope: Scope, config: ResolvedConfig): Run {
  const { customerId, watch } = config;
  const tabId = randomId(scope);
  const life = new AbortController();
  const listen = createListen(life.signal);
  const store = createStore();
  const session = createSession(scope, config);
  /** What this tab looks at, as far as that is told. */
  let look: () => object = Object;
  const http = createHttp(scope, config, () => look());
  const smooth = createEma(config.emaAlpha, config.emaWindowSize);
  const sampler = createSampler<Metrics>(scope, (metrics, hidden) =>
    store.emit({ type: 'metrics', metrics }, hidden),
  );
  let settled!: () => void;
  const ready = new Promise<void>((resolve) => (settled = resolve));
  let running = false;
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

  const report = (error: ActiveUsersError) => {
    log(error.message);
    settled();
    store.emit({ type: 'error', error });
  };

  const connection = createHybridConnectionManager(scope, config, http, waits, session, {
    identity: () =>
      watch
        ? { customerId }
        : {
            customerId,
            sessionId: session.use(),
            tabId,
            webdriver: scope.navigator.webdriver || undefined,
          },
    mode(mode) {
      if (mode !== store.status.mode) log(mode);
      store.setStatus(mode, tabs.leads());
      tabs.share();
    },
    metrics: setMetrics,
    alive() {
      if (!watch) session.touch();
      tabs.share(true);
    },
    error(error) {
      tabs.share(false, error);
      report(error);
    },
  });

  const tabs = createLeaderTab<Shared, ActiveUsersError>(scope, {
    // Watchers hold no session, so they elect among themselves; so do the tabs of another daemon.
    name: `active-users:${watch}:${customerId}:${config.apiUrl}`,
    tabId,
    interval: connection.interval,
    shared: (error) => ({
      mode: store.status.mode,
      sessionId: session.current(),
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
    onShared(value) {
      const told = believe(value);
      const { mode, sessionId, metrics, error } = told;
      Object.assign(waits, told.waits);
      if (sessionId) session.adopt(sessionId);
      store.setStatus(mode, false);
      if (metrics && metrics.timestamp !== store.metrics?.timestamp) setMetrics(metrics);
      if (error) report(error);
    },
    onGone: connection.soon,
  });

  const resume = () => {
    if (running) return connection.wake();
    running = true;
    tabs.start();
  };

  /**
   * Hands over, if another tab is there. `goes`: the server is told that the person may be gone, also
   * then: whether that tab stays nobody knows, and if it does, it gives a sign of life at once.
   */
  const suspend = (goes: boolean) => {
    if (!running) return;
    running = false;
    const heard = tabs.stop();
    // Other tabs that this one cannot hear of do not come forward: they beat as they always did.
    connection.stop(goes && heard);
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
    if (config.trackPage)
      // Without the part nothing is told of the page, and all else goes on.
      loadTracking().then((it) => (look = it.track(scope, life.signal, connection.soon)), Object);
  };

  // A page that is only rendered ahead has nobody in front of it.
  const document = scope.document as Document & { prerendering?: boolean };
  if (document.prerendering) listen(document, 'prerenderingchange', begin);
  else begin();

  return {
    users: 0,
    store,
    ready,
    end() {
      suspend(true);
      sampler.stop();
      life.abort();
    },
  };
}
