/* Which web pages may talk to the daemon: the list behind CORS and WebSocket. */
#ifndef TRANSPORTS_ORIGINS_H
#define TRANSPORTS_ORIGINS_H

#include <active_users/types.h>

typedef struct origins origins;

/* `*`, or a comma list of `scheme://host[:port]`, each in full: a pattern with a star
 * in it is refused, since it would never match. Returns AU_OK, AU_EINVAL or
 * AU_ENOMEM. */
AU_MUST_CHECK au_status origins_parse(const char *text, origins **out);
void origins_free(origins *list);

/* Every page may: the list is `*`. */
bool origins_any(const origins *list);

/* Whether a page of this origin may. Compared whole, so that neither
 * `null` nor `https://shop.example.evil.example` passes for a listed one. */
bool origins_allow(const origins *list, au_slice origin);

#endif
