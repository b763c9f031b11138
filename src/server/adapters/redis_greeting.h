/* What is said first on a connection to Redis, login, database and name, and what the answers
 * mean. Knows neither the connection nor what follows from a refusal. */
#ifndef ADAPTERS_REDIS_GREETING_H
#define ADAPTERS_REDIS_GREETING_H

#include <active_users/types.h>

#include "redis_link.h"
#include "redis_url.h"

/* All of it is borrowed until the last answer. */
typedef struct redis_greeting {
  const redis_url *url; /* login and database */
  const char *name;     /* CLIENT SETNAME */
  bool wants_master;    /* whoever says to be something else is refused */
  /* As redis_link_command, for these commands alone. `cb` gets `cb_arg`. */
  au_status (*issue)(void *arg, const au_slice *args, size_t n, redis_reply_fn cb, void *cb_arg);
  /* One of them runs, once, from within an answer; neither when the connection is lost before.
   * `refused` drops it, so that the other commands end without a reply; `reason` is static, and
   * so is `detail`, which is for the log. */
  void (*greeted)(void *arg);
  void (*refused)(void *arg, const char *reason, const char *detail);
  void *arg;
} redis_greeting;

/* Issues all commands in one go. Returns AU_OK, or what `issue` did; then the connection is of
 * no use, and is dropped by the caller. */
AU_MUST_CHECK au_status redis_greeting_send(redis_greeting *g);

#endif
