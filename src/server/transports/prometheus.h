/* The daemon's figures as Prometheus reads them (text exposition format 0.0.4). */
#ifndef TRANSPORTS_PROMETHEUS_H
#define TRANSPORTS_PROMETHEUS_H

#include <active_users/store.h>

#include "../stats.h"
#include "../utils/buffer.h"

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

void prometheus_print(buffer *out, const stats *counters, const au_store_health *store,
                      int64_t uptime_s);

#endif
