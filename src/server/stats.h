/* Figures of the daemon, one table: the struct, the names and the help of the exposition and the
 * table of docs/reference/metrics.md come from the same rows. Knows nothing of who counts or who
 * reads. */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

/* What a figure is, and in which unit the field has it: the exposition has seconds. */
typedef enum stats_kind {
  STATS_COUNTER,
  STATS_COUNTER_MS,
  STATS_COUNTER_US,
  STATS_GAUGE,
  STATS_GAUGE_MS,
  STATS_GAUGE_US,
} stats_kind;

/* X(field, kind, name, labels, help). Rows of one name stand together, and the first has the
 * help. */
#define STATS_TABLE(X)                                                                             \
  X(http_requests, COUNTER, "au_http_requests_total", "", "HTTP requests answered")                \
  X(http_4xx, COUNTER, "au_http_client_errors_total", "", "HTTP answers with a 4xx status")        \
  X(http_5xx, COUNTER, "au_http_server_errors_total", "", "HTTP answers with a 5xx status")        \
  X(http_bytes_in, COUNTER, "au_http_received_bytes_total", "",                                    \
    "bytes read from HTTP connections")                                                            \
  X(http_bytes_out, COUNTER, "au_http_sent_bytes_total", "", "bytes of HTTP answers")              \
  X(http_malformed, COUNTER, "au_http_malformed_total", "",                                        \
    "requests that are not HTTP as it is written (400, 501, 505); the connection is closed")       \
  X(http_too_large, COUNTER, "au_http_too_large_total", "",                                        \
    "requests whose target, head or body is too large (413, 414, 431)")                            \
  X(http_timeouts, COUNTER, "au_http_timeouts_total", "",                                          \
    "requests whose head or body did not come in time (408)")                                      \
  X(http_invalid, COUNTER, "au_http_invalid_total", "",                                            \
    "requests with a body or a customer's id that is refused (400)")                               \
  X(origins_refused, COUNTER, "au_origins_refused_total", "",                                      \
    "requests of a refused origin (403)")                                                          \
  X(proxy_malformed, COUNTER, "au_proxy_headers_malformed_total", "",                              \
    "connections of trusted proxies closed for a PROXY header that is none")                       \
  X(forwarded_disagree, COUNTER, "au_forwarded_disagreements_total", "",                           \
    "requests whose X-Forwarded-For and Forwarded name two clients; the first is believed")        \
  X(http_connections, GAUGE, "au_http_connections", "", "open HTTP connections")                   \
  X(connections_evicted, COUNTER, "au_connections_evicted_total", "",                              \
    "connections ended at max-connections to make room")                                           \
  X(connections_evicted_ip, COUNTER, "au_connections_evicted_ip_total", "",                        \
    "idle connections ended at max-connections-ip for others of their address")                    \
  X(connections_refused_ip, COUNTER, "au_connections_refused_ip_total", "",                        \
    "connections over max-connections-ip")                                                         \
  X(ws_sockets, GAUGE, "au_websocket_sockets", "", "open WebSocket sockets")                       \
  X(ws_sessions, GAUGE, "au_websocket_authenticated", "mode=\"session\"",                          \
    "authenticated sockets: of sessions, and those that only watch")                               \
  X(ws_watchers, GAUGE, "au_websocket_authenticated", "mode=\"watcher\"", "")                      \
  X(ws_messages_in, COUNTER, "au_websocket_messages_received_total", "", "messages from sockets")  \
  X(ws_messages_out, COUNTER, "au_websocket_messages_sent_total", "", "messages to sockets")       \
  X(ws_bytes_in, COUNTER, "au_websocket_received_bytes_total", "", "bytes read from sockets")      \
  X(ws_bytes_out, COUNTER, "au_websocket_sent_bytes_total", "", "bytes of frames to sockets")      \
  X(ws_refused, COUNTER, "au_websocket_handshakes_refused_total", "",                              \
    "upgrades that are no WebSocket handshake (400, 426)")                                         \
  X(ws_errors, COUNTER, "au_websocket_errors_total", "",                                           \
    "messages answered with an error: malformed, out of place or too many")                        \
  X(ws_slow_closed, COUNTER, "au_websocket_slow_readers_total", "", "sockets closed as too slow")  \
  X(ws_closed_protocol, COUNTER, "au_websocket_protocol_errors_total", "",                         \
    "sockets closed for breaking the protocol (1002, 1003, 1007)")                                 \
  X(ws_closed_too_large, COUNTER, "au_websocket_too_large_total", "",                              \
    "sockets closed for a message that is too large (1009)")                                       \
  X(ws_closed_policy, COUNTER, "au_websocket_policy_total", "",                                    \
    "sockets closed for breaking a rule of ours (1008), slow readers included")                    \
  X(streams, GAUGE, "au_streams", "", "open streams of server-sent events")                        \
  X(stream_events, COUNTER, "au_stream_events_sent_total", "", "metrics sent to streams")          \
  X(stream_slow_closed, COUNTER, "au_stream_slow_readers_total", "", "streams closed as too slow") \
  X(rate_checks_presence, COUNTER, "au_rate_limit_checks_total", "limit=\"presence\"",             \
    "requests that a limit was asked about; those that cost nothing are none")                     \
  X(rate_checks_reads, COUNTER, "au_rate_limit_checks_total", "limit=\"reads\"", "")               \
  X(rate_checks_other, COUNTER, "au_rate_limit_checks_total", "limit=\"other\"", "")               \
  X(rate_blocked_ip, COUNTER, "au_rate_limited_ip_total", "",                                      \
    "presence requests blocked by the limit of their IP")                                          \
  X(rate_blocked_customer, COUNTER, "au_rate_limited_customer_total", "",                          \
    "presence requests blocked by the limit of their customer")                                    \
  X(rate_blocked_ip_reads, COUNTER, "au_rate_limited_ip_reads_total", "",                          \
    "reads of metrics blocked by the limit of their IP")                                           \
  X(rate_blocked_customer_reads, COUNTER, "au_rate_limited_customer_reads_total", "",              \
    "reads of metrics blocked by the limit of their customer")                                     \
  X(rate_blocked_new_sessions, COUNTER, "au_rate_limited_new_sessions_total", "",                  \
    "joins and beats whose IP may begin no more sessions now")                                     \
  X(rate_blocked_other, COUNTER, "au_rate_limited_other_total", "",                                \
    "other requests blocked by the limit of their IP")                                             \
  X(rate_blocked_bodies, COUNTER, "au_rate_limited_bodies_total", "",                              \
    "large bodies of IPs over a limit, refused unread")                                            \
  X(tokens_missing, COUNTER, "au_tokens_missing_total", "", "refused: a token was required")       \
  X(tokens_malformed, COUNTER, "au_tokens_malformed_total", "", "refused: no token as we read it") \
  X(tokens_algorithm, COUNTER, "au_tokens_algorithm_total", "", "refused: not signed with HS256")  \
  X(tokens_signature, COUNTER, "au_tokens_signature_total", "", "refused: of another secret")      \
  X(tokens_expired, COUNTER, "au_tokens_expired_total", "",                                        \
    "refused: the token has expired; sockets closed for that too")                                 \
  X(tokens_not_yet, COUNTER, "au_tokens_not_yet_total", "", "refused: the token is of the future") \
  X(tokens_customer, COUNTER, "au_tokens_customer_total", "", "refused: of another customer")      \
  X(tokens_session, COUNTER, "au_tokens_session_total", "", "refused: of another session")         \
  X(tokens_scope, COUNTER, "au_tokens_scope_total", "", "refused: the scope does not allow it")    \
  X(operators_requests, COUNTER, "au_operators_requests_total", "",                                \
    "requests under /admin/ that were let in")                                                     \
  X(sessions_undone, COUNTER, "au_sessions_undone_total", "",                                      \
    "sessions that operators ended by way of this daemon")                                         \
  X(blocked_requests, COUNTER, "au_blocked_requests_total", "",                                    \
    "requests and messages of blocked addresses")                                                  \
  X(operators_refused, COUNTER, "au_operators_refused_total", "",                                  \
    "requests for operators without the token, or not from loopback")                              \
  X(joins, COUNTER, "au_presence_joins_total", "", "joins acknowledged")                           \
  X(joins_leader, COUNTER, "au_presence_join_requests_total", "role=\"leader\"",                   \
    "well-formed joins by what the page says of its tab: does it lead the tabs of its session")    \
  X(joins_follower, COUNTER, "au_presence_join_requests_total", "role=\"follower\"", "")           \
  X(beats, COUNTER, "au_presence_beats_total", "", "beats acknowledged")                           \
  X(socket_beats, COUNTER, "au_presence_socket_beats_total", "",                                   \
    "of these beats, those by WebSocket: the rest are of pages that poll")                         \
  X(leaves, COUNTER, "au_presence_leaves_total", "", "leaves acknowledged")                        \
  X(presence_failed, COUNTER, "au_presence_failed_total", "", "operations not acknowledged")       \
  X(ticks, COUNTER, "au_ticks_total", "", "ticks of the timer")                                    \
  X(people, GAUGE, "au_people", "",                                                                \
    "live sessions of the customers this daemon ticked last; of all daemons together: of the "     \
    "store")                                                                                       \
  X(bots, GAUGE, "au_bots", "", "the same of known bots, which are not among au_people")           \
  X(history_minutes, COUNTER, "au_history_points_total", "", "minutes of customers kept")          \
  X(history_failed, COUNTER, "au_history_failed_total", "",                                        \
    "minutes, hours and sessions of the history that the store refused")                           \
  X(history_bytes, GAUGE, "au_history_bytes", "", "memory of the history in this process")         \
  X(tick_customers, COUNTER, "au_tick_customers_total", "", "customers ticked")                    \
  X(tick_failed, COUNTER, "au_tick_failed_total", "", "ticks in which the store failed")           \
  X(ticks_skipped, COUNTER, "au_ticks_skipped_total", "",                                          \
    "ticks that were left out because the one before was not over")                                \
  X(partitions_held, GAUGE, "au_ticker_partitions_held", "",                                       \
    "parts of the customers whose lease this daemon holds: it ticks them")                         \
  X(webhooks_sent, COUNTER, "au_webhook_events_total", "result=\"delivered\"",                     \
    "events of webhooks that were taken, and those that were given up")                            \
  X(webhooks_dropped, COUNTER, "au_webhook_events_total", "result=\"dropped\"", "")                \
  X(webhook_failures, COUNTER, "au_webhook_failures_total", "",                                    \
    "attempts of webhooks that failed: no answer in time, or none of 2xx")                         \
  X(webhook_queue, GAUGE, "au_webhook_queue", "", "events of webhooks in flight or waiting")       \
  X(webhooks_failing, GAUGE, "au_webhooks_failing", "", "webhooks whose last attempt failed")      \
  X(store_errors, COUNTER, "au_store_errors_total", "kind=\"refused\"",                            \
    "errors of the store: answers that refuse, and links that were lost or could not be made")     \
  X(store_lost, COUNTER, "au_store_errors_total", "kind=\"unreachable\"", "")                      \
  X(store_foreign, COUNTER, "au_store_foreign_total", "",                                          \
    "keys, members, values and messages in Redis that are none of ours, each time they are met")   \
  X(store_reconnects, COUNTER, "au_store_reconnects_total", "", "links to the store made again")   \
  X(store_available, GAUGE, "au_store_available", "",                                              \
    "1 while all is well with the store, 0 while /health says degraded")                           \
  X(store_acknowledges, GAUGE, "au_store_acknowledges", "",                                        \
    "1 while operations are acknowledged: with a lost Redis from the daemon's own table")          \
  X(store_degraded_ms, COUNTER_MS, "au_store_degraded_seconds_total", "",                          \
    "time the store was degraded since the start, which metrics may be stale for")                 \
  X(store_in_flight, GAUGE, "au_store_in_flight", "", "operations begun and not answered")         \
  X(hints, GAUGE, "au_store_hints", "", "leaves and refused writes that wait for Redis")           \
  X(sessions, GAUGE, "au_sessions", "", "live sessions this daemon knows")                         \
  X(customers, GAUGE, "au_customers", "", "customers this daemon knows")                           \
  X(loop_lag_us, GAUGE_US, "au_loop_lag_max_seconds", "", "longest hold of the loop since start")  \
  X(loop_slow_turns, COUNTER, "au_loop_slow_turns_total", "",                                      \
    "turns that held the loop over 5 ms")                                                          \
  X(loop_busy_us, COUNTER_US, "au_loop_busy_seconds_total", "", "time the loop did not wait")      \
  X(uptime_ms, GAUGE_MS, "au_uptime_seconds", "", "since the daemon started")                      \
  X(cpu_us, COUNTER_US, "process_cpu_seconds_total", "", "user and system time of the process")    \
  X(resident_bytes, GAUGE, "process_resident_memory_bytes", "", "resident memory of the process")  \
  X(open_fds, GAUGE, "process_open_fds", "",                                                       \
    "open file descriptors; with thousands of connections estimated from them")                    \
  X(max_fds, GAUGE, "process_max_fds", "", "limit of file descriptors")

