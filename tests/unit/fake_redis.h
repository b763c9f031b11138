/* A Redis made up for a test, on the same loop, that says whatever it is told to; and a link
 * to it with what it reported. */
#ifndef FAKE_REDIS_H
#define FAKE_REDIS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "adapters/redis/link/link.h"
#include "adapters/redis/link/socket.h"
#include "adapters/redis/protocol/reply.h"
#include "run_until.h"
#include "utils/buffer.h"

enum { PATIENCE_MS = 10000, SHORT_MS = 150 };

/* ---- a Redis made up ------------------------------------------------------ */

typedef struct peer {
  uv_pipe_t pipe;
  struct fake *fake;
} peer;

typedef struct fake {
  uv_loop_t *loop;
  uv_pipe_t listener;
  char dir[32], path[64];
  peer *last; /* the newest connection */
  unsigned connections, open;
  const char *greeting; /* the answer to the greeting */
  size_t received;
  char bytes[64 * 1024]; /* of the newest connection, after its greeting */
  bool greeted, listening;
} fake;

/* The bytes must be static, or outlive the loop's next turns. */
void fake_says(fake *f, const char *bytes, size_t len);
void fake_listen(fake *f);

void fake_hang_up(fake *f);

/* ---- a link and what it told ------------------------------------------------ */

typedef struct answers {
  unsigned ok, error, lost, timed_out, canceled;
  bool inside; /* set while the command is being issued */
  long long integer;
} answers;

typedef struct fixture {
  uv_loop_t loop;
  uv_timer_t beat; /* keeps uv_run from sleeping long */
  fake fake;
  redis_url url;
  redis_endpoint place; /* "": as the URL says */
  redis_link *link;
  unsigned ready, lost, messages, stopped;
  char message[256];
  answers answers; /* outlives a test that leaves commands in flight */
} fixture;

void on_reply(au_status status, const redisReply *reply, void *arg);
unsigned total(const answers *a);

#define RUN_UNTIL(f, condition) RUN_LOOP_UNTIL(&(f)->loop, PATIENCE_MS, condition)

void fixture_start(fixture *f, bool pubsub, int64_t timeout_ms, uint32_t max_in_flight);

int setup(void **state);
void on_stopped(void *arg);

/* The loop must have nothing left: every handle and request of the link is gone. */
int teardown(void **state);
au_status ask(fixture *f, answers *a, const char *word);

void be_ready(fixture *f);

#endif
