/* One scan for each node that serves slots. */
#ifndef ADAPTERS_REDIS_SCANS_H
#define ADAPTERS_REDIS_SCANS_H

#include "scan.h"

typedef struct redis_scans redis_scans;

/* Memory only. `config` is copied. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_scans_create(const redis_scan_config *config, redis_scans **out);

/* A tick begins: a round is wanted on each node, if this daemon turns out to be the one who ticks
 * there. */
void redis_scans_want(redis_scans *s);

/* The scan of a node, NULL before the first tick. */
redis_scan *redis_scans_find(const redis_scans *s, const redis_node *n);

/* Why rounds of some node fail, static; "" when they do not. */
const char *redis_scans_reason(const redis_scans *s);

/* Ends the rounds; `stopped` runs once, from the loop. Stop the router as well: it ends the
 * commands. */
void redis_scans_stop(redis_scans *s, void (*stopped)(void *arg), void *arg);

/* When the router has stopped too, or nothing was begun. NULL is fine. */
void redis_scans_free(redis_scans *s);

#endif
