/* What the tests of ticker.h share: a ticker on a real loop, over a store that the test
 * plays and at a time that it turns. */
#ifndef TICKER_CASE_H
#define TICKER_CASE_H

#include "fake_store.h"

#include "services/ticker.h"
#include "utils/log.h"

enum {
  INTERVAL_MS = 4000,
  PAUSE_MS = 1000, /* from the end of the due to the quiet */
  PAGE = 128,      /* customers asked for at once */
};

typedef struct fixture {
  fake_store store;
  uv_loop_t loop;
  au_clock clock;
  stats counters;
  broadcast *broadcast;
  ticker *ticker;
  buffer heard;    /* what the listeners got */
  int64_t tick_ms; /* when the last tick was, or the ticker began */
  bool stopping, stopped;
} fixture;

/* ---- listeners ------------------------------------------------------------ */

typedef struct ear {
  subscriber s; /* first */
  fixture *fixture;
  unsigned heard;
} ear;

void listen_to(fixture *f, const char *id, ear *e);

/* ---- the fixture ---------------------------------------------------------- */

int ticker_setup(void **state);
void stop(fixture *f);

/* A handle left open fails uv_loop_close. */
int ticker_teardown(void **state);

/* Turns the loop until nothing happens any more, at one and the same time. */
void settle(fixture *f);
void run_for(fixture *f, int ms);

/* The loop does nothing for so long, and then goes on. */
void jump(fixture *f, int ms);

/* To the time when the last tick turns to the quiet. */
void to_quiet(fixture *f);

/* Through the quiet of the last tick to the next one. */
void to_tick(fixture *f);

/* What the store was asked since the last call. */
void expect_log(fixture *f, const char *name, const char *want);

/* What the listeners got since the last call. */
void expect_heard(fixture *f, const char *name, const char *want);

/* How often operations of a customer have begun; saves and evicts are counted as one. */
void expect_begun(const char *name, const customer *c, unsigned samples, unsigned saves,
                  unsigned publishes);

char *crowd_id(char id[16], int i);

/* Customers c0, c1 and so on, too many for the log. */
void add_crowd(fixture *f, int count);

#define TEST(name) cmocka_unit_test_setup_teardown(name, ticker_setup, ticker_teardown)

#endif
