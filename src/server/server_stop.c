/* The stop of a server, part by part in order: transports, then the ticker and the store, then what
 * they stand on. */
#include "server_private.h"

#include "utils/log.h"

enum {
  FORCE_AFTER_MS = 1500, /* after the drain, for requests still in flight */
  FLUSH_LOOK_MS = 10,    /* whether a shared store has answered the last of the history */
};

static void on_handles_closed(void *arg) {
  au_server *server = arg;
  if (server->started) log_info("server", "stopped", LOG_NONE);
  server->stopped(server->stopped_arg);
}

static void on_inner_stopped(void *arg) {
  au_server *server = arg;
  join_stop *stop = &server->stop;
  join_stop_begin(stop, on_handles_closed, server);
  if (server->poller) poller_close(server->poller, join_stop_done, join_stop_add(stop));
  turn_clock_close(&server->turns, stop);
  join_stop_close(stop, (uv_handle_t *)&server->timer);
  join_stop_done(stop);
}

/* What the store still has in flight ends with it. */
static void stop_inner(au_server *server) {
  join_stop *stop = &server->stop;
  uv_timer_stop(&server->timer);
  join_stop_begin(stop, on_inner_stopped, server);
  if (server->ticker) ticker_stop(server->ticker, join_stop_done, join_stop_add(stop));
  if (server->office) office_stop(server->office, join_stop_done, join_stop_add(stop));
  if (server->store) server->store->ops->stop(server->store, join_stop_done, join_stop_add(stop));
  join_stop_done(stop);
}

static void on_flush_look(uv_timer_t *timer) {
  au_server *server = timer->data;
  if (stores_is_flushed(&server->stores)) stop_inner(server);
}

/* No client is left. */
static void on_transports_stopped(void *arg) {
  au_server *server = arg;
  if (server->history) history_flush(server->history);
  if (server->started) stores_save(&server->stores);
  if (stores_is_flushed(&server->stores)) {
    stop_inner(server);
    return;
  }
  uv_timer_start(&server->timer, on_flush_look, FLUSH_LOOK_MS, FLUSH_LOOK_MS);
}

static void on_force(uv_timer_t *timer) {
  au_server *server = timer->data;
  if (server->http) http_server_force_close(server->http);
}

void au_server_stop(au_server *server, void (*stopped)(void *arg), void *arg) {
  if (server->stopping) return;
  server->stopping = true;
  server->stopped = stopped;
  server->stopped_arg = arg;
  if (server->rest) rest_stopping(server->rest);
  if (server->started)
    log_info("server", "stopping", LOG_INT("connections", server->counters.http_connections),
             LOG_INT("sockets", server->counters.ws_sockets),
             LOG_INT("drain_ms", server->config.drain_ms));
  uv_timer_start(&server->timer, on_force, server->config.drain_ms + FORCE_AFTER_MS, 100);
  join_stop *stop = &server->stop;
  join_stop_begin(stop, on_transports_stopped, server);
  if (server->http) http_server_stop(server->http, join_stop_done, join_stop_add(stop));
  if (server->websocket) websocket_stop(server->websocket, join_stop_done, join_stop_add(stop));
  if (server->streams) streams_stop(server->streams, join_stop_done, join_stop_add(stop));
  if (server->webhooks) webhooks_stop(server->webhooks, join_stop_done, join_stop_add(stop));
  if (server->sender) sender_stop(server->sender, join_stop_done, join_stop_add(stop));
  join_stop_done(stop);
}
