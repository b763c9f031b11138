/* A memory store on a real loop, with a clock whose hands the test turns, and a log
 * of what it called back. */
#ifndef TESTS_MEMORY_CASE_H
#define TESTS_MEMORY_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/memory.h"
#include "utils/buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MS = 20000, GRACE_MS = 20, IN_FLIGHT_MAX = 65536, TURN_MAX = 256 };

typedef struct fixture {
  uv_loop_t loop;
  au_clock clock;
  int64_t now_ms;
  au_config config;
  au_store_events events;
  au_store *store;
  bool inside; /* a store function is being called: nothing may call back */
  buffer log;  /* what was called back, in order */
  int changed, stopped;
} fixture;

void memory_on_stopped(void *arg);
int memory_setup_as(void **state, const memory_embedding *embedding);

int memory_setup(void **state);

/* Stops the store if the test has not; a handle left open fails uv_loop_close. */
int memory_teardown(void **state);

/* One turn of the loop that waits for nothing. */
void turn(fixture *f);
void expect_calls(fixture *f, const char *want);

au_beat memory_beat(const char *customer, const char *session, const char *tab);

extern const au_sample untold; /* a single daemon does not look at it */

extern fixture *answered; /* whose log the callbacks write to: `arg` is their name */

void log_done(au_status status, void *arg);
void log_sample(au_status status, const au_sample *sample, void *arg);

void log_due(au_status status, const au_due *due, void *arg);

#define CALL(f, status, call)                          \
  do {                                                 \
    answered = (f);                                    \
    (f)->inside = true;                                \
    assert_int_equal((f)->store->ops->call, (status)); \
    (f)->inside = false;                               \
  } while (0)

void touch(fixture *f, const char *customer, const char *session, const char *name);
void sample(fixture *f, const char *customer, const char *name);

#define TEST(name) cmocka_unit_test_setup_teardown(name, memory_setup, memory_teardown)

#endif
