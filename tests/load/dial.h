/* TCP connections to the target: from many source addresses, into one read buffer. */
#ifndef LOAD_DIAL_H
#define LOAD_DIAL_H

#include "target.h"

#include <uv.h>

enum { DIAL_READ_BYTES = 64 << 10 };

/* Shared by all connections of a run. Zero-initialise, then set loop and target. */
typedef struct dialer {
  uv_loop_t *loop;
  const target *target;
  unsigned dialled;            /* connections so far: it picks the source address */
  char bytes[DIAL_READ_BYTES]; /* what is being read; a callback sees it once */
} dialer;

typedef struct conn conn;

typedef struct conn_events {
  void (*opened)(void *owner);
  /* The bytes are gone when it returns. It may close the connection. */
  void (*received)(void *owner, au_slice bytes);
  /* The last event, also after conn_close; `why` is 0 then, else an error of libuv. */
  void (*closed)(void *owner, int why);
} conn_events;

/* Events come later, from the loop. Returns AU_OK, or AU_ENOMEM, AU_EFULL (no descriptor or
 * port left) or AU_EINVAL; then there is no event. `events` and `owner` must outlive it. */
AU_MUST_CHECK au_status dial(dialer *d, const conn_events *events, void *owner, conn **out);

/* Sends now. Returns AU_OK, or AU_ESTORE when the kernel did not take all of it: a tool that waits
 * for each answer never fills a send buffer, so the connection is broken. */
AU_MUST_CHECK au_status conn_send(conn *c, au_slice bytes);

/* Cuts the connection with a reset, which leaves no port in TIME_WAIT. Calling it twice is
 * fine. `closed` follows, from the loop. */
void conn_close(conn *c);

#endif
