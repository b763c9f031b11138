/* The composition root: builds the parts, joins them, and stops them in order. Has
 * no logic of its own; the only file that knows all parts. */
#include <active_users/server.h>

#include "adapters/memory.h"
#include "adapters/redis.h"
#include "services/broadcast.h"
#include "services/changes.h"
#include "services/presence.h"
#include "services/ticker.h"
#include "transports/http_conn.h"
#include "transports/rest.h"
#include "transports/websocket.h"
#include "utils/log.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum {
  SPARE_DESCRIPTORS = 64, /* for Redis, logs and the moment of an upgrade */
  SLOW_TURN_US = 5000,    /* what long work is cut into stays well below */
  HURRY_AFTER_MS = 2000,  /* after the drain, for requests still in flight */
};

struct au_server {
  uv_loop_t *loop;
  au_config config;
  au_clock clock;
  int64_t wall_ms, wall_at_ms; /* the wall clock, and the turn that it was read in */
  stats counters;
  au_store *store;
  au_store_events events;
  presence *presence;
  broadcast *broadcast;
  ticker *ticker;
  rest *rest;
  http_server *http;
  websocket *websocket;
  uint16_t http_port, ws_port;

  uv_prepare_t before_poll;
  uint64_t turn_ns, idle_ns;
  uv_timer_t hurry_timer;
  unsigned handles_open;

  unsigned parts_stopping;
  bool started;
  bool stopping;
  void (*stopped)(void *arg);
  void *stopped_arg;
};

static _Thread_local char last_error[256] = "no error";

const char *au_server_error(void) {
  return last_error;
}

static au_status failed(au_status status, const char *what, const char *why) {
  snprintf(last_error, sizeof last_error, "%s%s%s", what, why[0] ? ": " : "", why);
  return status;
}

/* ---- the clock ------------------------------------------------------------ */

/* The time at which the turn of the loop began. A beat asks for it ten times, and the
 * loop's timers go by it too, so what is due by one is due by the other. */
static int64_t turn_mono_ms(void *arg) {
  const au_server *server = arg;
  return (int64_t)uv_now(server->loop);
}

static int64_t turn_wall_ms(void *arg) {
  au_server *server = arg;
  int64_t turn_ms = turn_mono_ms(server);
  if (turn_ms != server->wall_at_ms) server->wall_ms = clock_wall_ms(clock_system());
  server->wall_at_ms = turn_ms;
  return server->wall_ms;
}

/* ---- joints between the parts -------------------------------------------- */

static void on_store_changed(void *arg, au_slice customer_id) {
  au_server *server = arg;
  if (server->ticker) ticker_changed(server->ticker, customer_id);
}

static void on_store_published(void *arg, const au_metrics *metrics) {
  au_server *server = arg;
  broadcast_publish(server->broadcast, metrics, clock_mono_ms(&server->clock));
}

static void on_broadcast_wake(void *arg) {
  au_server *server = arg;
  ticker_wake(server->ticker);
}

static void on_broadcast_watch(void *arg, au_slice customer_id, bool on) {
  au_server *server = arg;
  server->store->ops->watch(server->store, customer_id, on);
}

static void on_upgrade(void *arg, int fd, au_slice key, au_slice early) {
  au_server *server = arg;
  websocket_adopt(server->websocket, fd, key, early);
}

static void on_socket_released(void *arg) {
  au_server *server = arg;
  http_server_release(server->http);
}

/* ---- how long a turn holds the loop --------------------------------------- */

static void on_before_poll(uv_prepare_t *prepare) {
  au_server *server = prepare->data;
  uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(server->loop);
  if (server->turn_ns != 0) {
    uint64_t held_us = (now_ns - server->turn_ns - (idle_ns - server->idle_ns)) / 1000;
    stats *counters = &server->counters;
    counters->loop_busy_us += held_us;
    if (held_us > SLOW_TURN_US) counters->loop_slow_turns++;
    if (held_us / 1000 > counters->loop_lag_ms) counters->loop_lag_ms = held_us / 1000;
  }
  server->turn_ns = now_ns;
  server->idle_ns = idle_ns;
}

/* ---- create -------------------------------------------------------------- */

/* 90 % of the descriptors unless told otherwise, and never so many that none is
 * left for the daemon itself. */
