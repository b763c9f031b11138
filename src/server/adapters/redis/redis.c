/* Joins the parts of the Redis store and stops them. Has no logic of its own. */
#include "redis.h"

#include "adapters/redis/link/link.h"
#include "adapters/redis/ops/op.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reports -------------------------------------------------------------------- */

static void on_data_lost(void *arg, uint16_t slot, bool settle) {
  const redis_store *s = arg;
  s->events.data_lost(s->events.arg, slot, settle);
}

static void on_ready(void *arg) {
  const redis_store *s = arg;
  s->events.ready(s->events.arg);
}

static void on_moved(void *arg) {
  redis_store *s = arg;
  redis_pubsub_choose(s->pubsub);
}

/* A link that was not cut may still lead to the old one, where nothing is published any more. */
static void on_replaced(void *arg, const redis_url *at) {
  redis_store *s = arg;
  redis_pubsub_renew(s->pubsub, at);
}

static void on_changed(void *arg, au_slice customer_id) {
  const redis_store *s = arg;
  s->events.changed(s->events.arg, customer_id);
}

static void on_session_gone(void *arg, au_slice customer_id, au_slice session_id) {
  const redis_store *s = arg;
  s->events.session_gone(s->events.arg, customer_id, session_id);
}

static const redis_url *choose_pubsub(void *arg, const redis_url *now) {
  const redis_store *s = arg;
  return redis_router_pubsub_url(s->router, now);
}

static void on_published(void *arg, const au_metrics *metrics) {
  const redis_store *s = arg;
  s->events.published(s->events.arg, metrics);
}

static void on_told(void *arg, au_slice message) {
  redis_take_told(arg, message);
}

/* ---- shared_store ------------------------------------------------------------------ */

static const redis_store *store_of(const shared_store *s) {
  return (const redis_store *)s;
}

static void redis_start(shared_store *store, const shared_store_events *events) {
  redis_store *s = redis_store_of(store);
  const redis_router_events reports = {on_data_lost, on_ready, on_moved, on_replaced, s};
  s->events = *events;
  redis_router_start(s->router, &reports);
  redis_pubsub_start(s->pubsub);
}

static uint32_t redis_slots(const shared_store *s) {
  return redis_router_slots(store_of(s)->router);
}

static uint16_t redis_slot(const shared_store *s, au_slice customer_id) {
  return redis_store_slot(store_of(s), customer_id);
}

static bool redis_serves(const shared_store *s, uint16_t slot) {
  return redis_router_serves(store_of(s)->router, slot);
}

static int64_t redis_clock_ms(const shared_store *s, uint16_t slot) {
  return redis_router_clock_ms(store_of(s)->router, slot);
}

static uint32_t redis_partitions(const shared_store *s) {
  return (uint32_t)redis_keys_groups(&store_of(s)->keys);
}

static uint32_t redis_partition_of(const shared_store *s, au_slice customer_id) {
  return (uint32_t)redis_keys_group_of(&store_of(s)->keys, customer_id);
}

static uint16_t redis_partition_slot(const shared_store *s, uint32_t partition) {
  return redis_store_list_slot(store_of(s), partition);
}

static bool redis_ever_up(const shared_store *s) {
  return redis_router_ever_up(store_of(s)->router);
}

static const char *redis_name(const shared_store *s) {
  (void)s;
  return "redis";
}

static const char *redis_reason(const shared_store *s) {
  const char *reason = redis_router_reason(store_of(s)->router);
  if (reason[0] == '\0') reason = redis_scans_reason(store_of(s)->scans);
  return reason[0] != '\0' ? reason : redis_pubsub_reason(store_of(s)->pubsub);
}

static void redis_scan_all(shared_store *s) {
  redis_scans_want(redis_store_of(s)->scans);
}

static au_status redis_subscribe(shared_store *s, au_slice customer_id, bool on) {
  return redis_pubsub_set(redis_store_of(s)->pubsub, customer_id, on);
}

static void redis_stop(shared_store *store, void (*stopped)(void *arg), void *arg) {
  redis_store *s = redis_store_of(store);
  join_stop_begin(&s->stop, stopped, arg);
  redis_scans_stop(s->scans, join_stop_done, join_stop_add(&s->stop));
  redis_router_stop(s->router, join_stop_done, join_stop_add(&s->stop));
  redis_pubsub_stop(s->pubsub, join_stop_done, join_stop_add(&s->stop));
  join_stop_done(&s->stop);
}

