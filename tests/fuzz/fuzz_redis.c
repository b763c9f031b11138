/* The store on a Redis that says anything: links, operations, subscriptions, restoring. The first
 * byte says what it answers as a Redis does (fake.h), the rest are its answers to everything else.
 * Each operation is answered once, and in the end everything closes. */
#include "fake.h"
#include "fuzz.h"

#include "adapters/fallback/fallback.h"
#include "adapters/redis/cluster/topology.h"
#include "adapters/redis/protocol/reply.h"
#include "adapters/redis/redis.h"
#include "utils/buffer.h"
#include "utils/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
  TURNS = 8,            /* of the loop, for an answer to come */
  STOP_TURNS = 100000,  /* until a stop counts as hanging */
  ARRAY_DIGITS_MAX = 5, /* hiredis 0.14 allocates what an array announces; the link forbids it */
};

static uv_loop_t loop;
static unsigned begun, ended, stopped;

static void on_done(au_status status, void *arg) {
  (void)status, (void)arg;
  ended++;
}
static void on_sample(au_status status, const au_sample *sample, void *arg) {
  (void)arg;
  must((status == AU_OK) == (sample != NULL));
  ended++;
}
static void on_due(au_status status, const au_due *due, void *arg) {
  (void)arg;
  must((status == AU_OK) == (due != NULL));
  for (size_t i = 0; due && i < due->n; i++)
    must(due->ids[i].len > 0 && due->ids[i].len <= AU_ID_MAX);
  ended++;
}
static void on_page(au_status status, const au_page *page, void *arg) {
  (void)arg;
  must((status == AU_OK) == (page != NULL));
  ended++;
}
static void on_board(au_status status, const au_board *board, void *arg) {
  (void)arg;
  must((status == AU_OK) == (board != NULL));
  must(!board || (board->n_blocks <= AU_BOARD_BLOCKS_MAX && board->n_notes <= AU_BOARD_NOTES_MAX));
  ended++;
}
static void on_spent(au_status status, const au_spent *rows, size_t n, int64_t minute,
                     int64_t into_ms, void *arg) {
  (void)status, (void)rows, (void)n, (void)minute, (void)into_ms, (void)arg;
  ended++;
}
static void on_ended(au_status status, bool was_there, void *arg) {
  (void)status, (void)was_there, (void)arg;
  ended++;
}
static void on_stopped(void *arg) {
  (void)arg;
  stopped++;
}
static void on_changed(void *arg, au_slice customer_id) {
  (void)arg;
  must(customer_id.len > 0);
}
static void on_published(void *arg, const au_metrics *metrics) {
  (void)arg;
  must(metrics->customer_id.len > 0 && metrics->ema >= 0);
}

static void turn(void) {
  for (unsigned i = 0; i < TURNS; i++) {
    uv_run(&loop, UV_RUN_NOWAIT);
    fake_serve();
  }
}

/* An operation: refused at once, or answered once. */
static void did(au_status status) {
  if (status == AU_OK) begun++;
  turn();
}

static void operate(au_store *store) {
  static au_spent rows[2];
  const au_store_ops *ops = store->ops;
  au_slice shop = slice_of("shop");
  au_beat beat = {.customer_id = shop, .session_id = slice_of("s"), .tab_id = slice_of("t")};
  au_sample sample = {.count = 1, .elapsed_ms = 1};
  au_metrics metrics = {.customer_id = shop, .timestamp_ms = 1, .count = 1, .ema = 1};
  au_listing list = {.kind = AU_LIST_CUSTOMERS};
  rows[0] = (au_spent){.name = slice_of("ishop"), .spent = 3};
  rows[1] = (au_spent){.name = slice_of("rshop"), .spent = 4};

  if (ops->subscribe(store, shop, true) != AU_OK) abort();
  did(ops->touch(store, &beat, AU_TOUCH_JOIN, on_done, NULL));
  did(ops->touch(store, &beat, AU_TOUCH_BEAT, on_done, NULL));
  did(ops->sample(store, shop, on_sample, NULL));
  ops->scan(store);
  did(ops->due(store, 0, 0, 0, 8, on_due, NULL));
  did(ops->save(store, shop, &sample, 1.5, on_done, NULL));
  did(ops->publish(store, &metrics, on_done, NULL));
  did(ops->list(store, &list, on_page, NULL));
  list = (au_listing){.kind = AU_LIST_SESSIONS, .customer_id = shop};
  did(ops->list(store, &list, on_page, NULL));
  list = (au_listing){.kind = AU_LIST_SESSION, .customer_id = shop, .session_id = beat.session_id};
  did(ops->list(store, &list, on_page, NULL));
  did(ops->board_read(store, 1000, on_board, NULL));
  did(ops->board_write(store, AU_BOARD_NOTE, slice_of("note"), 1, on_done, NULL));
  did(ops->share_spent(store, rows, 2, on_spent, NULL));
  did(ops->shorten(store, &beat, 1000, AU_SHORTEN_LEFT, on_done, NULL));
  did(ops->leave(store, &beat, on_done, NULL));
  did(ops->expel(store, shop, beat.session_id, on_ended, NULL));
  did(ops->evict(store, shop, &sample, on_done, NULL));
  (void)ops->subscribe(store, shop, false);
  turn();
}