static uint32_t connection_limit(const au_config *config) {
  struct rlimit files = {.rlim_cur = 1024};
  (void)getrlimit(RLIMIT_NOFILE, &files);
  uint64_t limit = files.rlim_cur > UINT32_MAX ? UINT32_MAX : files.rlim_cur;
  uint64_t sockets = (uint64_t)websocket_fd_limit();
  if (config->enable_websocket && sockets < limit) limit = sockets;
  uint64_t most = limit / 2 > SPARE_DESCRIPTORS ? limit - SPARE_DESCRIPTORS : limit / 2;
  uint64_t wanted = config->max_connections ? config->max_connections : limit / 10 * 9;
  if (wanted > most && config->max_connections)
    log_warn("server", "max-connections is cut to what the descriptor limit allows",
             LOG_INT("max_connections", most));
  return (uint32_t)(wanted < most ? wanted : most);
}

static au_status create_store(au_server *server, map_seed seed) {
  server->events = (au_store_events){on_store_changed, on_store_published, server};
  if (server->config.redis_url[0] == '\0')
    return memory_store_create(server->loop, &server->config, &server->clock, seed, &server->events,
                               NULL, &server->store);
  const char *reason = "";
  au_status status =
      redis_store_create(server->loop, &server->config, &server->clock, seed, &server->counters,
                         &server->events, &reason, &server->store);
  return status == AU_EINVAL ? failed(status, "redis-url", reason) : status;
}

static au_status create_services(au_server *server, map_seed seed) {
  const au_config *config = &server->config;
  au_status status =
      presence_create(server->store, config->disconnect_grace_ms, seed, &server->presence);
  if (status != AU_OK) return status;
  broadcast_hooks hooks = {
      .wake = on_broadcast_wake,
      .watch = on_broadcast_watch,
      .print = wire_frame_update,
      .arg = server,
      .gap_ms =
          config->ema_interval_ms < BROADCAST_GAP_MS ? config->ema_interval_ms : BROADCAST_GAP_MS,
  };
  status = broadcast_create(seed, &hooks, &server->broadcast);
  if (status != AU_OK) return status;
  ticker_config ticking = {
      .loop = server->loop,
      .clock = &server->clock,
      .store = server->store,
      .broadcast = server->broadcast,
      .counters = &server->counters,
      .alpha = config->ema_alpha,
      .interval_ms = config->ema_interval_ms,
      .changes_ms = CHANGES_INTERVAL_MS,
      .max_changes = config->max_customers,
      .seed = seed,
  };
  return ticker_create(&ticking, &server->ticker);
}

static au_status create_transports(au_server *server, map_seed seed) {
  const au_config *config = &server->config;
  rest_config routing = {
      .config = config,
      .clock = &server->clock,
      .presence = server->presence,
      .store = server->store,
      .counters = &server->counters,
      .seed = seed,
      .upgrade = config->enable_websocket ? on_upgrade : NULL,
      .upgrade_arg = server,
  };
  const char *reason = "";
  au_status status = rest_create(&routing, &reason, &server->rest);
  if (status != AU_OK) return status == AU_EINVAL ? failed(status, reason, "") : status;

  http_server_config listening = {
      .loop = server->loop,
      .clock = &server->clock,
      .counters = &server->counters,
      .handler = rest_handler(server->rest),
      .header_timeout_ms = config->header_timeout_ms,
      .idle_timeout_ms = config->idle_timeout_ms,
      .reuse_port = config->reuse_port,
      .max_connections = connection_limit(config),
  };
  status = http_server_create(&listening, &server->http);
  if (status != AU_OK || !config->enable_websocket) return status;
  websocket_config sockets = {
      .loop = server->loop,
      .clock = &server->clock,
      .config = config,
      .presence = server->presence,
      .broadcast = server->broadcast,
      .counters = &server->counters,
      .released = on_socket_released,
      .released_arg = server,
  };
  status = websocket_create(&sockets, &reason, &server->websocket);
  return status == AU_EINVAL ? failed(status, reason, "") : status;
}

static void free_parts(au_server *server) {
  websocket_free(server->websocket);
  http_server_free(server->http);
  rest_free(server->rest);
  ticker_free(server->ticker);
  broadcast_free(server->broadcast);
  presence_free(server->presence);
  if (server->store) server->store->ops->free(server->store);
  free(server);
}

static void on_failed_stop(void *arg) {
  free_parts(arg);
}

