/* One connection to Redis on the loop, plain or in TLS: bytes out, replies in. Knows no
 * commands, does not wait for answers and never connects again.
 *
 * hiredis connects and parses. Its asynchronous half is not used: in 0.14 it asserts on
 * an answer nobody asked for and on an odd pub/sub message, and a broken answer must not
 * end the daemon. */
#ifndef ADAPTERS_REDIS_SOCKET_H
#define ADAPTERS_REDIS_SOCKET_H

#include <active_users/types.h>
#include <hiredis/hiredis.h>
#include <uv.h>

#include "adapters/redis/protocol/url.h"
#include "tls.h"

/* A bulk string above the socket's limit becomes nil on the way in (redis_filter). A reply beyond
 * these ends the connection: memory and time are bounded whatever the other side sends. */
enum {
  REDIS_BULK_MAX_BYTES = 16 * 1024 + 1, /* a value of 16 KiB, and one byte that tells of more */
  REDIS_REPLY_MAX_BYTES = 16 * 1024 * 1024,
  REDIS_REPLY_MAX_ELEMENTS =
      256 * 1024, /* with those of nested arrays; freeing them takes some 5 ms */
  REDIS_REPLY_MAX_DEPTH = 8,
  REDIS_OUTPUT_MAX_BYTES = 64 * 1024 * 1024, /* that wait to be sent */
  REDIS_WAIT_MS = 100,                       /* for which bytes that can wait do */
  REDIS_WAIT_BYTES = 16 * 1024,              /* so many wait no longer: there is enough to send */
  /* Of one turn of the loop, for replies and what follows from them. What is left waits in the
   * reader for the next turn, and meanwhile nothing more is read. */
  REDIS_TURN_BUDGET_US = 1000,
};

typedef struct redis_socket redis_socket;

/* All of them run from the loop, never inside a function of this page (but `replied` and
 * `closed` may run inside redis_socket_read). Each may close the socket. */
typedef struct redis_socket_events {
  void (*opened)(void *arg); /* TLS included */
  /* `reply` is borrowed for the call. */
  void (*replied)(void *arg, const redisReply *reply);
  /* The connection could not be made or ended. `reason` is static, for the health page;
   * `why` is for the log and borrowed for the call. Runs at most once, and not after
   * redis_socket_close. */
  void (*closed)(void *arg, const char *reason, const char *why);
  /* All handles are closed and the memory is free: the last event, always. */
  void (*freed)(void *arg);
  void *arg;
} redis_socket_events;

typedef struct redis_socket_config {
  uv_loop_t *loop;
  const redis_endpoint *to; /* borrowed for the call */
  redis_tls *tls;           /* NULL: plain. Borrowed for the socket's life */
  size_t bulk_max_bytes;    /* REDIS_BULK_MAX_BYTES, or less */
  unsigned attempt; /* picks one of the addresses of a name: counted up, all are tried in turn */
  redis_socket_events events;
} redis_socket_config;

/* Begins to connect; a host name is looked up by libuv's pool. Returns AU_OK (then `opened`
 * or `closed` follows) or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_socket_open(const redis_socket_config *config, redis_socket **out);

/* Queues bytes of an open socket; they leave with the next turn of the loop, together. Bytes that
 * can wait leave with the next that cannot, and after REDIS_WAIT_MS at the latest: that saves the
 * other side, and this one, from being woken for each.
 * Returns AU_OK, AU_EBUSY (too much waits to be sent) or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_socket_write(redis_socket *s, au_slice bytes, bool can_wait);

/* What `closed` would give as its reason now, static: for a caller whose time is over. */
const char *redis_socket_reason(const redis_socket *s);

/* Takes of what has arrived as much as a turn takes, without waiting for the loop to say so. */
void redis_socket_read(redis_socket *s);

/* Ends the connection at once; only `freed` follows. Fine when it has closed itself. */
void redis_socket_close(redis_socket *s);

#endif
