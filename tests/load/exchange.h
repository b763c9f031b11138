/* One keep-alive connection that carries one request at a time. */
#ifndef LOAD_EXCHANGE_H
#define LOAD_EXCHANGE_H

#include "dial.h"

typedef struct exchange exchange;

typedef struct exchange_events {
  void (*ready)(void *owner, exchange *x); /* connected */
  /* A whole answer. The next request may be sent from here. */
  void (*answered)(void *owner, exchange *x, unsigned status);
  /* The last event; `why` as in conn_events, `text` says it for a person. `x` is freed behind it.
   */
  void (*closed)(void *owner, exchange *x, int why, const char *text);
} exchange_events;

/* Returns what dial returns; the events come later. `events` and `owner` must outlive it. */
AU_MUST_CHECK au_status exchange_open(dialer *d, const exchange_events *events, void *owner,
                                      exchange **out);

/* Only when ready, and when the last one is answered. */
void exchange_send(exchange *x, au_slice request);

void exchange_close(exchange *x);

/* For the owner: when the request under way was due (uv_hrtime), and what it was. */
uint64_t *exchange_due_ns(exchange *x);
uint32_t *exchange_note(exchange *x);

#endif
