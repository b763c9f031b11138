/* The defaults, and the only place that holds them. Knows neither flags nor the
 * environment: an embedder has this without the option table. */
#include <active_users/config.h>

#include "options/table.h"
#include "utils/buffer.h"
#include "utils/text/id.h"

#include <string.h>

void au_config_init(au_config *config) {
  *config = (au_config){
      .host = "0.0.0.0",
      .http_port = 3001,
      .ws_port = 3003,
      .enable_websocket = true,
      .reuse_port = false,
      .metrics_customers = 0,
      .redis_url = "",
      .redis_ca = "",
      .presence_ttl_s = 180,
      .count_bots = false,
      .count_after_ms = 0,
      .ema_alpha = 0.2,
      .ema_interval_ms = 30 * 1000,
      .update_interval_ms = 1000,
      .rate_ip_per_min = 100,
      .rate_customer_per_min = 5000,
      .new_sessions_ip_per_min = 600,
      .max_sessions_ip = 5000,
      .max_connections_ip = "5%",
      .max_sessions_customer = "80%",
      .socket_rate_per_s = 10,
      .disconnect_grace_ms = 10 * 1000,
      .allowed_origins = "*",
      .trusted_proxies = "",
      .token_secret = "",
      .admin_token = "",
      .admin_host = "127.0.0.1",
      .admin_port = "",
      .max_head_bytes = 16 * 1024,
      .header_timeout_ms = 10 * 1000,
      .idle_timeout_ms = 75 * 1000, /* balancers close theirs after 60 s: never at the same time */
      .ws_auth_timeout_ms = 10 * 1000,
      .ws_ping_interval_ms = 30 * 1000,
      .ws_pong_timeout_ms = 20 * 1000,
      .drain_ms = 3000,
      .max_connections = 0,
      .max_customers = 100 * 1000,
      .max_sessions = 1000 * 1000,
      .state_file = "",
      .history_max_mb = 256,
      .privacy = AU_PRIVACY_STANDARD,
      .privacy_key = "",
      .webhook_secret = "",
      .webhook_networks = "",
      .webhook_ca = "",
      .webhook_timeout_ms = 5000,
      .log_level = AU_LOG_INFO,
      .log_format = AU_LOG_TEXT,
      .log_file = "",
  };
}

#define ROW(group, flag, env, field, is, marks, arg, help) {flag, offsetof(au_config, field), is},

static const struct {
  const char *name;
  size_t offset;
  setting is;
} rows[] = {OPTIONS_TABLE(ROW)};

static bool fits(int64_t value, int64_t max) {
  return value >= -1 && value <= max;
}

static bool is_text(const char *text) {
  return !text || text[0] != '\0';
}

static bool customer_fits(const au_customer_limits *c) {
  return c->customer_id && id_valid(slice_of(c->customer_id)) &&
         fits(c->rate_per_min, OPTION_MAX_RATE) && fits(c->max_sessions, OPTION_MAX_SESSIONS) &&
         is_text(c->token_secret) && is_text(c->allowed_origins);
}

static bool webhook_fits(const au_webhook *w) {
  bool counts = w->kind != AU_WEBHOOK_STORE;
  bool ordered = w->kind == AU_WEBHOOK_ABOVE ? w->until <= w->threshold : w->until >= w->threshold;
  return w->name && id_valid(slice_of(w->name)) && w->url && w->url[0] != '\0' &&
         strlen(w->url) <= AU_WEBHOOK_URL_MAX && w->for_s >= 1 &&
         w->for_s <= AU_WEBHOOK_FOR_MAX_S &&
         (!counts || (ordered && w->customer_id && id_valid(slice_of(w->customer_id))));
}

au_status au_config_check(const au_config *config, const char **field) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (setting_fits(&rows[i].is, (const char *)config + rows[i].offset)) continue;
    *field = rows[i].name;
    return AU_EINVAL;
  }
  for (size_t i = 0; i < config->webhooks_count; i++) {
    if (config->webhooks_count <= AU_WEBHOOKS_MAX && webhook_fits(&config->webhooks[i])) continue;
    *field = "webhooks";
    return AU_EINVAL;
  }
  for (size_t i = 0; i < config->customers_count; i++) {
    if (customer_fits(&config->customers[i])) continue;
    *field = "customers";
    return AU_EINVAL;
  }
  return AU_OK;
}
