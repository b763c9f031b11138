/* Sends one write that the shared store has missed, a live session or a hint, and reports the
 * outcome. Knows neither queues nor rounds. */
#ifndef ADAPTERS_FALLBACK_DELIVERY_H
#define ADAPTERS_FALLBACK_DELIVERY_H

#include "adapters/memory/presence_table.h"
#include "adapters/shared_store.h"
#include "hints.h"

/* Everything is borrowed. */
typedef struct delivery {
  shared_store *shared;
  presence_table *table;
  hints *hints;
  const au_clock *clock;
} delivery;

/* `what` is what was sent, a touch for a session; borrowed for the call. */
typedef void (*delivery_fn)(hint_outcome outcome, const hint *what, void *arg);

/* Each returns AU_OK, and `cb` runs once, from the loop; or the reason why nothing was sent. */

/* list  the session's customer is listed as well. */
AU_MUST_CHECK au_status delivery_session(const delivery *d, const presence_live *live, bool list,
                                         delivery_fn cb, void *arg);

/* Of a touch what the table has now: AU_ECONFLICT when the session has ended. The table drops a
 * session whose leave is delivered. */
AU_MUST_CHECK au_status delivery_hint(const delivery *d, const hint *what, delivery_fn cb,
                                      void *arg);

/* Takes the answer to a leave: the table drops the session that is over in the shared store,
 * whichever tab held it here, and the leave becomes a tombstone. Where there was no such session,
 * only that of this tab. True when the table had the session. */
bool delivery_left(const delivery *d, const hint *leave, shared_leave outcome);

#endif
