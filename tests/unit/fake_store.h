/* A store that the test plays: customers it sets up, answers that come a turn later,
 * are held back or fail. And the time it goes by, for the loop as well: seconds take no
 * time, and nothing is ever late by accident. */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <active_users/store.h>
#include <uv.h>

#include "utils/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { CROWD = 1000 /* customers at most */, PARTITIONS_MAX = 4 };

/* ---- time ----------------------------------------------------------------- */

extern int64_t now_ms;

enum { WALL_BASE_S = 1700000000 };

int64_t read_wall(void *arg);
int64_t read_mono(void *arg);

/* ---- the store ------------------------------------------------------------ */

/* Which operations of a customer fail: at once, or in their callback. */
enum {
  SAMPLE_REFUSED = 1,
  SAMPLE_FAILS = 2,
  SAVE_REFUSED = 4,
  SAVE_FAILS = 8,
  EVICT_REFUSED = 16,
  EVICT_FAILS = 32,
  PUBLISH_REFUSED = 64,
  PUBLISH_FAILS = 128,
  PASSED = 256, /* another daemon saves or evicts first */
};

typedef struct customer {
  char id[16];
  bool listed; /* among the due when its time comes */
  uint32_t partition;
  uint32_t count;
  bool has_ema, stale;
  double ema;
  int64_t ticked_ms; /* -1: never */
  unsigned failing;
  unsigned samples, saves, evicts, publishes; /* begun */
} customer;

typedef enum op_kind { OP_SAMPLE, OP_DUE, OP_SAVE, OP_EVICT, OP_PUBLISH } op_kind;

typedef struct op {
  op_kind kind;
  char id[16];
  double ema;
  int64_t ticked_ms, at_ms; /* the last tick, and the sample's time */
  au_metrics metrics;
  uint32_t partition;
  int64_t min_age_ms;
  size_t skip, max;
  au_done_fn done;
  au_sample_fn sampled;
  au_due_fn listed;
  void *arg;
} op;

typedef struct fake_store {
  au_store store; /* first */
  uv_idle_t idle; /* answers */
  bool held;      /* nothing is answered */
  bool ever_up;
  const char *reason; /* why it is degraded; NULL: it is not */
  bool lagging;       /* lists everybody, however young */
  au_status due_begins, due_answers;
  uint32_t partitions;
  int64_t
      again_ms[PARTITIONS_MAX]; /* another daemon ticks the partition for so long; -1: this one */
  op ops[1024];
  size_t begun, answered; /* operations, ever */
  size_t most_in_flight, most_asked_for;
  customer customers[CROWD];
  size_t customer_count;
  unsigned activity; /* whatever happens is counted */
  buffer log;        /* what the store was asked, in order */
  bool crowded;      /* too many for the log */
  void (*published)(void *arg, const au_metrics *metrics);
  void *arg;
} fake_store;

customer *find(fake_store *s, const char *id);

/* A customer with somebody there, known to the store. */
customer *add(fake_store *s, const char *id, uint32_t count);

/* While it is held, it takes operations and answers none. */
void hold(fake_store *s, bool held);
void fake_store_open(fake_store *s, uv_loop_t *loop);

/* Ends what is in flight as a store does that stops; the loop closes the rest. */
void fake_store_close(fake_store *s);

#endif