static void redis_free(shared_store *store) {
  redis_store *s = redis_store_of(store);
  redis_scans_free(s->scans);
  redis_router_free(s->router);
  redis_pubsub_free(s->pubsub);
  buffer_free(&s->value);
  explicit_bzero(&s->url, sizeof s->url);
  free(s);
}

static const shared_store_ops redis_ops = {
    .start = redis_start,
    .touch = redis_touch,
    .leave = redis_leave,
    .shorten = redis_shorten,
    .sample = redis_sample,
    .due = redis_due,
    .save = redis_save,
    .evict = redis_evict,
    .publish = redis_publish,
    .note_tick = redis_note_tick,
    .list = redis_list,
    .expel = redis_expel,
    .board_read = redis_board_read,
    .board_write = redis_board_write,
    .share_spent = redis_share_spent,
    .share_pages = redis_share_pages,
    .read_pages = redis_read_pages,
    .hear = redis_hear,
    .tell = redis_tell,
    .restore_session = redis_restore_session,
    .restore_leave = redis_restore_leave,
    .restore_shorten = redis_restore_shorten,
    .restore_average = redis_restore_average,
    .slots = redis_slots,
    .slot_of = redis_slot,
    .serves = redis_serves,
    .clock_ms = redis_clock_ms,
    .partitions = redis_partitions,
    .partition_of = redis_partition_of,
    .partition_slot = redis_partition_slot,
    .ever_up = redis_ever_up,
    .name = redis_name,
    .reason = redis_reason,
    .scan = redis_scan_all,
    .subscribe = redis_subscribe,
    .stop = redis_stop,
    .free = redis_free,
};

/* ---- life ---------------------------------------------------------------------------- */

static au_status create_parts(redis_store *s, uv_loop_t *loop, map_seed seed, stats *counters) {
  bool is_cluster = s->url.kind == REDIS_CLUSTER;
  redis_keys_init(&s->keys, is_cluster);
  const redis_router_config router = {
      .loop = loop,
      .clock = s->clock,
      .counters = counters,
      .url = &s->url,
      .seed = seed,
      .daemon = s->name,
      .fault_ms = s->lease_ms,
  };
  const redis_pubsub_config pubsub = {
      .loop = loop,
      .counters = counters,
      .seed = seed,
      .choose = choose_pubsub,
      .published = on_published,
      .told = on_told,
      .arg = s,
  };
  au_status status =
      redis_router_create(&router, is_cluster ? &redis_cluster : &redis_single, &s->router);
  if (status == AU_OK) status = redis_pubsub_create(&pubsub, &s->pubsub);
  const redis_scan_config scan = {
      .loop = loop,
      .clock = s->clock,
      .config = s->config,
      .counters = counters,
      .router = s->router,
      .keys = &s->keys,
      .changed = on_changed,
      .session_gone = on_session_gone,
      .arg = s,
  };
  if (status == AU_OK) status = redis_scans_create(&scan, &s->scans);
  return status;
}

/* Not made of the seed: Redis has it, and with the seed one can choose ids that meet in one
 * bucket. No random number is as no memory, here as for the seed. */
static au_status name_store(redis_store *s) {
  uint64_t name;
  if (uv_random(NULL, NULL, &name, sizeof name, 0, NULL) != 0) return AU_ENOMEM;
  snprintf(s->name, sizeof s->name, "%016" PRIx64, name);
  return AU_OK;
}

au_status redis_store_create(uv_loop_t *loop, const au_config *config, const au_clock *clock,
                             map_seed seed, stats *counters, const char **reason,
                             shared_store **out) {
  *reason = "out of memory";
  redis_store *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->base.ops = &redis_ops;
  s->history.ops = &redis_history_ops;
  s->config = config;
  s->clock = clock;
  s->counters = counters;
  s->lease_ms = config->ema_interval_ms * 3 / 2;
  buffer_init(&s->value, REDIS_VALUE_MAX_BYTES);
  au_status status = redis_url_parse(config->redis_url, &s->url, reason);
  s->url.ca_file = config->redis_ca;
  if (status == AU_OK) status = redis_link_check(&s->url, reason);
  if (status == AU_OK) status = name_store(s);
  if (status == AU_OK) status = create_parts(s, loop, seed, counters);
  if (status != AU_OK) {
    redis_free(&s->base);
    return status;
  }
  *reason = "";
  *out = &s->base;
  return AU_OK;
}

au_history_store *redis_store_history(shared_store *store) {
  return &redis_store_of(store)->history;
}
