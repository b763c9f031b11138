/* The daemon's figures as Prometheus reads them: text exposition format 0.0.4, and OpenMetrics
 * 1.0 for a reader that asks for it. */
#ifndef TRANSPORTS_PROMETHEUS_H
#define TRANSPORTS_PROMETHEUS_H

#include <active_users/store.h>

#include "services/top_customers.h"
#include "stats.h"
#include "utils/buffer.h"

typedef enum prometheus_format {
  PROMETHEUS_TEXT,
  PROMETHEUS_OPENMETRICS,
  PROMETHEUS_FORMATS
} prometheus_format;

/* The format that an Accept header asks for. Text where it names neither. */
prometheus_format prometheus_format_of(au_slice accept);
const char *prometheus_content_type(prometheus_format format);

/* Takes the figures that others keep, the store and the kernel, over into the table. */
void prometheus_refresh(stats *counters, const au_store_health *store, int64_t uptime_ms);

/* top  NULL: no customers are named. */
void prometheus_print(buffer *out, const stats *counters, const top_customers *top,
                      const char *store_name, prometheus_format format);

#endif
