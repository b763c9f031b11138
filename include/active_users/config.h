/* Settings of one server. Fill with au_config_init, which holds the defaults, and
 * change what differs. The daemon does so from flags, environment and config file
 * (src/server/options_table.h). */
#ifndef ACTIVE_USERS_CONFIG_H
#define ACTIVE_USERS_CONFIG_H

#include <active_users/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum au_log_level { AU_LOG_ERROR, AU_LOG_WARN, AU_LOG_INFO, AU_LOG_DEBUG } au_log_level;
typedef enum au_log_format { AU_LOG_TEXT, AU_LOG_JSON } au_log_format;

/* Strings are owned by the caller and must outlive the server. */
typedef struct au_config {
  const char *host;               /* IPv4 or IPv6 literal to listen on; "0.0.0.0" */
  uint32_t http_port;             /* REST and upgrades; 0: any free port; 3001 */
  uint32_t ws_port;               /* WebSocket; 0: any free port; 3003 */
  bool enable_websocket;          /* false: no WebSocket listener, upgrades get 404; true */
  bool reuse_port;                /* other processes of this user may listen there too; false */
  const char *redis_url;          /* "": the memory store; "" */
  const char *redis_ca;           /* PEM file of authorities for rediss://; "": the system's; "" */
  uint32_t presence_ttl_s;        /* 1 to 86400; 180 */
  double ema_alpha;               /* weight of the newest count, (0, 1]; 0.2 */
  uint32_t ema_interval_ms;       /* 50 to 3600000; 30000 */
  uint32_t rate_ip_per_min;       /* requests a minute for one address; 0: off; 100 */
  uint32_t rate_customer_per_min; /* requests a minute for one customer; 0: off; 5000 */
  uint32_t disconnect_grace_ms;   /* 0 to 3600000; 10000 */
  const char *allowed_origins;    /* "*" or a comma list of origins; "*" */
  const char *trusted_proxies;    /* comma list of CIDRs; "" */
  uint32_t header_timeout_ms;   /* for a whole head, then for a whole body; 100 to 600000; 10000 */
  uint32_t idle_timeout_ms;     /* a connection without a request; 100 to 3600000; 60000 */
  uint32_t ws_auth_timeout_ms;  /* from the upgrade to auth; 100 to 600000; 10000 */
  uint32_t ws_ping_interval_ms; /* silence before the server pings; 100 to 3600000; 30000 */
  uint32_t ws_pong_timeout_ms;  /* wait for the answer to that ping; 100 to 600000; 20000 */
  uint32_t drain_ms;            /* over how long a stop closes its sockets; 0 to 600000; 3000 */
  uint32_t max_connections; /* HTTP and WebSocket together; 0: 90 % of the descriptor limit; 0 */
  uint32_t max_customers;   /* 1 to 10000000; 100000 */
  uint32_t max_sessions;    /* 1 to 100000000; 1000000 */
  au_log_level log_level;   /* AU_LOG_INFO */
  au_log_format log_format; /* AU_LOG_TEXT */
  /* Opened by the daemon's main; a server on a loop of yours logs to standard error. */
  const char *log_file; /* "": standard error; "" */
} au_config;

/* Sets every field to the default named beside it. */
void au_config_init(au_config *config);

/* Whether every field is in the range named beside it and no text is NULL. Returns AU_OK,
 * or AU_EINVAL with *field, the static name of the first that is not. What a text says is
 * read by au_server_create. */
AU_MUST_CHECK au_status au_config_check(const au_config *config, const char **field);

#ifdef __cplusplus
}
#endif
#endif
