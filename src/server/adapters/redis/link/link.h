/* A lasting link to Redis: one connection at a time, made again when it is lost, and a
 * queue of commands that wait for their answers. Knows no keys and no operations.
 *
 * Where a URL names sentinels, they are asked before each connection, and only a master is
 * taken. They are asked again every so often, since one that was replaced by hand goes on as if
 * nothing had happened. A READONLY drops the link once it is answered, and the name is resolved
 * again: behind it may be another server by now.
 *
 * The rule of a command: its callback runs exactly once, from the loop, never inside the
 * call that issued it: with the reply, or without one when the link is lost or stopped.
 * A command that waits longer than `command_timeout_ms` drops the link, so none waits longer
 * and a stopped Redis is noticed. In pub/sub mode a message is a sign of life as well: answers
 * stand behind a flood of them. */
#ifndef ADAPTERS_REDIS_LINK_H
#define ADAPTERS_REDIS_LINK_H

#include <active_users/types.h>
#include <hiredis/hiredis.h>
#include <uv.h>

#include "adapters/redis/protocol/url.h"
#include "request.h"

enum {
  REDIS_COMMAND_TIMEOUT_MS = 2000, /* from the command to its answer */
  REDIS_CONNECT_TIMEOUT_MS = 3000, /* from the look-up of the name to the end of TLS's handshake */
  REDIS_BACKOFF_MIN_MS = 100,      /* doubled with each failure, with jitter */
  REDIS_BACKOFF_MAX_MS = 1000,
  REDIS_LASTING_MS = 1000,       /* a link that was ready this long begins again at the minimum */
  REDIS_REPLICA_SHOWS_MS = 3000, /* a link has refused a test write by then, if it is a replica's */
  REDIS_REPLICA_BACKOFF_MAX_MS = 5000, /* as above, while a plain URL leads to a replica */
  REDIS_MASTER_REFRESH_MS = 5000, /* between two questions whether the master is still the same */
  REDIS_IN_FLIGHT_MAX = 20000,    /* commands that wait for their answers */
  REDIS_COMMAND_MAX_BYTES = 64 * 1024, /* of one command */
  REDIS_MESSAGE_MAX_BYTES = 4 * 1024,  /* of pub/sub: a longer one comes as an empty one */
};

typedef struct redis_link redis_link;

typedef struct redis_link_config {
  uv_loop_t *loop;
  const redis_url *url;     /* borrowed for the link's life: login, TLS, and where to */
  const redis_endpoint *to; /* NULL: where the URL says; else there. Borrowed likewise */
  const char *name;         /* static; CLIENT SETNAME and the log */
  uint64_t seed;            /* of the jitter */
  bool stays_at_replica; /* a READONLY does not drop it: the map of a Cluster says who is master */
  int64_t command_timeout_ms; /* REDIS_COMMAND_TIMEOUT_MS */
  uint32_t max_in_flight;     /* REDIS_IN_FLIGHT_MAX */
  /* Commands are taken from now on. From the loop, like everything here. */
  void (*ready)(void *arg);
  /* They no longer are; the callbacks of those in flight follow. After each `ready`, but
   * not after a stop. */
  void (*lost)(void *arg);
  /* Not NULL: a link for SUBSCRIBE and UNSUBSCRIBE (one channel a command, which keeps one
   * answer a command) and PING. Messages come here; slices are borrowed for the call. */
  void (*message)(void *arg, au_slice channel, au_slice payload);
  /* Counts connections that ended or could not be made; NULL: nobody asks. */
  uint64_t *lost_count;
  void *arg;
} redis_link_config;

/* Whether links to a URL can be made at all. Returns AU_OK, AU_ENOMEM, or AU_EINVAL with
 * *reason, a static sentence. */
AU_MUST_CHECK au_status redis_link_check(const redis_url *url, const char **reason);

/* Returns AU_OK, AU_ENOMEM, or AU_EINVAL: what redis_link_check says. */
AU_MUST_CHECK au_status redis_link_create(const redis_link_config *config, redis_link **out);

/* Begins connecting, and goes on until stopped. Once. */
void redis_link_start(redis_link *link);

bool redis_link_is_ready(const redis_link *link);

/* Where it leads, or last tried to; for the log. Valid as long as the link. */
const redis_endpoint *redis_link_endpoint(const redis_link *link);

/* Why it is not ready, static text; "" when it is. */
const char *redis_link_reason(const redis_link *link);

/* How many more commands are taken now. */
uint32_t redis_link_capacity(const redis_link *link);

/* Issues a command; the arguments may hold any bytes and are copied. Returns AU_OK,
 * AU_ESTORE (not ready), AU_EBUSY (too many in flight), AU_EINVAL (too large) or
 * AU_ENOMEM. */
AU_MUST_CHECK au_status redis_link_command(redis_link *link, const au_slice *args, size_t n,
                                           redis_reply_fn cb, void *arg);

/* From now on, or no longer: nobody waits for the answers of the commands that are issued
 * (redis_socket_write). For the caller's own, one after the other: set it back. */
void redis_link_set_can_wait(redis_link *link, bool can_wait);

/* Ends a started link: commands in flight end with AU_ECANCELED, then `stopped` runs once;
 * all from the loop. All handles are closed by then. */
void redis_link_stop(redis_link *link, void (*stopped)(void *arg), void *arg);

/* Frees a link that has stopped or that was never started. NULL is fine. */
void redis_link_free(redis_link *link);

#endif
