/* One keep-alive connection that carries one request at a time, and is made again when the server
 * has closed it between two requests (RFC 9112, sections 9.3.1 and 9.5). */
#ifndef LOAD_EXCHANGE_H
#define LOAD_EXCHANGE_H

#include "dial.h"

typedef struct exchange exchange;

typedef struct exchange_events {
  void (*ready)(void *owner, exchange *x); /* connected, for the first time */
  /* A whole answer. The next request may be sent from here. */
  void (*answered)(void *owner, exchange *x, unsigned status);
  /* It has failed; `text` says how, for a person. The last event: `x` is freed behind it. */
  void (*failed)(void *owner, exchange *x, const char *text);
} exchange_events;

/* Returns what dial returns; the events come later. `d`, `events` and `owner` must outlive it. */
AU_MUST_CHECK au_status exchange_open(dialer *d, const exchange_events *events, void *owner,
                                      exchange **out);

/* Only when ready, and when the last one is answered. The bytes are copied. The request has to be
 * safe to repeat: when the server closes a connection that was there before the request, and no
 * byte of the answer has come, it is sent again, once, on a new one.
 *
 * Returns AU_OK, or AU_ENOMEM or what dial returns; then no event follows: close it. */
AU_MUST_CHECK au_status exchange_send(exchange *x, au_slice bytes);

/* Whether a request is under way. */
bool exchange_is_asked(const exchange *x);

/* Cuts the connection and frees `x`. No event follows. */
void exchange_close(exchange *x);

/* For the owner: when the request under way was due (uv_hrtime), and what it was. */
uint64_t *exchange_due_ns(exchange *x);
uint32_t *exchange_note(exchange *x);

#endif
