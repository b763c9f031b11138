/* Reads a Redis URL. Opens nothing. */
#ifndef ADAPTERS_REDIS_URL_H
#define ADAPTERS_REDIS_URL_H

#include <active_users/types.h>

enum { REDIS_URL_TEXT_MAX = 256 };

/* `unix_path` is "" for TCP; `user` and `password` are "" when not given. */
typedef struct redis_url {
  char host[REDIS_URL_TEXT_MAX];
  uint16_t port; /* 6379 when not given */
  char unix_path[REDIS_URL_TEXT_MAX];
  char user[REDIS_URL_TEXT_MAX];
  char password[REDIS_URL_TEXT_MAX];
  uint32_t db;
} redis_url;

/* `redis://[[user]:password@]host[:port][/db]`, IPv6 hosts in brackets, or
 * `unix:///path`. User and password may be percent-encoded. Returns AU_OK, or
 * AU_EINVAL with *reason, a static sentence. */
AU_MUST_CHECK au_status redis_url_parse(const char *text, redis_url *out, const char **reason);

#endif
