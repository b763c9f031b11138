/* One list of allowed origins: which web pages may talk to the daemon. Knows no customer. */
#ifndef TRANSPORTS_ACCESS_ORIGINS_H
#define TRANSPORTS_ACCESS_ORIGINS_H

#include <active_users/types.h>

#include "utils/buffer.h"

enum {
  ORIGIN_MAX = 320, /* bytes of an origin; a host name has at most 253 */
  ORIGINS_PROBLEM_SIZE = 320,
};

typedef struct origins origins;

/* `*`, or a comma list of `scheme://host[:port]`, each as a browser writes it. Instead of its first
 * label a host may have `*`, which stands for one or more labels: with the host `*.shop.example`
 * an item is every host below shop.example, not shop.example itself, with the item's scheme and
 * port alone.
 *
 * Returns AU_OK, AU_ENOMEM, or AU_EINVAL with `problem`, which quotes an item that no browser would
 * ever send, and says why. */
AU_MUST_CHECK au_status origins_parse(const char *text, origins **out,
                                      char problem[ORIGINS_PROBLEM_SIZE]);
/* What any of the lists allows. Keeps none of them. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status origins_unite(const origins *const *lists, size_t count, origins **out);
/* NULL is fine. */
void origins_free(origins *list);

/* Whether every page may. */
bool origins_allow_any(const origins *list);

/* Appends the list as sources of a Content-Security-Policy (CSP3, 2.3.1): `*`, or its items with
 * blanks between them. */
void origins_print_sources(const origins *list, buffer *out);

/* Whether a page of this origin may. Compared whole, so that neither `null` nor
 * `https://shop.example.evil.example` passes for a listed one. An empty origin is none. */
bool origins_allow(const origins *list, au_slice origin);

#endif
