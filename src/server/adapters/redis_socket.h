/* One connection to Redis on the loop: bytes out, replies in. Knows no commands,
 * does not wait for answers and never connects again.
 *
 * hiredis connects, keeps the buffers and parses. Its asynchronous half is not used:
 * in 0.14 it asserts on an answer nobody asked for and on an odd pub/sub message, and
 * a broken answer must not end the daemon. */
#ifndef ADAPTERS_REDIS_SOCKET_H
#define ADAPTERS_REDIS_SOCKET_H

#include <active_users/types.h>
#include <hiredis/hiredis.h>
#include <uv.h>

#include "redis_url.h"

/* A reply beyond these ends the connection: memory and time are bounded whatever the
 * other side sends. */
enum {
  REDIS_REPLY_MAX_BYTES = 16 * 1024 * 1024,
  REDIS_REPLY_MAX_ELEMENTS = 1024 * 1024, /* of one array */
  REDIS_REPLY_MAX_DEPTH = 8,
};

typedef struct redis_socket redis_socket;

/* All of them run from the loop, never inside a function of this page (but `replied` and
 * `closed` may run inside redis_socket_read). Each may close the socket. */
typedef struct redis_socket_events {
  void (*opened)(void *arg);
  /* `reply` is borrowed for the call. */
  void (*replied)(void *arg, const redisReply *reply);
  /* The connection could not be made or ended; `why` is borrowed for the call. Runs at
   * most once, and not after redis_socket_close. */
  void (*closed)(void *arg, const char *why);
  /* All handles are closed and the memory is free: the last event, always. */
  void (*freed)(void *arg);
  void *arg;
} redis_socket_events;

/* Begins to connect; a host name is looked up by libuv's pool.
 *
 * attempt  picks one of the addresses of the name, so that a caller who counts up tries
 *          them in turn.
 * Returns AU_OK (then `opened` or `closed` follows) or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_socket_open(uv_loop_t *loop, const redis_url *url, unsigned attempt,
                                          const redis_socket_events *events, redis_socket **out);

/* Queues bytes of an open socket; they leave with the next turn of the loop, together.
 * Returns AU_OK, or AU_ENOMEM (the connection ends soon then). */
AU_MUST_CHECK au_status redis_socket_write(redis_socket *s, au_slice bytes);

/* Takes what has arrived without waiting for the loop to say so. */
void redis_socket_read(redis_socket *s);

/* Ends the connection at once; only `freed` follows. Fine when it has closed itself. */
void redis_socket_close(redis_socket *s);

#endif
