/* The store: where sessions live and who counts them. A table of asynchronous
 * functions that the memory and the Redis store fill; the rest of the daemon
 * knows only this page.
 *
 * The rule of every asynchronous function here: a status other than AU_OK means
 * that the callback never runs and `arg` stays with the caller. AU_OK means that
 * it runs exactly once, later, from the loop, also when the link to the store
 * dies and when the store is stopped (AU_ECANCELED). Ids and slices are borrowed
 * for the call; the store copies what it keeps. */
#ifndef ACTIVE_USERS_STORE_H
#define ACTIVE_USERS_STORE_H

#include <active_users/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct au_store au_store;

typedef void (*au_done_fn)(au_status status, void *arg);

/* One customer as the store sees it now. */
typedef struct au_sample {
  uint32_t count; /* live sessions */
  bool has_ema;   /* false before the first tick; `ema` is 0 then */
  double ema;     /* value saved by the last tick */
  /* Since the last tick, on the store's clock, at least 1. 0 before the first, and when the
   * clock was set back behind it. */
  int64_t elapsed_ms;
  int64_t ticked_ms; /* that tick, on the store's clock; 0: none. Tells one tick from another */
  bool stale;        /* the shared store is lost; this is what the daemon last knew */
} au_sample;

/* `sample` is borrowed for the callback and NULL unless status is AU_OK. */
typedef void (*au_sample_fn)(au_status status, const au_sample *sample, void *arg);

/* Customers that wait for their tick. */
typedef struct au_due {
  const au_slice *ids;
  size_t n;
  /* -1: this daemon ticks this part of the customers. Else another one does, or nobody can
   * now, and `n` is 0: ask again in so many ms, at least 1. */
  int64_t again_ms;
} au_due;

/* `due` is borrowed for the callback and NULL unless status is AU_OK. */
typedef void (*au_due_fn)(au_status status, const au_due *due, void *arg);

/* What the store tells the daemon on its own. Neither is called from inside a
 * store function: always from the loop. Slices are borrowed for the call. */
typedef struct au_store_events {
  /* The count of a customer probably changed: a session began, left or expired. */
  void (*changed)(void *arg, au_slice customer_id);
  /* Metrics were published for a customer, by this daemon or another one. */
  void (*published)(void *arg, const au_metrics *metrics);
  void *arg;
} au_store_events;

typedef enum au_touch_kind {
  AU_TOUCH_JOIN, /* platform, user agent and leader flag replace what was stored */
  AU_TOUCH_BEAT, /* what the join said about them is kept */
} au_touch_kind;

typedef struct au_store_health {
  bool available;     /* operations are acknowledged now, as far as the store can tell */
  const char *name;   /* "memory" or "redis" */
  const char *reason; /* why degraded; "" when all is well; valid until the next call */
  uint32_t customers; /* customers this daemon knows */
  uint32_t sessions;  /* sessions this daemon knows */
  uint32_t in_flight; /* operations begun and not answered */
} au_store_health;

typedef struct au_store_ops {
  /* Makes a session live for one TTL and hands it to `beat->tab_id`; creates it
   * when it is gone. AU_EFULL over max-sessions or max-customers. */
  au_status (*touch)(au_store *store, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                     void *arg);

  /* Ends a session if `beat->tab_id` holds it; otherwise changes nothing. Both
   * are AU_OK. */
  au_status (*leave)(au_store *store, const au_beat *beat, au_done_fn cb, void *arg);

  /* Brings the deadline of a session forward to `grace_ms` from now, which is
   * disconnect_grace_ms and no other, if `beat->tab_id` holds it and it would live
   * longer. The next touch undoes it. */
  au_status (*shorten)(au_store *store, const au_beat *beat, int64_t grace_ms, au_done_fn cb,
                       void *arg);

  /* Counts a customer and reads its EMA. An unknown one has zeros, and is not
   * created. */
  au_status (*sample)(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg);

  /* In how many parts the customers are listed, at least 1: a tick asks for the due of
   * each, from 0 on. Another daemon may tick some of them. */
  uint32_t (*parts)(const au_store *store);

  /* Lists up to `max` customers of a part whose last tick is at least `min_age_ms` ago or
   * who were never ticked, the longest waiting first, without the first `skip` of
   * them. `save` takes a customer off this list, and so does a `forget` that drops it.
   * Whoever asks and gets a list is the one who ticks this part, for an interval and a
   * half from now on. */
  au_status (*due)(au_store *store, uint32_t part, int64_t min_age_ms, size_t skip, size_t max,
                   au_due_fn cb, void *arg);

  /* Ends a tick of a customer: keeps the EMA that was made of `sample`, and the time of
   * that sample as the time of the tick. AU_EPASSED when it was ticked or forgotten since
   * then: nothing is kept. */
  au_status (*save)(au_store *store, au_slice customer_id, const au_sample *sample, double ema,
                    au_done_fn cb, void *arg);

  /* Ends the last tick of a customer: drops it with its EMA and its place on the list.
   * One that has a live session again is kept. AU_EPASSED as for `save`. */
  au_status (*forget)(au_store *store, au_slice customer_id, const au_sample *sample, au_done_fn cb,
                      void *arg);

  /* Tells every daemon of this store, this one included: each gets `published`. */
  au_status (*publish)(au_store *store, const au_metrics *metrics, au_done_fn cb, void *arg);

  /* Makes the store's keys and its index of deadlines agree, in bounded steps, if this
   * daemon is the one who ticks: `due` decides that. Called once a tick, before its first
   * `due`; a round under way goes on. Nothing to do in memory. */
  void (*reconcile)(au_store *store);

  /* Says whether this daemon wants `published` for a customer. Idempotent. */
  void (*watch)(au_store *store, au_slice customer_id, bool on);

  /* Milliseconds since this daemon last renewed a session that still lives;
   * -1 when it knows of none. Answers at once, from this daemon's own table. */
  int64_t (*renewed_ago_ms)(const au_store *store, au_slice customer_id, au_slice session_id);

  au_store_health (*health)(const au_store *store);

  /* Ends every operation in flight with AU_ECANCELED (their callbacks run before
   * `stopped`), closes links and timers, then calls `stopped` once from the loop. */
  void (*stop)(au_store *store, void (*stopped)(void *arg), void *arg);

  /* Frees a store that has stopped. */
  void (*free)(au_store *store);
} au_store_ops;

/* Every store begins with this. */
struct au_store {
  const au_store_ops *ops;
};

#ifdef __cplusplus
}
#endif
#endif
