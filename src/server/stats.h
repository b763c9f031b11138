/* Counters of the daemon, one table: the struct, the Prometheus names and their
 * help come from the same rows. Knows nothing of who counts or who reads. */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

/* X(field, Prometheus type, Prometheus name, help) */
#define STATS_TABLE(X)                                                                            \
  X(http_requests, "counter", "au_http_requests_total", "HTTP requests answered")                 \
  X(http_4xx, "counter", "au_http_client_errors_total", "HTTP answers with a 4xx status")         \
  X(http_5xx, "counter", "au_http_server_errors_total", "HTTP answers with a 5xx status")         \
  X(http_connections, "gauge", "au_http_connections", "open HTTP connections")                    \
  X(ws_sockets, "gauge", "au_websocket_sockets", "open WebSocket sockets")                        \
  X(ws_messages_in, "counter", "au_websocket_messages_received_total", "messages from sockets")   \
  X(ws_messages_out, "counter", "au_websocket_messages_sent_total", "messages to sockets")        \
  X(ws_slow_closed, "counter", "au_websocket_slow_readers_total", "sockets closed as too slow")   \
  X(rate_blocked_ip, "counter", "au_rate_limited_ip_total", "requests blocked by the IP limit")   \
  X(rate_blocked_customer, "counter", "au_rate_limited_customer_total",                           \
    "requests blocked by the customer limit")                                                     \
  X(joins, "counter", "au_presence_joins_total", "joins acknowledged")                            \
  X(beats, "counter", "au_presence_beats_total", "beats acknowledged")                            \
  X(leaves, "counter", "au_presence_leaves_total", "leaves acknowledged")                         \
  X(presence_failed, "counter", "au_presence_failed_total", "operations not acknowledged")        \
  X(ticks, "counter", "au_ticks_total", "ticks of the timer")                                     \
  X(tick_customers, "counter", "au_tick_customers_total", "customers ticked")                     \
  X(tick_failed, "counter", "au_tick_failed_total", "ticks in which the store failed")            \
  X(store_errors, "counter", "au_store_errors_total", "errors answered by the store")             \
  X(store_reconnects, "counter", "au_store_reconnects_total", "links to the store made again")    \
  X(loop_lag_ms, "gauge", "au_loop_lag_max_milliseconds", "longest hold of the loop since start") \
  X(loop_slow_turns, "counter", "au_loop_slow_turns_total", "turns that held the loop over 5 ms") \
  X(loop_busy_us, "counter", "au_loop_busy_microseconds_total", "time the loop did not wait")

typedef struct stats {
#define STATS_FIELD(field, type, name, help) uint64_t field;
  STATS_TABLE(STATS_FIELD)
#undef STATS_FIELD
} stats;

#endif
