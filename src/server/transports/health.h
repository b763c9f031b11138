/* The bodies of /health and /ready. */
#ifndef TRANSPORTS_HEALTH_H
#define TRANSPORTS_HEALTH_H

#include <active_users/store.h>

#include "stats.h"
#include "utils/buffer.h"

/* ok, degraded (the store is lost) or stopping, and the figures of a first look. */
void health_print(buffer *out, const au_store_health *store, const stats *counters,
                  int64_t uptime_s, bool stopping);

/* The status alone, for everybody: the rest is for operators. */
void health_print_bare(buffer *out, const au_store_health *store, bool stopping);

/* Whether a balancer may send requests here; if not, the body says why. */
bool ready_print(buffer *out, const au_store_health *store, bool stopping);

#endif
