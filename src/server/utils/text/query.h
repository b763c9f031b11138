/* The query of a URL: `name=value` pairs, percent-encoded (RFC 3986, 2.1). A plus
 * sign stays a plus sign. */
#ifndef UTILS_QUERY_H
#define UTILS_QUERY_H

#include <active_users/types.h>

typedef enum query_result {
  QUERY_NONE,      /* no such parameter */
  QUERY_ONE,       /* *len bytes are in `out` */
  QUERY_REPEATED,  /* it occurs more than once */
  QUERY_MALFORMED, /* a bad escape, or longer than `size` */
} query_result;

/* Decodes the value of `name` into `out`, without a NUL. */
query_result query_get(au_slice query, const char *name, char *out, size_t size, size_t *len);

/* Decodes the escapes of a text into `out`, without a NUL; false: a bad escape, or longer than
 * `size`. */
bool percent_decode(au_slice value, char *out, size_t size, size_t *len);

#endif
