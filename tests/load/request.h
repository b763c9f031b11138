/* Requests as bytes, made once: for each one only the digits of its numbers change. */
#ifndef LOAD_REQUEST_H
#define LOAD_REQUEST_H

#include "utils/buffer.h"

enum { REQUEST_MAX_BYTES = 1024 };

typedef struct request {
  buffer bytes;
  size_t customer, session; /* where the digits are; 0: nowhere */
} request;

/* POST /presence/`action` with the fields of the reference: three ids and a timestamp; and with
 * `page` and `visible` unless `page` is "". Customers are `prefix`-0000000 and sessions s-00000000.
 * Returns AU_OK or AU_ENOMEM; freed with
 * request_free in both cases. */
AU_MUST_CHECK au_status request_presence(request *r, const char *host, const char *action,
                                         const char *prefix, const char *page);

/* GET `path`, followed by such a customer when `prefix` is given. */
AU_MUST_CHECK au_status request_get(request *r, const char *host, const char *path,
                                    const char *prefix);

/* The first message of a socket; without a session it only watches. */
AU_MUST_CHECK au_status request_auth(request *r, const char *prefix, bool watch);

/* Asks for a WebSocket. */
AU_MUST_CHECK au_status request_upgrade(request *r, const char *host);

void request_free(request *r);

/* The request with these numbers, valid until the next call. */
au_slice request_fill(request *r, uint32_t customer, uint32_t session);

#endif
