/* A limit that is said as a number or as a share of something larger. Knows nothing of
 * options. */
#ifndef UTILS_SHARE_H
#define UTILS_SHARE_H

#include <active_users/types.h>

/* Reads "N", or "N%" of `whole` with N up to 100, in decimal digits and nothing else. A share
 * is at least 1 unless it is 0%; so 0 is only what was said to be 0. false when `text` is no
 * such thing or above UINT32_MAX; *out is not set then. */
bool share_parse(const char *text, uint32_t whole, uint32_t *out);

#endif
