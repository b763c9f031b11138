/* The first commands on a connection to Redis (login, database and name), and what their answers
 * mean. Knows neither the connection nor what follows from a refusal. */
#ifndef ADAPTERS_REDIS_HANDSHAKE_H
#define ADAPTERS_REDIS_HANDSHAKE_H

#include <active_users/types.h>

#include "adapters/redis/protocol/url.h"
#include "request.h"

/* All of it is borrowed until the last answer. */
typedef struct redis_handshake {
  const redis_url *url; /* login and database */
  const char *name;     /* CLIENT SETNAME */
  bool wants_master;    /* a server that is something else is refused */
  /* As redis_link_command, for these commands alone. `cb` gets `cb_arg`. */
  au_status (*issue)(void *arg, const au_slice *args, size_t n, redis_reply_fn cb, void *cb_arg);
  /* One of them runs, once, from within an answer; neither when the connection is lost before.
   * `refused` drops it, so that the other commands end without a reply; `reason` is static, and
   * so is `detail`, which is for the log. */
  void (*done)(void *arg);
  void (*refused)(void *arg, const char *reason, const char *detail);
  void *arg;
} redis_handshake;

/* Issues all commands in one go. Returns AU_OK, or what `issue` did; then the connection is of
 * no use, and is dropped by the caller. */
AU_MUST_CHECK au_status redis_handshake_send(redis_handshake *h);

#endif
