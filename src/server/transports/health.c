/* Prints the bodies of /health and /ready. */
#include "health.h"

#include "wire/wire.h"

#include <inttypes.h>

static const char *status_of(const au_store_health *store, bool stopping) {
  if (stopping) return "stopping";
  return store->reason[0] ? "degraded" : "ok";
}

void health_print_bare(buffer *out, const au_store_health *store, bool stopping) {
  buffer_append_format(out, "{\"status\":\"%s\"}", status_of(store, stopping));
}

static uint64_t tokens_refused(const stats *c) {
  return c->tokens_missing + c->tokens_malformed + c->tokens_algorithm + c->tokens_signature +
         c->tokens_expired + c->tokens_not_yet + c->tokens_customer + c->tokens_session +
         c->tokens_scope;
}

/* What was refused since the start, by whose limit or rule. */
static void print_refused(buffer *out, const stats *c) {
  uint64_t address = c->rate_blocked_ip + c->rate_blocked_ip_reads + c->rate_blocked_other +
                     c->rate_blocked_bodies;
  uint64_t customer = c->rate_blocked_customer + c->rate_blocked_customer_reads;
  buffer_append_format(out,
                       ",\"refused\":{\"address\":%" PRIu64 ",\"customer\":%" PRIu64
                       ",\"newSessions\":%" PRIu64 ",\"connections\":%" PRIu64
                       ",\"blocked\":%" PRIu64 ",\"origins\":%" PRIu64 ",\"tokens\":%" PRIu64 "}",
                       address, customer, c->rate_blocked_new_sessions, c->connections_refused_ip,
                       c->blocked_requests, c->origins_refused, tokens_refused(c));
}

void health_print(buffer *out, const au_store_health *store, const stats *counters,
                  int64_t uptime_s, bool stopping) {
  buffer_append_format(out,
                       "{\"status\":\"%s\",\"version\":\"" AU_VERSION
                       "\",\"uptimeSeconds\":%" PRId64 ",\"store\":\"%s\"",
                       status_of(store, stopping), uptime_s, store->name);
  if (store->reason[0]) {
    buffer_append_text(out, ",\"reason\":");
    wire_print_string(out, slice_of(store->reason));
  }
  buffer_append_format(out,
                       ",\"customers\":%" PRIu32 ",\"sessions\":%" PRIu32
                       ",\"connections\":%" PRIu64 ",\"sockets\":%" PRIu64,
                       store->customers, store->sessions, counters->http_connections,
                       counters->ws_sockets);
  print_refused(out, counters);
  buffer_append_text(out, "}");
}

bool ready_print(buffer *out, const au_store_health *store, bool stopping) {
  bool ready = store->ever_up && !stopping;
  buffer_append_text(out, ready ? "{\"ready\":true" : "{\"ready\":false,\"reason\":");
  if (!ready) wire_print_string(out, slice_of(stopping ? "the daemon is stopping" : store->reason));
  buffer_append_text(out, "}");
  return ready;
}
