/* The checks of a request head that llhttp does not make, on raw bytes. */
#ifndef TRANSPORTS_HTTP_HEAD_H
#define TRANSPORTS_HTTP_HEAD_H

#include <active_users/types.h>

/* What to do with the bytes of a head seen so far. */
typedef struct http_head_check {
  size_t max_bytes;    /* of a head; set before the first call */
  size_t scanned;      /* bytes known to be fine; zero before the first call */
  int status;          /* 0, or the status to refuse with */
  const char *message; /* static, when status is not 0 */
} http_head_check;

/* Scans a head that may not be complete. Returns its length with the empty line,
 * or 0: more is needed (check->status 0) or it is refused (check->status set).
 *
 * Refused with 400: NUL, a bare CR or LF, a folded line, a malformed request line;
 * 414: a target over its limit; 431: a head over its limit; 505: a version other
 * than 1.0 and 1.1. */
size_t http_head_scan(http_head_check *check, const char *bytes, size_t len);

#endif