/* X(field, name, help): histograms of durations. */
#define STATS_HISTOGRAMS(X)                                              \
  X(turns, "au_loop_turn_seconds", "how long turns of the loop hold it") \
  X(tick_duration, "au_tick_duration_seconds",                           \
    "from the begin of a tick until the last customer of it was saved")  \
  X(tick_lateness, "au_tick_lateness_seconds",                           \
    "from the time at which a tick was due until it began")              \
  X(fanout, "au_fanout_duration_seconds",                                \
    "from the begin of a message until the last socket of its customer has it")

/* clang-format off */
/* X(id, label): by which requests are told apart. */
#define STATS_ROUTES(X) \
  X(OTHER, "other") X(JOIN, "join") X(BEAT, "beat") X(LEAVE, "leave") X(METRICS, "metrics") \
  X(EXPOSITION, "exposition") X(HEALTH, "health") X(ADMIN, "admin") X(HISTORY, "history") \
  X(BADGE, "badge") X(PAGES, "pages")

/* X(id, label): operations of a shared store. A memory store answers at once: none is counted. */
#define STATS_STORE_OPS(X) \
  X(TOUCH, "touch") X(LEAVE, "leave") X(SHORTEN, "shorten") X(SAMPLE, "sample") X(SAVE, "save") \
  X(EVICT, "evict") X(PUBLISH, "publish") X(DUE, "due") X(LIST, "list") X(EXPEL, "expel") \
  X(BOARD, "board") X(BREAKDOWN, "breakdown")
