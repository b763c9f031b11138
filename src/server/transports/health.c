/* Says how the daemon is. Must not know routes or status codes. */
#include "health.h"

#include "../wire.h"

#include <inttypes.h>

void health_print(buffer *out, const au_store_health *store, const stats *counters,
                  int64_t uptime_s, bool stopping) {
  const char *status = stopping ? "stopping" : store->reason[0] ? "degraded" : "ok";
  buffer_append_format(out,
                       "{\"status\":\"%s\",\"version\":\"" AU_VERSION
                       "\",\"uptimeSeconds\":%" PRId64 ",\"store\":\"%s\"",
                       status, uptime_s, store->name);
  if (store->reason[0]) {
    buffer_append_text(out, ",\"reason\":");
    wire_print_string(out, slice_of(store->reason));
  }
  buffer_append_format(out,
                       ",\"customers\":%" PRIu32 ",\"sessions\":%" PRIu32
                       ",\"connections\":%" PRIu64 ",\"sockets\":%" PRIu64 "}",
                       store->customers, store->sessions, counters->http_connections,
                       counters->ws_sockets);
}

bool ready_print(buffer *out, const au_store_health *store, bool stopping) {
  bool ready = store->available && !stopping;
  buffer_append_text(out, ready ? "{\"ready\":true" : "{\"ready\":false,\"reason\":");
  if (!ready) wire_print_string(out, slice_of(stopping ? "the daemon is stopping" : store->reason));
  buffer_append_text(out, "}");
  return ready;
}
