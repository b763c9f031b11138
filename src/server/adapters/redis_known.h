/* What Redis last said of customers: the answer to go by while it is lost, and the average
 * to give back to a Redis that has forgotten it. Knows neither Redis nor the table. */
#ifndef ADAPTERS_REDIS_KNOWN_H
#define ADAPTERS_REDIS_KNOWN_H

#include <active_users/types.h>

#include "../utils/map.h"

typedef struct redis_known redis_known;

typedef struct redis_fact {
  uint32_t others; /* live sessions that other daemons have acknowledged */
  bool has_ema;    /* false before the first tick; `ema` and `ticked_ms` are 0 then */
  double ema;
  int64_t ticked_ms; /* when it was made, on Redis's clock */
} redis_fact;

enum { REDIS_KNOWN_SLICE = 64 }; /* facts looked at in one call of redis_known_expire */

/* max          customers at most; of more nothing is known.
 * lifetime_ms  for which a fact that nobody renews is kept.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_known_create(map_seed seed, size_t max, int64_t lifetime_ms,
                                           redis_known **out);

/* NULL is fine. */
void redis_known_free(redis_known *k);

/* now_ms  monotonic, here and below. */
void redis_known_set(redis_known *k, au_slice customer_id, const redis_fact *fact, int64_t now_ms);

/* Zeros and false for an unknown customer. */
bool redis_known_get(const redis_known *k, au_slice customer_id, redis_fact *out);

void redis_known_forget(redis_known *k, au_slice customer_id);

/* Drops what is too old, unless `keep` says otherwise. Not while Redis is lost: what was
 * known last is all there is then. */
void redis_known_expire(redis_known *k, int64_t now_ms,
                        bool (*keep)(void *arg, au_slice customer_id), void *arg);

/* A walk over the facts, the oldest news first, in which they may change: what is set
 * meanwhile may be met or not. Embedded in whoever walks; its fields are the facts'. */
typedef struct redis_known_walk {
  struct redis_known_walk *other;
  struct deadline *at; /* the next to be met */
  size_t left;         /* as many as there were at its beginning */
} redis_known_walk;

void redis_known_walk_begin(redis_known *k, redis_known_walk *walk);

/* The next one; false at the end. The slice is valid until facts change. */
bool redis_known_walk_next(redis_known *k, redis_known_walk *walk, au_slice *customer_id,
                           redis_fact *out);

/* Wherever it is; every walk is ended. Fine when it is not one, or zeroed. */
void redis_known_walk_end(redis_known *k, redis_known_walk *walk);

#endif