/* clang-format on */

/* Families with a label for each row of a list above. Series without an event are left out. */
#define STATS_BUILD_NAME     "au_build_info"
#define STATS_BUILD_HELP     "the daemon's version and its store"
#define STATS_RESPONSES_NAME "au_http_responses_total"
#define STATS_RESPONSES_HELP "HTTP answers by route and status"
#define STATS_REQUEST_NAME   "au_http_request_duration_seconds"
#define STATS_REQUEST_HELP   "from a whole request until its answer is with the kernel"
#define STATS_STORE_NAME     "au_store_operation_duration_seconds"
#define STATS_STORE_HELP                                                    \
  "operations of Redis, from their first command until their last answer; " \
  "renewals by a ping wait for others and are left out"
#define STATS_STORE_ERRORS_NAME "au_store_operation_errors_total"
#define STATS_STORE_ERRORS_HELP "operations of Redis that were not acknowledged by it"

#define STATS_CUSTOMER_NAME     "au_customer_sessions"
#define STATS_CUSTOMER_HELP     "with metrics-customers: live sessions of customers at the last tick"
#define STATS_CUSTOMER_EMA_NAME "au_customer_sessions_smoothed"
#define STATS_CUSTOMER_EMA_HELP "with metrics-customers: their averages of the last tick"

