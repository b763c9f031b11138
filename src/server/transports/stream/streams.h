/* Server-sent events: a customer's metrics, as long as the reader stays. Connections come from the
 * HTTP listeners, with the head of their reply. Knows neither HTTP nor the store, only presence and
 * broadcast. */
#ifndef TRANSPORTS_STREAMS_H
#define TRANSPORTS_STREAMS_H

#include <uv.h>

#include "services/broadcast.h"
#include "services/presence.h"
#include "stats.h"
#include "transports/http/http_conn.h"
#include "transports/poller.h"
#include "utils/time.h"

enum {
  STREAMS_COMMENT_MS = 15000, /* a comment so often, for proxies that end what is silent */
  /* What a reader is asked to wait before it comes back: each another time of these, so that those
   * of a daemon that ends do not come at once. */
  STREAMS_RETRY_MIN_MS = 2000,
  STREAMS_RETRY_MAX_MS = 5000,
};

typedef struct streams streams;

typedef struct streams_config {
  uv_loop_t *loop;
  poller *poller;
  const au_clock *clock;
  presence *presence;
  broadcast *broadcast;
  stats *counters;
  int64_t stall_ms; /* a reader that has not taken what waits for it in this time is closed */
  int64_t drain_ms; /* a stop closes the streams over this time */
  /* A connection that was adopted has ended: its slot is free again. */
  void (*released)(void *arg);
  void *released_arg;
} streams_config;

/* Everything in `config` is borrowed for the life of the streams. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status streams_create(const streams_config *config, streams **out);

/* Takes over a connection: sends `head`, the metrics of now, and each message of the customer after
 * that. Owns what is in `conn`, but for `early`: nothing may follow the request. `head` and the id
 * are borrowed for the call; an empty head is one for which there was no memory. */
void streams_adopt(streams *all, const http_detached *conn, au_slice head, au_slice customer_id);

/* Ends one stream at once, because others need its slot: of some in turn the one whose address has
 * most connections. false: there is none. */
bool streams_evict(streams *all);

/* Closes all streams, spread over the drain. `stopped` runs once, from the loop, when all handles
 * are closed. Samples in flight keep memory until they end; stop the store next. */
void streams_stop(streams *all, void (*stopped)(void *arg), void *arg);
/* NULL is fine. */
void streams_free(streams *all);

#endif
