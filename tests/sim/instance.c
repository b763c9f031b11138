/* Puts a store and the services together on a loop of their own. */
#include "instance.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/fallback/fallback.h"
#include "adapters/memory/memory.h"
#include "adapters/redis/redis.h"
#include "clock.h"
#include "network.h"
#include "report.h"
#include "services/changes.h"
#include "services/ticker.h"
#include "spy.h"

/* The longest way of an operation: a GET, then its writes, each with two seconds and redirects. */
enum { OPERATION_MAX_MS = 15000, TURNS_TO_CLOSE = 20 };

typedef struct listener {
  subscriber sub; /* first: cast */
  heard last;
} listener;

struct instance {
  int host;
  uv_loop_t loop;
  au_clock clock;
  int64_t monotonic_ahead_ms, wall_ahead_ms, frozen_until_ms, thawed_ms;
  au_config config;
  stats counters;
  au_store_events events;
  spy *spy;
  presence *presence;
  broadcast *broadcast;
  ticker *ticker;
  bool listens, stopping;
  unsigned parts;
  listener listeners[CUSTOMERS_MAX];
};

/* ---- joints, as in server.c --------------------------------------------------- */

static int64_t mono_ms(void *arg) {
  return (int64_t)uv_now(&((instance *)arg)->loop);
}

static int64_t wall_ms(void *arg) {
  const instance *d = arg;
  return 1700000000000 + sim_ms() + d->wall_ahead_ms;
}

static void on_changed(void *arg, au_slice customer_id) {
  instance *d = arg;
  ticker_changed(d->ticker, customer_id);
}

static void on_published(void *arg, const au_metrics *metrics) {
  instance *d = arg;
  broadcast_publish(d->broadcast, metrics, mono_ms(d));
}

static void on_wake(void *arg) {
  instance *d = arg;
  ticker_wake(d->ticker);
}

static au_status on_subscribe(void *arg, au_slice customer_id, bool on) {
  instance *d = arg;
  return spy_store(d->spy)->ops->subscribe(spy_store(d->spy), customer_id, on);
}

/* The message as it is, where the daemon prints JSON. */
static frame *print(const au_metrics *metrics) {
  return frame_create((au_slice){(const char *)metrics, sizeof *metrics});
}

static void deliver(subscriber *sub, frame *message) {
  listener *l = (listener *)sub;
  memcpy(&l->last.metrics, frame_text(message), sizeof l->last.metrics);
  l->last.metrics.customer_id = (au_slice){"", 0};
  l->last.at_ms = sim_ms();
  l->last.frames++;
  report_mix(&l->last.metrics.count, sizeof l->last.metrics.count);
}

/* ---- life ---------------------------------------------------------------------- */

void instance_enter(instance *d) {
  network_enter(d->host);
  sim_clock_enter(d->monotonic_ahead_ms, d->wall_ahead_ms);
}

static void must(au_status status, const char *what) {
  if (status != AU_OK)
    report_failure("a daemon cannot be made", "%s: %s", what, au_status_text(status));
}

static au_status create_shared(instance *d, map_seed keys, au_store **out) {
  const char *reason = "";
  shared_store *shared;
  au_status status =
      redis_store_create(&d->loop, &d->config, &d->clock, keys, &d->counters, &reason, &shared);
  if (status != AU_OK) return status;
  return fallback_create(&d->loop, &d->config, &d->clock, keys, &d->events, shared, out);
}

