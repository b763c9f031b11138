/* The Date header of replies (RFC 9110, 6.6.1), made once a second. */
#ifndef TRANSPORTS_HTTP_DATE_H
#define TRANSPORTS_HTTP_DATE_H

#include <stdint.h>

/* `second` begins as -1. */
typedef struct http_date {
  int64_t second; /* that `line` was made for */
  char line[40];
} http_date;

/* "Date: …" and CRLF, valid until the next call. wall_ms: since the epoch. */
const char *http_date_line(http_date *d, int64_t wall_ms);

#endif
