/* One libuv timer over a few deadline queues. Knows nothing of what expires. */
#ifndef TRANSPORTS_EXPIRY_H
#define TRANSPORTS_EXPIRY_H

#include <uv.h>

#include "utils/deadline.h"
#include "utils/join_stop.h"
#include "utils/time.h"

typedef struct expiry expiry;

typedef void (*expiry_fn)(void *arg, deadline_queue *queue, deadline *d);

struct expiry {
  uv_timer_t timer;
  const au_clock *clock;
  deadline_queue *queues;
  size_t count;
  int64_t due_ms; /* when the timer fires; meaningless while it is inactive */
  expiry_fn expired;
  void *arg;
};

/* `queues`, an array of `count`, and the clock are borrowed. `expired` runs for
 * each deadline whose time has come, taken off its queue already; so that a crowd
 * of them does not hold the loop, only some each turn. */
void expiry_init(expiry *e, uv_loop_t *loop, const au_clock *clock, deadline_queue *queues,
                 size_t count, expiry_fn expired, void *arg);

/* Arms, or arms again, `d` on one of the queues. O(1); a deadline that is armed over
 * and over costs no system timer each time. One that is half a second away or more may be met up
 * to 32 ms late, together with others. */
void expiry_arm(expiry *e, deadline_queue *queue, deadline *d);

/* Closes the timer, as a part of `stop`. */
void expiry_close(expiry *e, join_stop *stop);

#endif