typedef enum stats_route {
#define STATS_ID(id, label) STATS_ROUTE_##id,
  STATS_ROUTES(STATS_ID)
#undef STATS_ID
      STATS_ROUTE_COUNT
} stats_route;

typedef enum stats_store_op {
#define STATS_ID(id, label) STATS_STORE_##id,
  STATS_STORE_OPS(STATS_ID)
#undef STATS_ID
      STATS_STORE_OP_COUNT
} stats_store_op;

enum {
  STATS_CODE_MAX = 24, /* different statuses; the others are counted as 0 */
  /* Upper bounds of 32 and 48 us and their doubles, up to 6.3 s: a quantile is right to a third. */
  STATS_BUCKETS = 36,
  STATS_BUCKET_FIRST_US = 32,
};

typedef struct stats_histogram {
  uint64_t counts[STATS_BUCKETS + 1]; /* not cumulative; the last has what is larger */
  uint64_t sum_us;
} stats_histogram;

static inline uint64_t stats_bucket_us(unsigned i) {
  return (uint64_t)(i % 2 ? 48 : 32) << i / 2;
}

static inline void stats_observe(stats_histogram *h, uint64_t us) {
  unsigned i = 0;
  if (us > STATS_BUCKET_FIRST_US) {
    uint64_t below = us - 1; /* bounds are inclusive */
    unsigned octave = 63 - (unsigned)__builtin_clzll(below);
    i = (octave - 5) * 2 + (unsigned)(below >> (octave - 1) & 1) + 1;
    if (i > STATS_BUCKETS) i = STATS_BUCKETS;
  }
  h->counts[i]++;
  h->sum_us += us;
}

typedef struct stats {
#define STATS_FIELD(field, kind, name, labels, help) uint64_t field;
  STATS_TABLE(STATS_FIELD)
#undef STATS_FIELD
#define STATS_FIELD(field, name, help) stats_histogram field;
  STATS_HISTOGRAMS(STATS_FIELD)
#undef STATS_FIELD
  stats_histogram requests[STATS_ROUTE_COUNT];
  uint16_t codes[STATS_CODE_MAX]; /* 0: free */
  uint64_t responses[STATS_ROUTE_COUNT][STATS_CODE_MAX];
  stats_histogram store_ops[STATS_STORE_OP_COUNT];
  uint64_t store_op_errors[STATS_STORE_OP_COUNT];
} stats;

/* Statuses take their place as they come: the usual ones are found first. */
static inline void stats_count_response(stats *s, stats_route route, unsigned code) {
  unsigned i = 0;
  while (i < STATS_CODE_MAX - 1 && s->codes[i] != code && s->codes[i] != 0) i++;
  if (i < STATS_CODE_MAX - 1) s->codes[i] = (uint16_t)code;
  s->responses[route][i]++;
}

#endif
