/* The composition root: builds the parts and joins them; server_stop.c stops them. Has no logic of
 * its own; the only file that knows all parts. */
#include "server_private.h"

#include "services/changes.h"
#include "transports/connection_limits.h"
#include "utils/buffer.h"
#include "utils/log.h"
#include "wire/wire.h"

#include <stdlib.h>

/* ---- joints between the parts -------------------------------------------- */

static void on_store_changed(void *arg, au_slice customer_id) {
  au_server *server = arg;
  if (server->started) ticker_changed(server->ticker, customer_id);
}

static void on_store_published(void *arg, const au_metrics *metrics) {
  au_server *server = arg;
  broadcast_publish(server->broadcast, metrics, clock_mono_ms(&server->turns.clock));
}

static void on_session_began(void *arg, void *source) {
  (void)arg;
  address_session_began(source);
}

static void on_session_ended(void *arg, void *source) {
  const au_server *server = arg;
  address_session_ended(source, clock_mono_ms(&server->turns.clock));
}

static void on_session_seen(void *arg, au_slice customer_id, au_slice session_id) {
  const au_server *server = arg;
  if (server->started && server->history) history_seen(server->history, customer_id, session_id);
}

static uint32_t max_sessions_of(void *arg, au_slice customer_id) {
  const au_server *server = arg;
  return places_of_customer(server->places, customer_id);
}

static void on_broadcast_wake(void *arg) {
  au_server *server = arg;
  ticker_wake(server->ticker);
}

static au_status on_broadcast_subscribe(void *arg, au_slice customer_id, bool on) {
  au_server *server = arg;
  return server->store->ops->subscribe(server->store, customer_id, on);
}

static void on_upgrade(void *arg, const http_detached *conn, au_slice key, au_slice origin,
                       au_visitor visitor) {
  au_server *server = arg;
  const websocket_opening opening = {.fd = conn->fd,
                                     .key = key,
                                     .early = conn->early,
                                     .origin = origin,
                                     .visitor = visitor,
                                     .from = conn->address,
                                     .counted = conn->counted};
  websocket_adopt(server->websocket, &opening);
}

static void on_stream(void *arg, const http_detached *conn, au_slice head, au_slice customer_id) {
  au_server *server = arg;
  streams_adopt(server->streams, conn, head, customer_id);
}

static bool on_evict(void *arg) {
  au_server *server = arg;
  server->evicts_stream = !server->evicts_stream;
  if (server->evicts_stream && streams_evict(server->streams)) return true;
  return (server->websocket && websocket_evict(server->websocket)) ||
         (!server->evicts_stream && streams_evict(server->streams));
}

static void on_released(void *arg) {
  au_server *server = arg;
  http_server_release(server->http);
}

/* ---- create -------------------------------------------------------------- */

static au_status create_store(au_server *server, map_seed seed) {
  server->events = (au_store_events){
      .changed = on_store_changed,
      .published = on_store_published,
      .session_began = on_session_began,
      .session_ended = on_session_ended,
      .session_seen = on_session_seen,
      .max_sessions_of = max_sessions_of,
      .arg = server,
  };
  const char *what, *why;
  const stores_config config = {server->loop,    &server->config,   &server->turns.clock,
                                &server->events, &server->counters, seed};
  au_status status = stores_create(&config, &server->stores, &what, &why);
  server->store = server->stores.sessions;
  return status == AU_EINVAL ? server_failed(status, what, why) : status;
}

static au_status create_services(au_server *server, map_seed seed) {
  const au_config *config = &server->config;
  const history_config keeping = stores_history(&server->stores);
  au_status status = history_create(&keeping, &server->history);
  if (status != AU_OK) return status;
  status = presence_create(server->store, config->disconnect_grace_ms, seed, &server->presence);
  if (status != AU_OK) return status;
  presence_limit_customers(server->presence, places_customers_of_address(server->places));
  broadcast_hooks hooks = {
      .wake = on_broadcast_wake,
      .subscribe = on_broadcast_subscribe,
      .print = wire_frame_update,
      .arg = server,
      .durations = &server->counters.fanout,
      .gap_ms = config->ema_interval_ms < config->update_interval_ms ? config->ema_interval_ms
                                                                     : config->update_interval_ms,
  };
  status = broadcast_create(seed, &hooks, &server->broadcast);
  if (status != AU_OK) return status;
  if (config->metrics_customers > 0)
    status = top_customers_create(config->metrics_customers, &server->top);
  if (status != AU_OK) return status;
  ticker_config ticking = {
      .loop = server->loop,
      .clock = &server->turns.clock,
      .store = server->store,
      .broadcast = server->broadcast,
      .history = server->history,
      .counters = &server->counters,
      .top = server->top,
      .alpha = config->ema_alpha,
      .interval_ms = config->ema_interval_ms,
      .changes_ms = CHANGES_INTERVAL_MS,
      .max_changes = config->max_customers,
      .seed = seed,
  };
  return ticker_create(&ticking, &server->ticker);
}

