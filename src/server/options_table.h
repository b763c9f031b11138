/* The rows of the option table: nothing but data. A new option is a field of
 * au_config, its default in config.c and a row here. */
#ifndef OPTIONS_TABLE_H
#define OPTIONS_TABLE_H

#include "utils/setting.h"

enum {
  OPTION_SECRET = 1,      /* never shown; NAME_FILE may name a file that holds it */
  OPTION_RELOADABLE = 2,  /* SIGHUP takes it over */
  OPTION_NOT_IN_FILE = 4, /* makes no sense there */
};

enum { OPTION_TEXT_MAX = 8000 }; /* bytes of the longest value; fits a line of the file */

#define IS_BOOL \
  { SETTING_BOOL, 0, 1, NULL }
#define IS_WHOLE(min, max) \
  { SETTING_WHOLE, (min), (max), NULL }
#define IS_REAL(above, max) \
  { SETTING_REAL, (above), (max), NULL }
#define IS_TEXT(min, max) \
  { SETTING_TEXT, (min), (max), NULL }
#define IS_WORD(words) \
  { SETTING_WORD, 0, 0, (words) }

/* X(group, flag, environment, field, kind and range, marks, placeholder, help) */
#define OPTIONS_TABLE(X)                                                                           \
  X("General", "config", "AU_CONFIG", config_path, IS_TEXT(0, 4095), OPTION_NOT_IN_FILE, "FILE",   \
    "file of `key = value` lines; a key is a flag without its dashes")                             \
  X("Listening", "host", "AU_HOST", config.host, IS_TEXT(1, 255), 0, "ADDRESS",                    \
    "IPv4 or IPv6 address to listen on; `::` is all of IPv6")                                      \
  X("Listening", "http-port", "AU_HTTP_PORT", config.http_port, IS_WHOLE(0, 65535), 0, "PORT",     \
    "REST, and WebSocket upgrades; 0: any free port")                                              \
  X("Listening", "ws-port", "AU_WS_PORT", config.ws_port, IS_WHOLE(0, 65535), 0, "PORT",           \
    "WebSocket; 0: any free port")                                                                 \
  X("Listening", "enable-websocket", "AU_ENABLE_WEBSOCKET", config.enable_websocket, IS_BOOL, 0,   \
    "BOOL", "false: nothing listens on ws-port, an upgrade gets 404")                              \
  X("Listening", "reuse-port", "AU_REUSE_PORT", config.reuse_port, IS_BOOL, 0, "BOOL",             \
    "true: several daemons may listen on the same ports, one for each core")                       \
  X("Listening", "max-connections", "AU_MAX_CONNECTIONS", config.max_connections,                  \
    IS_WHOLE(0, 10e6), 0, "N", "above it accepting pauses; 0: 90 % of the descriptor limit")       \
  X("Presence", "redis-url", "AU_REDIS_URL", config.redis_url, IS_TEXT(0, 2048), OPTION_SECRET,    \
    "URL", "redis://[[user]:password@]host[:port][/db]; empty: kept in memory")                    \
  X("Presence", "redis-ca", "AU_REDIS_CA", config.redis_ca, IS_TEXT(0, 4095), 0, "FILE",           \
    "PEM file of the authorities that rediss:// trusts; empty: the system's")                      \
  X("Presence", "presence-ttl", "AU_PRESENCE_TTL", config.presence_ttl_s, IS_WHOLE(1, 86400), 0,   \
    "S", "seconds that a session lives without a sign of life")                                    \
  X("Presence", "disconnect-grace", "AU_DISCONNECT_GRACE_MS", config.disconnect_grace_ms,          \
    IS_WHOLE(0, 3600e3), 0, "MS",                                                                  \
    "how long a session outlives its last socket when the peer vanished")                          \
  X("Presence", "max-customers", "AU_MAX_CUSTOMERS", config.max_customers, IS_WHOLE(1, 10e6), 0,   \
    "N", "above it a new customer gets 503")                                                       \
  X("Presence", "max-sessions", "AU_MAX_SESSIONS", config.max_sessions, IS_WHOLE(1, 100e6), 0,     \
    "N", "above it a new session gets 503")                                                        \
  X("Metrics", "ema-alpha", "AU_EMA_ALPHA", config.ema_alpha, IS_REAL(0, 1), 0, "X",               \
    "weight of the newest count")                                                                  \
  X("Metrics", "ema-interval", "AU_EMA_INTERVAL_MS", config.ema_interval_ms, IS_WHOLE(50, 3600e3), \
    0, "MS", "from one tick to the next")                                                          \
  X("Access", "allowed-origins", "AU_ALLOWED_ORIGINS", config.allowed_origins,                     \
    IS_TEXT(0, OPTION_TEXT_MAX), OPTION_RELOADABLE, "LIST",                                        \
    "origins of the pages that may connect, by commas; `*`: any")                                  \
  X("Access", "trusted-proxies", "AU_TRUSTED_PROXIES", config.trusted_proxies,                     \
    IS_TEXT(0, OPTION_TEXT_MAX), OPTION_RELOADABLE, "LIST",                                        \
    "CIDRs, by commas, whose X-Forwarded-For is believed")                                         \
  X("Access", "rate-ip", "AU_RATE_IP", config.rate_ip_per_min, IS_WHOLE(0, 10e6),                  \
    OPTION_RELOADABLE, "N", "requests a minute for one IP; 0: no limit")                           \
  X("Access", "rate-customer", "AU_RATE_CUSTOMER", config.rate_customer_per_min,                   \
    IS_WHOLE(0, 10e6), OPTION_RELOADABLE, "N", "requests a minute for one customer; 0: no limit")  \
  X("Time-outs", "header-timeout", "AU_HEADER_TIMEOUT_MS", config.header_timeout_ms,               \
    IS_WHOLE(100, 600e3), 0, "MS", "for a whole request head, then for a whole body")              \
  X("Time-outs", "idle-timeout", "AU_IDLE_TIMEOUT_MS", config.idle_timeout_ms,                     \
    IS_WHOLE(100, 3600e3), 0, "MS", "for a connection without a request")                          \
  X("Time-outs", "ws-auth-timeout", "AU_WS_AUTH_TIMEOUT_MS", config.ws_auth_timeout_ms,            \
    IS_WHOLE(100, 600e3), 0, "MS", "from the upgrade to the auth message")                         \
  X("Time-outs", "ws-ping-interval", "AU_WS_PING_INTERVAL_MS", config.ws_ping_interval_ms,         \
    IS_WHOLE(100, 3600e3), 0, "MS", "silence of a socket before the server pings it")              \
  X("Time-outs", "ws-pong-timeout", "AU_WS_PONG_TIMEOUT_MS", config.ws_pong_timeout_ms,            \
    IS_WHOLE(100, 600e3), 0, "MS", "for the answer to that ping")                                  \
  X("Time-outs", "drain", "AU_DRAIN_MS", config.drain_ms, IS_WHOLE(0, 600e3), 0, "MS",             \
    "over how long a stopping daemon closes its sockets")                                          \
  X("Log", "log-level", "AU_LOG_LEVEL", config.log_level, IS_WORD("error|warn|info|debug"),        \
    OPTION_RELOADABLE, "LEVEL", "how much is logged")                                              \
  X("Log", "log-format", "AU_LOG_FORMAT", config.log_format, IS_WORD("text|json"), 0, "FORMAT",    \
    "lines for a person, or one JSON object a line")                                               \
  X("Log", "log-file", "AU_LOG_FILE", config.log_file, IS_TEXT(0, 4095), 0, "FILE",                \
    "appended to, opened again on SIGHUP; empty: standard error")

#endif
