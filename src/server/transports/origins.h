/* Which web pages may talk to the daemon: the list behind CORS and WebSocket. */
#ifndef TRANSPORTS_ORIGINS_H
#define TRANSPORTS_ORIGINS_H

#include "../utils/buffer.h"

typedef struct origins origins;

/* `*`, or a comma list of `scheme://host[:port]`, each in full: a pattern with a star
 * in it is refused, since it would never match. Returns AU_OK, AU_EINVAL or
 * AU_ENOMEM. */
AU_MUST_CHECK au_status origins_parse(const char *text, origins **out);
void origins_free(origins *list);

/* Whether a page of this origin may. Compared whole, so that neither
 * `null` nor `https://shop.example.evil.example` passes for a listed one. */
bool origins_allow(const origins *list, au_slice origin);

/* Appends the header lines that tell a browser (Fetch standard, "HTTP extensions");
 * `origin` is that of the request, ptr NULL when it came from no page. False: a page of
 * this origin may not. */
bool origins_answer(const origins *list, au_slice origin, buffer *lines);

#endif
