/* The start of a server: it listens, waits for what it needs to count right, and only then accepts.
 */
#include "server_private.h"

#include "utils/log.h"

enum {
  START_LOOK_MS = 10,   /* whether a start that waits may go on */
  STORE_WAIT_MS = 2000, /* for a shared store to be reached */
};

static void begin(au_server *server) {
  turn_clock_start(&server->turns);
  ticker_start(server->ticker);
  office_start(server->office);
  webhooks_start(server->webhooks);
  server->started = true;
  au_store_health health = server->store->ops->health(server->store);
  log_info("server", "listening",
           LOG_STR("host", server->given.count > 0 ? "passed" : server->config.host),
           LOG_INT("http_port", server->ports.http), LOG_INT("ws_port", server->ports.ws),
           LOG_INT("admin_port", server->ports.admin), LOG_STR("store", health.name),
           LOG_STR("version", AU_VERSION));
  http_server_accept(server->http);
}

/* Before a shared store is reached the count is only what this daemon knows, which is nobody: so
 * connections wait for it, but not for one that is lost. */
static bool may_begin(const au_server *server) {
  if (server->store->ops->health(server->store).reason[0] == '\0') return true;
  return uv_now(server->loop) >= server->begin_by_ms;
}

static void on_wait(uv_timer_t *timer) {
  au_server *server = timer->data;
  if (!server->has_state) server->has_state = stores_take_over(&server->stores);
  if (!server->has_state || !may_begin(server)) return;
  uv_timer_stop(timer);
  begin(server);
}

void au_server_use_sockets(au_server *server, const int *fds, size_t count) {
  server->given = (listen_sockets){fds, count};
}

au_status au_server_start(au_server *server) {
  char problem[SERVER_ERROR_SIZE] = "out of memory";
  au_status status = listen_on_all(server->http, &server->config, server->websocket != NULL,
                                   &server->given, &server->ports, problem, sizeof problem);
  if (status != AU_OK) return server_failed(status, problem, "");
  server->has_state = stores_take_over(&server->stores);
  if (!server->has_state)
    log_info("server", "waits for the daemon that has the state file to stop",
             LOG_INT("http_port", server->ports.http), LOG_INT("ws_port", server->ports.ws),
             LOG_STR("file", server->config.state_file));
  server->begin_by_ms = uv_now(server->loop) + STORE_WAIT_MS;
  if (server->has_state && may_begin(server))
    begin(server);
  else
    uv_timer_start(&server->timer, on_wait, START_LOOK_MS, START_LOOK_MS);
  return AU_OK;
}
