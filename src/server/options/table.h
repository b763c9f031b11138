/* The rows of the option table: nothing but data. A new option is a field of
 * au_config, its default in config.c and a row here. */
#ifndef OPTIONS_TABLE_H
#define OPTIONS_TABLE_H

#include "utils/text/setting.h"

enum {
  OPTION_SECRET = 1,      /* never shown; NAME_FILE may name a file that holds it */
  OPTION_RELOADABLE = 2,  /* SIGHUP takes it over */
  OPTION_NOT_IN_FILE = 4, /* makes no sense there */
  OPTION_OPAQUE = 8,      /* a secret that is no URL: all of it is secret */
};

enum {
  OPTION_TEXT_MAX = 8000, /* bytes of the longest value; fits a line of the file */
  OPTION_MAX_RATE = 10 * 1000 * 1000,
  OPTION_MAX_SESSIONS = 100 * 1000 * 1000,
};

#define IS_BOOL \
  { SETTING_BOOL, 0, 1, NULL }
#define IS_WHOLE(min, max) \
  { SETTING_WHOLE, (min), (max), NULL }
#define IS_REAL(above, max) \
  { SETTING_REAL, (above), (max), NULL }
#define IS_TEXT(min, max) \
  { SETTING_TEXT, (min), (max), NULL }
#define IS_SHARE \
  { SETTING_SHARE, 0, 0, NULL }
#define IS_WORD(words) \
  { SETTING_WORD, 0, 0, (words) }