static void charge_customer(void *arg, budgets_customer which, au_slice customer_id, uint32_t n) {
  au_server *server = arg;
  rest_charge(server->rest, which, customer_id, n);
}

static au_status create_office(au_server *server, map_seed seed) {
  office_config config = {
      .loop = server->loop,
      .clock = &server->turns.clock,
      .config = &server->config,
      .store = server->store,
      .seed = seed,
      .charge_customer = charge_customer,
      .arg = server,
  };
  const char *setting = "", *reason = "";
  if (uv_random(NULL, NULL, config.random, sizeof config.random, 0, NULL) != 0) return AU_ENOMEM;
  au_status status = office_create(&config, &setting, &reason, &server->office);
  return status == AU_EINVAL ? server_failed(status, setting, reason) : status;
}

static connection_limits limit_connections(const au_config *config) {
  return connection_limits_of(config);
}

/* Of `config`, which may be a later one than the server's: the tables stay as they are. */
static address_limits limits_of(const au_server *server, const au_config *config) {
  uint32_t all = limit_connections(&server->config).all;
  return (address_limits){
      .requests_per_min = config->rate_ip_per_min,
      .new_sessions_per_min = config->new_sessions_ip_per_min,
      .max_sessions = places_of_address(server->places),
      .max_connections = connection_limits_of_address(config, all),
      .all_sessions = server->config.max_sessions,
      .all_connections = all,
  };
}

static au_status create_access(const au_config *config, access_rules **out) {
  char problem[ACCESS_PROBLEM_SIZE];
  au_status status = access_rules_create(config, problem, out);
  return status == AU_EINVAL ? server_failed(status, problem, "") : status;
}

static au_status create_transports(au_server *server, map_seed seed) {
  const au_config *config = &server->config;
  address_limits limits = limits_of(server, config);
  au_status made = create_access(config, &server->access);
  if (made == AU_OK) made = addresses_create(seed, &limits, &server->addresses);
  if (made == AU_OK) made = poller_create(server->loop, &server->poller);
  if (made != AU_OK) return made;
  office_take_addresses(server->office, server->addresses);
  rest_config routing = {
      .config = config,
      .clock = &server->turns.clock,
      .presence = server->presence,
      .history = server->history,
      .store = server->store,
      .counters = &server->counters,
      .top = server->top,
      .addresses = server->addresses,
      .access = server->access,
      .office = server->office,
      .seed = seed,
      .upgrade = config->enable_websocket ? on_upgrade : NULL,
      .upgrade_arg = server,
      .stream = on_stream,
      .stream_arg = server,
  };
  const char *reason = "";
  au_status status = rest_create(&routing, &reason, &server->rest);
  if (status != AU_OK) return status == AU_EINVAL ? server_failed(status, reason, "") : status;

  connection_limits connections = limit_connections(config);
  http_server_config listening = {
      .loop = server->loop,
      .poller = server->poller,
      .clock = &server->turns.clock,
      .counters = &server->counters,
      .addresses = server->addresses,
      .evict = on_evict,
      .evict_arg = server,
      .handler = rest_handler(server->rest),
      .max_head_bytes = config->max_head_bytes,
      .header_timeout_ms = config->header_timeout_ms,
      .idle_timeout_ms = config->idle_timeout_ms,
      .reuse_port = config->reuse_port,
      .max_connections = connections.all,
      .reserved_connections = connections.health,
      .private_listener = REST_LISTENER_ADMIN,
      .private_connections = connections.admin,
  };
  status = http_server_create(&listening, &server->http);
  if (status != AU_OK) return status;
  streams_config streaming = {
      .loop = server->loop,
      .poller = server->poller,
      .clock = &server->turns.clock,
      .presence = server->presence,
      .broadcast = server->broadcast,
      .counters = &server->counters,
      .stall_ms = config->ws_pong_timeout_ms,
      .drain_ms = config->drain_ms,
      .released = on_released,
      .released_arg = server,
  };
  status = streams_create(&streaming, &server->streams);
  if (status != AU_OK || !config->enable_websocket) return status;
  websocket_config sockets = {
      .loop = server->loop,
      .poller = server->poller,
      .clock = &server->turns.clock,
      .config = config,
      .presence = server->presence,
      .broadcast = server->broadcast,
      .counters = &server->counters,
      .access = server->access,
      .names = &server->office->names,
      .released = on_released,
      .released_arg = server,
  };
  status = websocket_create(&sockets, &reason, &server->websocket);
  return status == AU_EINVAL ? server_failed(status, reason, "") : status;
}