au_status au_server_create(uv_loop_t *loop, const au_config *config, au_server **out) {
  map_seed seed;
  if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0)
    return failed(AU_ENOMEM, "no random numbers", "");
  const char *field;
  if (au_config_check(config, &field) != AU_OK) return failed(AU_EINVAL, field, "out of its range");
  au_server *server = calloc(1, sizeof *server);
  if (!server) return failed(AU_ENOMEM, "out of memory", "");
  server->loop = loop;
  server->config = *config;
  server->clock = (au_clock){turn_wall_ms, turn_mono_ms, server};
  uv_update_time(loop);
  server->wall_at_ms = -1;
  log_configure(config->log_level, config->log_format);

  (void)uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
  uv_prepare_init(loop, &server->before_poll);
  uv_timer_init(loop, &server->hurry_timer);
  server->before_poll.data = server->hurry_timer.data = server;
  server->handles_open = 2;

  au_status status = create_store(server, seed);
  if (status == AU_OK) status = create_services(server, seed);
  if (status == AU_OK) status = create_transports(server, seed);
  if (status == AU_ENOMEM) failed(status, "out of memory", "");
  if (status != AU_OK) {
    /* What was built has handles in the loop: they close on its next turns. */
    au_server_stop(server, on_failed_stop, server);
    return status;
  }
  *out = server;
  return AU_OK;
}

/* ---- start --------------------------------------------------------------- */

static au_status listen_on(au_server *server, uint32_t port, rest_door door, uint16_t *in_use) {
  const char *reason = "";
  *in_use = (uint16_t)port;
  au_status status = http_server_listen(server->http, server->config.host, in_use, door, &reason);
  if (status == AU_OK) return AU_OK;
  snprintf(last_error, sizeof last_error, "cannot listen on host %s, port %u: %s",
           server->config.host, (unsigned)port, reason);
  return status;
}

au_status au_server_start(au_server *server) {
  au_status status =
      listen_on(server, server->config.http_port, REST_DOOR_HTTP, &server->http_port);
  if (status == AU_OK && server->websocket)
    status = listen_on(server, server->config.ws_port, REST_DOOR_WS, &server->ws_port);
  if (status != AU_OK) return status;
  uv_prepare_start(&server->before_poll, on_before_poll);
  ticker_start(server->ticker);
  server->started = true;
  au_store_health health = server->store->ops->health(server->store);
  log_info("server", "listening", LOG_STR("host", server->config.host),
           LOG_INT("http_port", server->http_port), LOG_INT("ws_port", server->ws_port),
           LOG_STR("store", health.name), LOG_STR("version", AU_VERSION));
  return AU_OK;
}

uint16_t au_server_http_port(const au_server *server) {
  return server->http_port;
}

uint16_t au_server_ws_port(const au_server *server) {
  return server->ws_port;
}

au_status au_server_reload(au_server *server, const au_config *config) {
  const char *reason = "";
  au_status status = rest_reload(server->rest, config, &reason);
  if (status != AU_OK) return failed(status, status == AU_EINVAL ? reason : "out of memory", "");
  log_configure(config->log_level, server->config.log_format);
  log_info("server", "reloaded", LOG_INT("rate_ip", config->rate_ip_per_min),
           LOG_INT("rate_customer", config->rate_customer_per_min),
           LOG_STR("allowed_origins", config->allowed_origins));
  return AU_OK;
}

/* ---- stop: transports, then the ticker and the store ---------------------- */

static void on_handle_closed(uv_handle_t *handle) {
  au_server *server = handle->data;
  if (--server->handles_open > 0) return;
  if (server->started) log_info("server", "stopped", LOG_NONE);
  server->stopped(server->stopped_arg);
}

static void close_own_handles(au_server *server) {
  uv_close((uv_handle_t *)&server->before_poll, on_handle_closed);
  uv_close((uv_handle_t *)&server->hurry_timer, on_handle_closed);
}

static void on_inner_stopped(void *arg) {
  au_server *server = arg;
  if (--server->parts_stopping == 0) close_own_handles(server);
}

/* No client is left. What the store still has in flight ends with it. */
static void on_transport_stopped(void *arg) {
  au_server *server = arg;
  if (--server->parts_stopping > 0) return;
  uv_timer_stop(&server->hurry_timer);
  server->parts_stopping = 1; /* held by this function */
  if (server->ticker) {
    server->parts_stopping++;
    ticker_stop(server->ticker, on_inner_stopped, server);
  }
  if (server->store) {
    server->parts_stopping++;
    server->store->ops->stop(server->store, on_inner_stopped, server);
  }
  on_inner_stopped(server);
}

static void on_hurry(uv_timer_t *timer) {
  au_server *server = timer->data;
  if (server->http) http_server_hurry(server->http);
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
  uv_timer_start(&server->hurry_timer, on_hurry, server->config.drain_ms + HURRY_AFTER_MS, 100);
  server->parts_stopping = 1; /* held by this function */
  if (server->http) {
    server->parts_stopping++;
    http_server_stop(server->http, on_transport_stopped, server);
  }
  if (server->websocket) {
    server->parts_stopping++;
    websocket_stop(server->websocket, on_transport_stopped, server);
  }
  on_transport_stopped(server);
}

void au_server_free(au_server *server) {
  if (server) free_parts(server);
}
