/* Settings of one server. Fill with au_config_init, which holds the defaults, and
 * change what differs. The daemon does so from flags, environment and config file
 * (src/server/options/table.h). */
#ifndef ACTIVE_USERS_CONFIG_H
#define ACTIVE_USERS_CONFIG_H

#include <active_users/types.h>
#include <active_users/webhook.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum au_log_level { AU_LOG_ERROR, AU_LOG_WARN, AU_LOG_INFO, AU_LOG_DEBUG } au_log_level;
typedef enum au_log_format { AU_LOG_TEXT, AU_LOG_JSON } au_log_format;

/* How much is kept of people. */
typedef enum au_privacy {
  AU_PRIVACY_STANDARD,
  /* No user agent, keyed hashes in place of session ids, and addresses as hashes that are others
   * each day. */
  AU_PRIVACY_STRICT,
} au_privacy;

/* Limits and rules of one customer, instead of those that hold for all; -1 and NULL: as for all. */
typedef struct au_customer_limits {
  const char *customer_id;
  int64_t rate_per_min;        /* as rate_customer_per_min; 0: off */
  int64_t max_sessions;        /* as max_sessions_customer: live sessions; 0: off */
  const char *token_secret;    /* as token_secret, not "" */
  const char *allowed_origins; /* as allowed_origins, not "" */
} au_customer_limits;

/* Strings and arrays are owned by the caller and must outlive the server. */
typedef struct au_config {
  const char *host;      /* IPv4 or IPv6 literal to listen on; "0.0.0.0" */
  uint32_t http_port;    /* REST and upgrades; 0: any free port; 3001 */
  uint32_t ws_port;      /* WebSocket; 0: any free port; 3003 */
  bool enable_websocket; /* false: no WebSocket listener, upgrades get 404; true */
  bool reuse_port;       /* other processes of this user may listen there too; false */
  /* Customers with the highest counts that the exposition names; 0 to 1000; 0: none; 0 */
  uint32_t metrics_customers;
  const char *redis_url;   /* "": the memory store; "" */
  const char *redis_ca;    /* PEM file of authorities for rediss://; "": the system's; "" */
  uint32_t presence_ttl_s; /* 1 to 86400; 180 */
  bool count_bots;         /* known bots count as people; else apart; false */
  /* A session counts once two signs of its life are at least so far apart; 0 to 3600000; 0: a
   * session counts at once; 0 */
  uint32_t count_after_ms;
  double ema_alpha;            /* weight of the newest count, (0, 1]; 0.2 */
  uint32_t ema_interval_ms;    /* 50 to 3600000; 30000 */
  uint32_t update_interval_ms; /* from one frame of a customer to the next; 100 to 3600000; 1000 */
  uint32_t rate_ip_per_min;    /* requests a minute for one address; 0: off; 100 */
  uint32_t rate_customer_per_min;   /* requests a minute for one customer; 0: off; 5000 */
  uint32_t new_sessions_ip_per_min; /* that beats and sockets of one address may create, beyond a
                                       burst of 1,000; 0: off; 600 */
  /* Live sessions of one address, at most half of max_sessions; 0: off; 5000. */
  uint32_t max_sessions_ip;
  const char *max_connections_ip; /* of one address: N, or N% of max_connections; "0": off; "5%" */
  /* Live sessions of one customer: N, or N% of max_sessions; "0": off; "80%". */
  const char *max_sessions_customer;
  const au_customer_limits *customers; /* each id once; NULL: none of their own */
  size_t customers_count;
  uint32_t socket_rate_per_s;   /* messages a second of one socket; 0: off; 10 */
  uint32_t disconnect_grace_ms; /* 0 to 3600000; 10000 */
  const char *allowed_origins;  /* "*" or a comma list, as https://shop.example; "*" */
  const char *trusted_proxies;  /* comma list of CIDRs; "" */
  /* HS256 secret, or up to 4 of `name:secret` by blanks: then presence and sockets need a token
   * of one of them. "": customers without a secret of their own need none; "" */
  const char *token_secret;
  /* Bearer token of the operators' endpoints: 16 to 512 characters of A-Z a-z 0-9 - . _ ~ + / =;
   * "": /admin/ answers loopback alone, the rest everybody; "" */
  const char *admin_token;
  const char *admin_host; /* where admin_port listens; "127.0.0.1" */
  /* The operators' endpoints are on this port alone; "0": any free port; "": on http_port; "" */
  const char *admin_port;
  uint32_t max_head_bytes;      /* of a request; 1024 to 65536; 16384 */
  uint32_t header_timeout_ms;   /* for a whole head, then for a whole body; 100 to 600000; 10000 */
  uint32_t idle_timeout_ms;     /* a connection without a request; 100 to 3600000; 75000 */
  uint32_t ws_auth_timeout_ms;  /* from the upgrade to auth; 100 to 600000; 10000 */
  uint32_t ws_ping_interval_ms; /* silence before the server pings; 100 to 3600000; 30000 */
  uint32_t ws_pong_timeout_ms;  /* wait for the answer to that ping; 100 to 600000; 20000 */
  uint32_t drain_ms;            /* over how long a stop closes its sockets; 0 to 600000; 3000 */
  uint32_t max_connections; /* HTTP and WebSocket together; 0: 90 % of the descriptor limit; 0 */
  uint32_t max_customers;   /* 1 to 10000000; 100000 */
  uint32_t max_sessions;    /* 1 to 100000000; 1000000 */
  /* Memory store: written at a stop, read at a start; not with redis_url; "": none; "" */
  const char *state_file;
  uint32_t history_max_mb; /* MiB of the history in this process; 1 to 1000000; 256 */
  au_privacy privacy;      /* AU_PRIVACY_STANDARD */
  /* What the hashes of session ids and addresses are made with, 16 bytes or more: the same for all
   * daemons of a Redis, which strict privacy needs there; "": random; "" */
  const char *privacy_key;
  const au_webhook *webhooks; /* at most AU_WEBHOOKS_MAX, each name once; NULL: none */
  size_t webhooks_count;
  /* Signs what webhooks send: `whsec_` and base64 of 24 to 64 bytes, or up to 4 of them by blanks;
   * "": nothing is signed; "" */
  const char *webhook_secret;
  const char *webhook_networks; /* CIDRs that are not public and may be connected to; "" */
  const char *webhook_ca;       /* PEM file of authorities for https; "": the system's; "" */
  uint32_t webhook_timeout_ms;  /* for one delivery, with its answer; 100 to 60000; 5000 */
  au_log_level log_level;       /* AU_LOG_INFO */
  au_log_format log_format;     /* AU_LOG_TEXT */
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