static void free_parts(au_server *server) {
  websocket_free(server->websocket);
  streams_free(server->streams);
  http_server_free(server->http);
  rest_free(server->rest);
  access_rules_free(server->access);
  office_free(server->office);
  sender_free(server->sender);
  webhooks_free(server->webhooks);
  ticker_free(server->ticker);
  top_customers_free(server->top);
  broadcast_free(server->broadcast);
  presence_free(server->presence);
  history_free(server->history);
  stores_free(&server->stores);
  addresses_free(server->addresses);
  places_free(server->places);
  poller_free(server->poller);
  free(server);
}

static void on_failed_stop(void *arg) {
  free_parts(arg);
}

au_status au_server_create(uv_loop_t *loop, const au_config *config, au_server **out) {
  map_seed seed;
  if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0)
    return server_failed(AU_ENOMEM, "no random numbers", "");
  const char *field;
  if (au_config_check(config, &field) != AU_OK)
    return server_failed(AU_EINVAL, field, "out of its range");
  uint64_t admin_port = 0;
  if (config->admin_port[0] != '\0' &&
      (!slice_digits(slice_of(config->admin_port), 5, &admin_port) || admin_port > UINT16_MAX))
    return server_failed(AU_EINVAL, "admin-port", "is no port (0 to 65535)");
  au_server *server = calloc(1, sizeof *server);
  if (!server) return server_failed(AU_ENOMEM, "out of memory", "");
  server->ports.admin = (uint16_t)admin_port;
  server->loop = loop;
  server->config = *config;
  server->stores.state_lock = -1;
  turn_clock_init(&server->turns, loop, &server->counters);
  log_configure(config->log_level, config->log_format);

  uv_timer_init(loop, &server->timer);
  server->timer.data = server;

  au_status status = places_create(config, &server->places);
  if (status == AU_OK) status = create_store(server, seed);
  if (status == AU_OK) status = create_services(server, seed);
  if (status == AU_OK) status = server_create_webhooks(server);
  if (status == AU_OK) status = create_office(server, seed);
  if (status == AU_OK) status = create_transports(server, seed);
  if (status == AU_ENOMEM) server_failed(status, "out of memory", "");
  if (status != AU_OK) {
    /* What was built has handles in the loop: they close on its next turns. */
    au_server_stop(server, on_failed_stop, server);
    return status;
  }
  *out = server;
  return AU_OK;
}

/* ---- running ---------------------------------------------------------------- */

uint16_t au_server_http_port(const au_server *server) {
  return server->ports.http;
}

uint16_t au_server_ws_port(const au_server *server) {
  return server->ports.ws;
}

uint16_t au_server_admin_port(const au_server *server) {
  return server->ports.admin;
}

/* What a reload renews. */
typedef struct renewal {
  rest_settings *settings;
  places *places;
  access_rules *access;
  sender_settings *deliveries;
  webhooks_rules *rules;
} renewal;

static void renewal_free(renewal *r) {
  rest_settings_free(r->settings);
  places_free(r->places);
  access_rules_free(r->access);
  sender_settings_free(r->deliveries);
  webhooks_rules_free(r->rules);
}

static au_status renewal_create(au_server *server, const au_config *config, renewal *r) {
  const char *reason = "";
  au_status status = rest_settings_create(config, &reason, &r->settings);
  if (status == AU_EINVAL) return server_failed(status, reason, "");
  if (status == AU_OK) status = places_renew(server->places, config, &r->places);
  if (status == AU_OK) status = create_access(config, &r->access);
  if (status == AU_OK) status = server_read_webhooks(server, config, &r->deliveries, &r->rules);
  return status == AU_ENOMEM ? server_failed(status, "out of memory", "") : status;
}

au_status au_server_reload(au_server *server, const au_config *config) {
  renewal new = {0};
  au_status status = renewal_create(server, config, &new);
  if (status != AU_OK) {
    renewal_free(&new);
    return status;
  }
  /* From here on nothing can fail: either all is new or nothing is. */
  rest_reload(server->rest, new.settings);
  rest_set_access(server->rest, new.access);
  if (server->websocket) websocket_set_access(server->websocket, new.access);
  access_rules_free(server->access);
  server->access = new.access;
  places_free(server->places);
  server->places = new.places;
  address_limits limits = limits_of(server, config);
  addresses_set_limits(server->addresses, &limits);
  presence_limit_customers(server->presence, places_customers_of_address(server->places));
  if (server->websocket) websocket_reload(server->websocket, config);
  sender_set(server->sender, new.deliveries);
  webhooks_set_rules(server->webhooks, new.rules);
  log_configure(config->log_level, server->config.log_format);
  log_info("server", "reloaded", LOG_INT("rate_ip", config->rate_ip_per_min),
           LOG_INT("rate_customer", config->rate_customer_per_min),
           LOG_STR("allowed_origins", config->allowed_origins),
           LOG_INT("webhooks", config->webhooks_count));
  return AU_OK;
}

void au_server_free(au_server *server) {
  if (server) free_parts(server);
}
