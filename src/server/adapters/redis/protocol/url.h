/* Reads a Redis URL. Opens nothing. */
#ifndef ADAPTERS_REDIS_URL_H
#define ADAPTERS_REDIS_URL_H

#include <active_users/types.h>

enum {
  REDIS_URL_TEXT_MAX = 256, /* bytes of a host, user, password or name, with the NUL */
  REDIS_URL_HOSTS_MAX = 16,
};

/* Where something listens. Port 0: `host` is the path of a Unix socket. */
typedef struct redis_endpoint {
  char host[REDIS_URL_TEXT_MAX];
  uint16_t port;
} redis_endpoint;

bool redis_endpoint_eq(const redis_endpoint *a, const redis_endpoint *b);

typedef enum redis_kind {
  REDIS_SINGLE,   /* hosts[0] is the server */
  REDIS_SENTINEL, /* the hosts are sentinels; they know where `master_name` is */
  REDIS_CLUSTER,  /* the hosts are some of the nodes; they know all of them */
} redis_kind;

/* `user` and `password` are the servers', "" when not given. */
typedef struct redis_url {
  redis_kind kind;
  bool tls;
  const char *ca_file; /* set by the caller: whom TLS trusts; "" or NULL: the system's. Borrowed */
  redis_endpoint hosts[REDIS_URL_HOSTS_MAX]; /* port 6379 (sentinels: 26379) when not given */
  size_t host_count;                         /* at least 1 */
  char master_name[REDIS_URL_TEXT_MAX];      /* Sentinel only */
  char user[REDIS_URL_TEXT_MAX];
  char password[REDIS_URL_TEXT_MAX];
  uint32_t db; /* 0 for a cluster */
} redis_url;

/* Takes one of
 *
 *   redis://[[user]:password@]host[:port][/db]     rediss:// alike, with TLS
 *   unix:///path
 *   redis+sentinel://[[user]:password@]host[:port],…/name[/db]
 *   redis+cluster://[[user]:password@]host[:port],…
 *
 * with IPv6 hosts in brackets; all but the path may be percent-encoded. Returns AU_OK, or
 * AU_EINVAL with *reason, a static sentence that says what to write. */
AU_MUST_CHECK au_status redis_url_parse(const char *text, redis_url *out, const char **reason);

#endif