static void use_store(const au_config *config) {
  static stats counters;
  au_store_events events = {.changed = on_changed, .published = on_published};
  const char *reason;
  map_seed seed = {1, 2};
  shared_store *shared;
  au_store *store;
  begun = ended = stopped = 0;
  must(redis_store_create(&loop, config, clock_system(), seed, &counters, &reason, &shared) ==
       AU_OK);
  must(fallback_create(&loop, config, clock_system(), seed, &events, shared, &store) == AU_OK);
  turn();
  turn();
  operate(store);
  fake_hang_up();
  uv_run(&loop, UV_RUN_NOWAIT);
  store->ops->stop(store, on_stopped, NULL);
  for (unsigned i = 0; stopped == 0 && i < STOP_TURNS; i++) uv_run(&loop, UV_RUN_NOWAIT);
  must(stopped == 1 && begun == ended);
  store->ops->free(store);
  for (unsigned i = 0; i < 4; i++) uv_run(&loop, UV_RUN_NOWAIT);
  must(!uv_loop_alive(&loop));
}

/* Readers of what only a Cluster says. */
static void read_cluster(const redisReply *reply) {
  static redis_topology topology;
  redis_endpoint asked = {.host = "h", .port = 1};
  redis_redirect to;
  double number;
  if (redis_topology_read(reply, &asked, &topology)) must(topology.count <= REDIS_NODES_MAX);
  if (redis_redirect_read(reply, &to)) must(to.slot < REDIS_SLOTS);
  if (redis_reply_number(reply, &number)) must(number >= 0);
  must(redis_reply_refusal(reply).reason != NULL);
}

/* Whether an array announces more than a reader without the link's limit should be given. */
static bool announces_much(const char *bytes, size_t len) {
  size_t digits = 0;
  bool counts = false;
  for (size_t i = 0; i < len; i++) {
    bool digit = bytes[i] >= '0' && bytes[i] <= '9';
    if (bytes[i] == '*')
      counts = true, digits = 0;
    else if (counts && digit && ++digits >= ARRAY_DIGITS_MAX)
      return true;
    else if (!digit)
      counts = false;
  }
  return false;
}

static void read_replies(const char *bytes, size_t len) {
  if (announces_much(bytes, len)) return;
  redisReader *reader = redisReaderCreate();
  void *reply;
  must(reader != NULL);
  (void)redisReaderFeed(reader, bytes, len);
  while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
    read_cluster(reply);
    freeReplyObject(reply);
  }
  redisReaderFree(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char url[96];
  static au_config config;
  fuzz_input in = {data, size};
  unsigned does = fuzz_byte(&in);
  if (url[0] == '\0') {
    signal(SIGPIPE, SIG_IGN);
    must(uv_loop_init(&loop) == 0);
    snprintf(url, sizeof url, "unix://%s", fake_path());
    au_config_init(&config);
    config.redis_url = url;
    log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  }
  char *answers = fuzz_copy(in.at, in.left);
  fake_reset(does, answers, in.left);
  use_store(&config);
  read_replies(answers, in.left);
  free(answers);
  return 0;
}