instance *instance_start(int host, uint64_t seed, const au_config *config, bool listens) {
  instance *d = calloc(1, sizeof *d);
  if (!d) abort();
  rng r = rng_of(seed, 100 + (uint64_t)host);
  d->host = host;
  d->config = *config;
  d->listens = listens;
  d->monotonic_ahead_ms = rng_below(&r, 100000);
  d->wall_ahead_ms = rng_between(&r, -5000, 5000);
  instance_enter(d);
  uv_loop_init(&d->loop);
  d->clock = (au_clock){wall_ms, mono_ms, d};
  d->events = (au_store_events){.changed = on_changed, .published = on_published, .arg = d};
  map_seed keys = {rng_next(&r), rng_next(&r)};
  au_store *inner = NULL;
  if (config->redis_url[0] == '\0')
    must(memory_store_create(&d->loop, &d->config, &d->clock, keys, &d->events, NULL, &inner),
         "memory");
  else
    must(create_shared(d, keys, &inner), "redis");
  d->spy = spy_create(inner, host);
  must(presence_create(spy_store(d->spy), d->config.disconnect_grace_ms, keys, &d->presence),
       "presence");
  int64_t interval_ms = d->config.ema_interval_ms;
  int64_t update_ms = d->config.update_interval_ms;
  broadcast_hooks hooks = {
      on_wake, on_subscribe, print, d, update_ms < interval_ms ? update_ms : interval_ms, NULL};
  must(broadcast_create(keys, &hooks, &d->broadcast), "broadcast");
  ticker_config ticking = {
      .loop = &d->loop,
      .clock = &d->clock,
      .store = spy_store(d->spy),
      .broadcast = d->broadcast,
      .counters = &d->counters,
      .alpha = d->config.ema_alpha,
      .interval_ms = interval_ms,
      .changes_ms = CHANGES_INTERVAL_MS,
      .max_changes = d->config.max_customers,
      .seed = keys,
  };
  must(ticker_create(&ticking, &d->ticker), "ticker");
  ticker_start(d->ticker);
  for (int i = 0; listens && i < model_settings()->customers; i++) {
    d->listeners[i].sub.deliver = deliver;
    must(broadcast_subscribe(d->broadcast, slice_of(model_customer_id(i)), &d->listeners[i].sub),
         "listener");
  }
  return d;
}

void instance_run(instance *d) {
  if (sim_ms() < d->frozen_until_ms) return;
  instance_enter(d);
  uv_run(&d->loop, UV_RUN_NOWAIT);
}

int64_t instance_next_ms(const instance *d) {
  int timeout = uv_backend_timeout(&d->loop);
  int64_t next = timeout < 0
                     ? INT64_MAX
                     : (int64_t)uv_now(&d->loop) - 1000000 - d->monotonic_ahead_ms + timeout;
  return next > d->frozen_until_ms ? next : d->frozen_until_ms;
}

void instance_freeze(instance *d, int64_t until_ms) {
  if (until_ms > d->frozen_until_ms) d->frozen_until_ms = until_ms;
}

static void on_stopped(void *arg) {
  ((instance *)arg)->parts--;
}

void instance_stop(instance *d, bool killed) {
  instance_enter(d);
  d->stopping = true;
  d->frozen_until_ms = 0;
  if (killed) network_cut_off(NULL, d->host, -1, CUT_NOW);
  for (int i = 0; i < CUSTOMERS_MAX; i++) broadcast_unsubscribe(d->broadcast, &d->listeners[i].sub);
  d->parts = 2;
  ticker_stop(d->ticker, on_stopped, d);
  spy_store(d->spy)->ops->stop(spy_store(d->spy), on_stopped, d);
}

bool instance_is_frozen(const instance *d) {
  return sim_ms() < d->frozen_until_ms;
}

bool instance_is_stopping(const instance *d) {
  return d->stopping;
}

bool instance_has_stopped(const instance *d) {
  return d->stopping && d->parts == 0;
}

void instance_free(instance *d) {
  instance_enter(d);
  ticker_free(d->ticker);
  broadcast_free(d->broadcast);
  presence_free(d->presence);
  spy_store(d->spy)->ops->free(spy_store(d->spy));
  for (int i = 0; i < TURNS_TO_CLOSE && uv_loop_alive(&d->loop); i++)
    uv_run(&d->loop, UV_RUN_NOWAIT);
  if (uv_loop_close(&d->loop) != 0)
    report_failure("handles were left open by a daemon that has stopped", "d%d", d->host);
  free(d);
}

int instance_host(const instance *d) {
  return d->host;
}

presence *instance_presence(instance *d) {
  return d->presence;
}

au_store *instance_store(instance *d) {
  return spy_store(d->spy);
}

const char *instance_reason(const instance *d) {
  if (sim_ms() < d->frozen_until_ms) return "frozen";
  return spy_store(d->spy)->ops->health(spy_store(d->spy)).reason;
}

const heard *instance_heard(const instance *d, int customer) {
  return d->listens ? &d->listeners[customer].last : NULL;
}

void instance_check(const instance *d) {
  int64_t oldest_ms;
  if (sim_ms() < d->frozen_until_ms + OPERATION_MAX_MS) return;
  if (spy_open(d->spy, &oldest_ms) > 0 && sim_ms() - oldest_ms > OPERATION_MAX_MS)
    report_failure("an operation does not end", "at d%d, begun at %lld ms", d->host,
                   (long long)oldest_ms);
}
