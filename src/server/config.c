/* The defaults, and the only place that holds them. Knows neither flags nor the
 * environment: an embedder has this without the option table. */
#include <active_users/config.h>

#include "options_table.h"

void au_config_init(au_config *config) {
  *config = (au_config){
      .host = "0.0.0.0",
      .http_port = 3001,
      .ws_port = 3003,
      .enable_websocket = true,
      .reuse_port = false,
      .redis_url = "",
      .redis_ca = "",
      .presence_ttl_s = 180,
      .ema_alpha = 0.2,
      .ema_interval_ms = 30 * 1000,
      .rate_ip_per_min = 100,
      .rate_customer_per_min = 5000,
      .disconnect_grace_ms = 10 * 1000,
      .allowed_origins = "*",
      .trusted_proxies = "",
      .header_timeout_ms = 10 * 1000,
      .idle_timeout_ms = 60 * 1000,
      .ws_auth_timeout_ms = 10 * 1000,
      .ws_ping_interval_ms = 30 * 1000,
      .ws_pong_timeout_ms = 20 * 1000,
      .drain_ms = 3000,
      .max_connections = 0,
      .max_customers = 100 * 1000,
      .max_sessions = 1000 * 1000,
      .log_level = AU_LOG_INFO,
      .log_format = AU_LOG_TEXT,
      .log_file = "",
  };
}

/* The rows of the option table are written for a struct of this shape. */
struct checked {
  const char *config_path;
  au_config config;
};

#define ROW(group, flag, env, field, is, marks, arg, help) \
  {flag, offsetof(struct checked, field), is},

static const struct {
  const char *name;
  size_t offset;
  setting is;
} rows[] = {OPTIONS_TABLE(ROW)};

au_status au_config_check(const au_config *config, const char **field) {
  struct checked all = {.config_path = "", .config = *config};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (setting_fits(&rows[i].is, (const char *)&all + rows[i].offset)) continue;
    *field = rows[i].name;
    return AU_EINVAL;
  }
  return AU_OK;
}
