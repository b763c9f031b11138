/* A real redis-server for a test: started in a directory of its own on a Unix socket, ended
 * by its process id, and asked directly over a connection that the daemon's code has no
 * part in. And a store on a loop of its own, with answers to wait for. */
#ifndef REDIS_FIXTURE_H
#define REDIS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "adapters/fallback/fallback.h"
#include "adapters/redis/redis.h"
#include "run_until.h"
#include "utils/buffer.h"

enum { FIXTURE_PATIENCE_MS = 15000 };

/* ---- the server ------------------------------------------------------------ */

typedef struct server {
  pid_t pid; /* 0: not running */
  char dir[32], socket[64], url[80];
  redisContext *direct;
} server;

void server_start(server *s);
void server_kill(server *s);

/* Asks Redis; the reply is the caller's. */
redisReply *ask_redis(server *s, const char *format, ...);

/* The reply as an integer: of an integer, of a text that is one, the size of an array, the
 * length of any other text; -1 for nil, -2 for an error. */
#define ASK(s, ...) fixture_number(ask_redis((s), __VA_ARGS__))

long long fixture_number(redisReply *reply);

/* ---- the store --------------------------------------------------------------- */

typedef struct fixture {
  server server;
  uv_loop_t loop;
  uv_timer_t pulse; /* keeps uv_run from sleeping long */
  au_config config;
  stats counters;
  au_store_events events;
  au_store *store, *other; /* the one under test, and another daemon's */
  unsigned changed, published, stopped;
  char changed_id[AU_ID_MAX + 1]; /* the newest */
  au_metrics metrics;             /* the newest; its customer is `metrics_id` */
  char metrics_id[AU_ID_MAX + 1];
} fixture;

#define RUN_UNTIL(b, condition) RUN_LOOP_UNTIL(&(b)->loop, FIXTURE_PATIENCE_MS, condition)

void bench_run_ms(fixture *b, uint64_t ms);
void bench_on_stopped(void *arg);

/* Nothing of the store yet: the test may change `config` first. */
fixture *bench_create(void);
au_status bench_open(fixture *b, au_store **out);

bool is_available(au_store *store);

/* Not even one key is at fault. */
bool is_well(au_store *store);
void bench_start(fixture *b);

void bench_close(fixture *b, au_store **open);

/* The loop must have nothing left of the stores. */
void bench_free(fixture *b);

/* ---- looking into Redis ------------------------------------------------------- */

/* Whether the value of a key holds a text. */
bool holds(fixture *b, const char *key, const char *text);
long long redis_ms(fixture *b);

/* ---- operations, one at a time --------------------------------------------------- */

typedef struct outcome {
  unsigned calls;
  bool inside; /* set while the store is being called */
  au_status status;
  au_sample sample;
  int64_t again_ms;
  size_t n;
  char ids[16][AU_ID_MAX + 1];
} outcome;

void on_done(au_status status, void *arg);
void on_sampled(au_status status, const au_sample *sample, void *arg);

void on_listed(au_status status, const au_due *due, void *arg);

/* Calls a function of the store and waits for its one answer; the status at once when it
 * refuses. */
#define DO(b, o, call)                \
  do {                                \
    memset((o), 0, sizeof *(o));      \
    (o)->inside = true;               \
    au_status begun_ = (call);        \
    (o)->inside = false;              \
    if (begun_ != AU_OK)              \
      (o)->status = begun_;           \
    else                              \
      RUN_UNTIL((b), (o)->calls > 0); \
  } while (0)

au_beat beat_of(const char *customer, const char *session, const char *tab);
au_status do_touch(fixture *b, au_store *store, const au_beat *beat, au_touch_kind kind);

au_status do_join(fixture *b, const char *customer, const char *session);
au_status do_leave(fixture *b, const char *customer, const char *session, const char *tab);

outcome do_sample(fixture *b, const char *customer);

/* The count of a sample, which must be there. */
uint32_t do_count(fixture *b, const char *customer);

outcome do_due(fixture *b, int64_t min_age_ms, size_t skip, size_t max);

/* What a tick does: begins a round, and asks who is due, which waits for the round. */
void do_tick(fixture *b);

/* With what is sampled now. */
au_status do_save(fixture *b, const char *customer, double ema);
au_status do_evict(fixture *b, const char *customer);

au_status do_publish(fixture *b, const char *customer, uint32_t count);

#endif
