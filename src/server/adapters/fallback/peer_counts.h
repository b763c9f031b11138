/* The last count of other daemons and the last average of each customer: counts while Redis is
 * lost are made of them, and a Redis that lost an average gets it back. Knows neither Redis nor
 * the table. */
#ifndef ADAPTERS_FALLBACK_PEER_COUNTS_H
#define ADAPTERS_FALLBACK_PEER_COUNTS_H

#include <active_users/types.h>

#include "utils/map.h"

typedef struct peer_counts peer_counts;

typedef struct peer_count {
  bool is_empty;   /* no live session, here or elsewhere */
  uint32_t others; /* live sessions of people that other daemons have acknowledged */
  uint32_t other_bots;
  bool has_ema; /* false before the first tick; `ema` and `ticked_ms` are 0 then */
  double ema;
  int64_t ticked_ms; /* when it was made, on Redis's clock */
} peer_count;

enum { PEER_COUNTS_SLICE = 64 }; /* entries looked at in one call of peer_counts_expire */

/* max          customers at most; the one that has been empty for the longest makes room for a
 *              new one. When none is empty, nothing is known of a new one.
 * lifetime_ms  for which a value that is not renewed is kept.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status peer_counts_create(map_seed seed, size_t max, int64_t lifetime_ms,
                                           peer_counts **out);

/* NULL is fine. */
void peer_counts_free(peer_counts *k);

/* now_ms  monotonic, here and below. */
void peer_counts_learn(peer_counts *k, au_slice customer_id, const peer_count *value,
                       int64_t now_ms);

/* Zeros and false for an unknown customer. */
bool peer_counts_get(const peer_counts *k, au_slice customer_id, peer_count *out);

void peer_counts_drop(peer_counts *k, au_slice customer_id);

/* Drops what is too old, unless `keep` says otherwise. Not while Redis is lost: what was
 * known last is all there is then. */
void peer_counts_expire(peer_counts *k, int64_t now_ms,
                        bool (*keep)(void *arg, au_slice customer_id), void *arg);

/* A walk over the entries, the oldest news first, in which they may change: what is set
 * meanwhile may be met or not. Embedded in its owner; its fields are private. */
typedef struct peer_counts_walk {
  struct peer_counts_walk *other;
  struct deadline *at; /* the next to be met */
  size_t left;         /* as many as there were at its beginning */
} peer_counts_walk;

void peer_counts_walk_begin(peer_counts *k, peer_counts_walk *walk);

/* The next one; false at the end. The slice is valid until entries change. */
bool peer_counts_walk_next(peer_counts *k, peer_counts_walk *walk, au_slice *customer_id,
                           peer_count *out);

/* Wherever it is; every walk is ended. Fine when it is not one, or zeroed. */
void peer_counts_walk_end(peer_counts *k, peer_counts_walk *walk);

#endif