/* X(group, flag, environment, field of au_config, kind and range, marks, placeholder, help) */
#define OPTIONS_TABLE(X)                                                                           \
  X("Listening", "host", "AU_HOST", host, IS_TEXT(1, 255), 0, "ADDRESS",                           \
    "IPv4 or IPv6 address to listen on; `::` is all of IPv6")                                      \
  X("Listening", "http-port", "AU_HTTP_PORT", http_port, IS_WHOLE(0, 65535), 0, "PORT",            \
    "REST, and WebSocket upgrades; 0: any free port")                                              \
  X("Listening", "ws-port", "AU_WS_PORT", ws_port, IS_WHOLE(0, 65535), 0, "PORT",                  \
    "WebSocket; 0: any free port")                                                                 \
  X("Listening", "enable-websocket", "AU_ENABLE_WEBSOCKET", enable_websocket, IS_BOOL, 0, "BOOL",  \
    "false: nothing listens on ws-port, an upgrade gets 404")                                      \
  X("Listening", "reuse-port", "AU_REUSE_PORT", reuse_port, IS_BOOL, 0, "BOOL",                    \
    "true: several daemons may listen on the same ports, one for each core")                       \
  X("Listening", "admin-port", "AU_ADMIN_PORT", admin_port, IS_TEXT(0, 5), 0, "PORT",              \
    "operators' endpoints, there alone; 0: any free port; empty: on http-port")                    \
  X("Listening", "admin-host", "AU_ADMIN_HOST", admin_host, IS_TEXT(1, 255), 0, "ADDRESS",         \
    "IPv4 or IPv6 address that admin-port listens on")                                             \
  X("Listening", "max-connections", "AU_MAX_CONNECTIONS", max_connections, IS_WHOLE(0, 10e6), 0,   \
    "N", "most connections, idle ones go first; 0: 90 % of the descriptor limit")                  \
  X("Presence", "redis-url", "AU_REDIS_URL", redis_url, IS_TEXT(0, 2048), OPTION_SECRET, "URL",    \
    "redis://[[user]:password@]host[:port][/db] and others; empty: in memory")                     \
  X("Presence", "redis-ca", "AU_REDIS_CA", redis_ca, IS_TEXT(0, 4095), 0, "FILE",                  \
    "PEM file of the authorities that rediss:// trusts; empty: the system's")                      \
  X("Presence", "presence-ttl", "AU_PRESENCE_TTL", presence_ttl_s, IS_WHOLE(1, 86400), 0, "S",     \
    "seconds that a session lives without a sign of life")                                         \
  X("Presence", "count-bots", "AU_COUNT_BOTS", count_bots, IS_BOOL, 0, "BOOL",                     \
    "true: known bots are people; false: they are counted apart, as `bots`")                       \
  X("Presence", "count-after-ms", "AU_COUNT_AFTER_MS", count_after_ms, IS_WHOLE(0, 3600e3), 0,     \
    "MS", "a session counts after two signs of life so far apart; 0: at once")                     \
  X("Presence", "disconnect-grace", "AU_DISCONNECT_GRACE_MS", disconnect_grace_ms,                 \
    IS_WHOLE(0, 3600e3), 0, "MS", "time that a session stays counted after its socket was lost")   \
  X("Presence", "max-customers", "AU_MAX_CUSTOMERS", max_customers, IS_WHOLE(1, 10e6), 0, "N",     \
    "above it a new one takes the place of an empty one, or gets 503")                             \
  X("Presence", "max-sessions", "AU_MAX_SESSIONS", max_sessions, IS_WHOLE(1, OPTION_MAX_SESSIONS), \
    0, "N", "above it a new session gets 503")                                                     \
  X("Presence", "state-file", "AU_STATE_FILE", state_file, IS_TEXT(0, 4095), 0, "FILE",            \
    "without Redis: written at a stop, read at a start; empty: none")                              \
  X("Presence", "privacy", "AU_PRIVACY", privacy, IS_WORD("standard|strict"), 0, "LEVEL",          \
    "strict: hashes in place of session ids, no user agents")                                      \
  X("Presence", "privacy-key", "AU_PRIVACY_KEY", privacy_key, IS_TEXT(0, 512), OPTION_SECRET,      \
    "KEY", "key of its hashes, one for all daemons of a Redis; 16 bytes or more")                  \
  X("Metrics", "ema-alpha", "AU_EMA_ALPHA", ema_alpha, IS_REAL(0, 1), 0, "X",                      \
    "weight of the newest count")                                                                  \
  X("Metrics", "ema-interval", "AU_EMA_INTERVAL_MS", ema_interval_ms, IS_WHOLE(50, 3600e3), 0,     \
    "MS", "from one tick to the next")                                                             \
  X("Metrics", "update-interval", "AU_UPDATE_INTERVAL_MS", update_interval_ms,                     \
    IS_WHOLE(100, 3600e3), 0, "MS",                                                                \
    "least time between two frames of a customer, at most ema-interval")                           \
  X("Metrics", "metrics-customers", "AU_METRICS_CUSTOMERS", metrics_customers, IS_WHOLE(0, 1000),  \
    0, "N", "how many customers the exposition names, by count; the rest is `other`")              \
  X("Metrics", "history-max-mb", "AU_HISTORY_MAX_MB", history_max_mb, IS_WHOLE(1, 1e6), 0, "MB",   \
    "of memory for the history; beyond, the quietest keep hours only")                             \
  X("Access", "allowed-origins", "AU_ALLOWED_ORIGINS", allowed_origins,                            \
    IS_TEXT(0, OPTION_TEXT_MAX), OPTION_RELOADABLE, "LIST",                                        \
    "origins of pages that may connect, by commas; `https://*.shop.example`")                      \
  X("Access", "trusted-proxies", "AU_TRUSTED_PROXIES", trusted_proxies,                            \
    IS_TEXT(0, OPTION_TEXT_MAX), OPTION_RELOADABLE, "LIST",                                        \
    "CIDRs, by commas, whose X-Forwarded-For or Forwarded is believed")                            \
  X("Access", "token-secret", "AU_TOKEN_SECRET", token_secret, IS_TEXT(0, OPTION_TEXT_MAX),        \
    OPTION_RELOADABLE | OPTION_SECRET | OPTION_OPAQUE, "SECRET",                                   \
    "HS256, or NAME:SECRET by blanks; then presence and sockets need a token")                     \
  X("Access", "admin-token", "AU_ADMIN_TOKEN", admin_token, IS_TEXT(0, 512), OPTION_SECRET,        \
    "TOKEN", "bearer token of the operators' endpoints, 16 characters or more")                    \
  X("Access", "rate-ip", "AU_RATE_IP", rate_ip_per_min, IS_WHOLE(0, OPTION_MAX_RATE),              \
    OPTION_RELOADABLE, "N", "requests a minute for one IP; 0: no limit")                           \
  X("Access", "rate-customer", "AU_RATE_CUSTOMER", rate_customer_per_min,                          \
    IS_WHOLE(0, OPTION_MAX_RATE), OPTION_RELOADABLE, "N",                                          \
    "requests a minute for one customer; 0: no limit")                                             \
  X("Access", "new-sessions-ip", "AU_NEW_SESSIONS_IP", new_sessions_ip_per_min,                    \
    IS_WHOLE(0, OPTION_MAX_RATE), OPTION_RELOADABLE, "N",                                          \
    "sessions a minute that one IP may create, burst 1,000; 0: no limit")                          \
  X("Access", "max-sessions-ip", "AU_MAX_SESSIONS_IP", max_sessions_ip,                            \
    IS_WHOLE(0, OPTION_MAX_SESSIONS), OPTION_RELOADABLE, "N",                                      \
    "live sessions of one IP, at most half of max-sessions; 0: no limit")                          \
  X("Access", "max-connections-ip", "AU_MAX_CONNECTIONS_IP", max_connections_ip, IS_SHARE,         \
    OPTION_RELOADABLE, "N", "of an IP or /64, idle ones go first; N%: of max-connections; 0: off") \
  X("Access", "max-sessions-customer", "AU_MAX_SESSIONS_CUSTOMER", max_sessions_customer,          \
    IS_SHARE, OPTION_RELOADABLE, "N",                                                              \
    "live sessions of one customer: N, or N% of max-sessions; 0: no limit")                        \
  X("Access", "socket-rate", "AU_SOCKET_RATE", socket_rate_per_s, IS_WHOLE(0, 10000),              \
    OPTION_RELOADABLE, "N", "messages a second of one socket, burst twice that; 0: no limit")      \
  X("Access", "max-head", "AU_MAX_HEAD_BYTES", max_head_bytes, IS_WHOLE(1024, 64 * 1024), 0,       \
    "BYTES", "a request's head; a larger one gets 431")                                            \
  X("Time-outs", "header-timeout", "AU_HEADER_TIMEOUT_MS", header_timeout_ms,                      \
    IS_WHOLE(100, 600e3), 0, "MS", "for a whole request head, then for a whole body")              \
  X("Time-outs", "idle-timeout", "AU_IDLE_TIMEOUT_MS", idle_timeout_ms, IS_WHOLE(100, 3600e3), 0,  \
    "MS", "for a connection without a request")                                                    \
  X("Time-outs", "ws-auth-timeout", "AU_WS_AUTH_TIMEOUT_MS", ws_auth_timeout_ms,                   \
    IS_WHOLE(100, 600e3), 0, "MS", "from the upgrade to the auth message")                         \
  X("Time-outs", "ws-ping-interval", "AU_WS_PING_INTERVAL_MS", ws_ping_interval_ms,                \
    IS_WHOLE(100, 3600e3), 0, "MS", "silence of a socket before the server pings it")              \
  X("Time-outs", "ws-pong-timeout", "AU_WS_PONG_TIMEOUT_MS", ws_pong_timeout_ms,                   \
    IS_WHOLE(100, 600e3), 0, "MS", "for the answer to that ping")                                  \
  X("Time-outs", "drain", "AU_DRAIN_MS", drain_ms, IS_WHOLE(0, 600e3), 0, "MS",                    \
    "over how long a stopping daemon closes its sockets")                                          \
  X("Webhooks", "webhook-secret", "AU_WEBHOOK_SECRET", webhook_secret, IS_TEXT(0, 512),            \
    OPTION_RELOADABLE | OPTION_SECRET | OPTION_OPAQUE, "SECRET",                                   \
    "whsec_ and base64: signs what is sent; a second behind a blank signs too")                    \
  X("Webhooks", "webhook-networks", "AU_WEBHOOK_NETWORKS", webhook_networks,                       \
    IS_TEXT(0, OPTION_TEXT_MAX), OPTION_RELOADABLE, "LIST",                                        \
    "CIDRs, by commas, that webhooks may connect to though they are not public")                   \
  X("Webhooks", "webhook-ca", "AU_WEBHOOK_CA", webhook_ca, IS_TEXT(0, 4095), OPTION_RELOADABLE,    \
    "FILE", "PEM file of the authorities that webhooks trust; empty: the system's")                \
  X("Webhooks", "webhook-timeout", "AU_WEBHOOK_TIMEOUT_MS", webhook_timeout_ms,                    \
    IS_WHOLE(100, 60e3), OPTION_RELOADABLE, "MS", "for one delivery, with its answer")             \
  X("Log", "log-level", "AU_LOG_LEVEL", log_level, IS_WORD("error|warn|info|debug"),               \
    OPTION_RELOADABLE, "LEVEL", "how much is logged")                                              \
  X("Log", "log-format", "AU_LOG_FORMAT", log_format, IS_WORD("text|json"), 0, "FORMAT",           \
    "lines for a person, or one JSON object a line")                                               \
  X("Log", "log-file", "AU_LOG_FILE", log_file, IS_TEXT(0, 4095), 0, "FILE",                       \
    "appended to, opened again on SIGHUP; empty: standard error")

#endif
