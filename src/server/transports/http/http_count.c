/* What the figures say of requests and answers. */
#include "http_private.h"

void http_conn_set_route(http_conn *conn, stats_route route) {
  conn->exchange.route = route;
}

void http_count_reply(http_server *server, const http_exchange *exchange, int status,
                      size_t bytes) {
  stats *counters = server->config.counters;
  counters->http_requests++;
  counters->http_bytes_out += bytes;
  if (status >= 500)
    counters->http_5xx++;
  else if (status >= 400)
    counters->http_4xx++;
  stats_count_response(counters, exchange->route, (unsigned)status);
  if (exchange->began_us > 0)
    stats_observe(&counters->requests[exchange->route],
                  (uint64_t)(clock_now_us() - exchange->began_us));
}
