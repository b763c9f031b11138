/* Delivers hints: leaves, shortened sessions and refused touches, which this daemon acknowledged
 * and the shared store does not have (hinted handoff). Also keeps the leaves and the shortened
 * sessions that the shared store does have for one TTL, as tombstones: it may lose them while other
 * daemons still have the sessions. Memory and one timer; knows neither the shared store nor the
 * table.
 *
 * A customer with hints is in one of three states:
 *
 *   PARKED    its slot is not ready for hints; `hints_release` ends that
 *   DUE       its hints are sent, up to HINTS_IN_FLIGHT at a time
 *   SUSPECT   one of its keys refused a write: one hint a second is tried, and more at a time once
 *             one is delivered. No customer waits for another */
#ifndef ADAPTERS_FALLBACK_HINTS_H
#define ADAPTERS_FALLBACK_HINTS_H

#include <uv.h>

#include "hint_set.h"
#include "utils/time.h"

enum {
  HINTS_IN_FLIGHT = 250,
  HINTS_SUSPECT_MAX = 64, /* hints of a suspect customer in flight; doubled from 1 */
  HINTS_LOOK_MAX = 500,   /* hints of one customer looked at in one turn */
  HINTS_TURNS = 16,       /* customers in one turn of the loop */
  HINTS_SUSPECTS = 1000,  /* suspect customers that have their turn each time */
  HINTS_MIN_MS = 100,     /* until a suspect customer is tried first; doubled while all fail */
  HINTS_MAX_MS = 1000,
  HINTS_TOMBSTONES_MAX = 50000,
  HINTS_PORTION = 2000,      /* customers or tombstones looked at in one turn */
  HINTS_EXPIRED_MAX = 10000, /* dropped in one call of hints_expire */
};

typedef struct hints hints;
typedef struct hint_customer hint_customer;

typedef enum hint_outcome {
  HINT_DELIVERED,
  HINT_REFUSED,   /* for one of its keys alone */
  HINT_UNREACHED, /* the servers of its slot are lost or refuse everything */
} hint_outcome;

typedef struct hints_config {
  uv_loop_t *loop;
  const au_clock *clock;
  map_seed seed;
  uint32_t max; /* touches at most, and as many leaves and shortened sessions */
  int64_t ttl_ms;
  /* Whether hints of a customer's slot may be sent now. */
  bool (*may_deliver)(void *arg, au_slice customer_id);
  /* Sends a hint. AU_OK: hints_delivered follows, from the loop. AU_ECONFLICT: it does not matter
   * any more. Else it was not sent. */
  au_status (*deliver)(void *arg, const hint *h, hint_customer *from);
  /* Whether a session was touched here since a hint ended or shortened it. */
  bool (*is_revived)(void *arg, const hint *h);
  /* A customer was parked. */
  void (*parked)(void *arg, au_slice customer_id);
  /* All hints of released customers were sent. May come from inside a function of this page. */
  void (*drained)(void *arg);
  void *arg;
} hints_config;

/* Memory only. `config` is copied. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status hints_create(const hints_config *config, hints **out);

/* Before everything else. Once. */
void hints_start(hints *h);

/* Adds a copy.
 *
 * refused  by one of the customer's keys: it is suspect. Else the hint is sent as soon as its
 *          slot is ready.
 *
 * Returns AU_OK, AU_EBUSY (too many) or AU_ENOMEM. */
AU_MUST_CHECK au_status hints_add(hints *h, const hint *what, bool refused);

/* The outcome of a hint; `what` is borrowed for the call. */
void hints_delivered(hints *h, hint_customer *from, const hint *what, hint_outcome outcome);

/* A session lives again: its leave does not matter any more, delivered or not. */
void hints_revive(hints *h, au_slice customer_id, au_slice session_id);

/* Whether the tab of a touch that began at `since` has ended or shortened its session after it,
 * in a hint that is not delivered: the touch is over then. *out as in hint_set_find. */
bool hints_has_ended(const hints *h, const au_beat *beat, op_seq since, hint *out);

/* ---- a slot is ready */

/* Begins to send the hints of parked customers for which `may_deliver` is true;
 * `hints_release_some` goes on with a portion and is false at the end. Then `drained` follows,
 * once, perhaps from within. */
void hints_release(hints *h);
bool hints_release_some(hints *h);

/* ---- tombstones */

/* The shared store has this leave, or has shortened the session. */
void hints_bury(hints *h, const hint *leave);

/* Begins to turn tombstones into hints again; `hints_exhume_some` goes on with a portion and is
 * false at the end. */
void hints_exhume(hints *h);
bool hints_exhume_some(hints *h, bool (*wanted)(void *arg, au_slice customer_id), void *arg);

/* ---- the rest */

/* Drops what is too old to matter. Every so often. */
void hints_expire(hints *h);

/* How many are sent and not answered. */
uint32_t hints_in_flight(const hints *h);
uint32_t hints_waiting(const hints *h); /* to be delivered, those in flight included */
bool hints_is_empty(const hints *h);    /* tombstones included */

/* `stopped` runs once, from the loop. Stop the shared store as well: it answers what is in
 * flight. */
void hints_stop(hints *h, void (*stopped)(void *arg), void *arg);

/* NULL is fine. */
void hints_free(hints *h);

#endif
