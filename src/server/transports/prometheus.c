/* Prints the table of stats.h. Must not know who counts. */
#include "prometheus.h"

#include <inttypes.h>

static void print(buffer *out, const char *type, const char *name, const char *help,
                  uint64_t value) {
  buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type,
                       name, value);
}

void prometheus_print(buffer *out, const stats *counters, const au_store_health *store,
                      int64_t uptime_s) {
  buffer_append_format(out,
                       "# HELP au_build_info the daemon's version and its store\n"
                       "# TYPE au_build_info gauge\n"
                       "au_build_info{version=\"" AU_VERSION "\",store=\"%s\"} 1\n",
                       store->name);
  print(out, "gauge", "au_uptime_seconds", "since the daemon started", (uint64_t)uptime_s);
  print(out, "gauge", "au_store_available", "1 while operations are acknowledged",
        store->available);
  print(out, "gauge", "au_store_in_flight", "operations begun and not answered", store->in_flight);
  print(out, "gauge", "au_sessions", "live sessions this daemon knows", store->sessions);
  print(out, "gauge", "au_customers", "customers this daemon knows", store->customers);
#define PRINT_STAT(field, type, name, help) print(out, type, name, help, counters->field);
  STATS_TABLE(PRINT_STAT)
#undef PRINT_STAT
}
