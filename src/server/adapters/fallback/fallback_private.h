/* What the files of the fallback store share. Private to this folder: others
 * include fallback.h. */
#ifndef ADAPTERS_FALLBACK_PRIVATE_H
#define ADAPTERS_FALLBACK_PRIVATE_H

#include "adapters/memory/memory.h"
#include "adapters/memory/presence_table.h"
#include "fallback.h"
#include "resync.h"
#include "utils/join_stop.h"

/* Touches that have ended and are kept for the next ones: a kilobyte each and many at a time, where
 * malloc is slow. None where a sanitizer is to find the use of one that has ended. */
#ifdef __SANITIZE_ADDRESS__
enum { FALLBACK_SPARES = 0 };
#else
enum { FALLBACK_SPARES = 64 };
#endif

typedef struct fallback_pages fallback_pages;

typedef struct fallback {
  au_store base; /* first: an au_store is cast to its fallback */
  const au_config *config;
  const au_clock *clock;
  const au_store_events *events;
  shared_store *shared;
  au_store *local;       /* a memory store of what this daemon has acknowledged */
  presence_table *table; /* its sessions */
  sync_state *sync;
  hints *hints;
  peer_counts *peers;
  resync *resync;
  fallback_pages *pages;
  presence_page_events page_events;
  delivery delivery;
  uint64_t operations; /* numbers them, for their order */
  /* Touches that read a profile first, and the leaves that began meanwhile: the shared store runs
   * those before it gets the touches. */
  uint32_t profile_touches;
  hint_set *overtaking;
  hint_queue overtaking_queue;
  uint32_t in_flight;   /* of those that wait for the shared store */
  struct touch *spares; /* FALLBACK_SPARES of them at most */
  uint32_t spare_count;
  int64_t degraded_ms; /* since the start, in steps of FALLBACK_TICK_MS */

  uv_timer_t tick; /* every FALLBACK_TICK_MS */
  uv_timer_t pages_timer;
  bool stopping;
  join_stop stop;
} fallback;

static inline fallback *fallback_of(au_store *store) {
  return (fallback *)store;
}

static inline int64_t fallback_now_ms(const fallback *f) {
  return clock_mono_ms(f->clock);
}

static inline uint16_t fallback_slot(const fallback *f, au_slice customer_id) {
  return f->shared->ops->slot_of(f->shared, customer_id);
}

/* The one decision: AU_OK when an operation on a slot goes to the shared store, which serves the
 * slot and has all that was acknowledged; AU_ESTORE when it goes to the table. */
au_status fallback_route(const fallback *f, uint16_t slot);

/* Keeps what the shared store has just answered of a customer, or got, for the time it is lost. */
void fallback_learn(fallback *f, au_slice customer_id, const au_sample *sample);

/* Frees the spare touches. */
void fallback_free_spares(fallback *f);

/* au_store: fallback_sessions.c */
au_status fallback_touch(au_store *store, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                         void *arg);
au_status fallback_leave(au_store *store, const au_beat *beat, au_done_fn cb, void *arg);
au_status fallback_shorten(au_store *store, const au_beat *beat, int64_t grace_ms,
                           au_shorten_reason why, au_done_fn cb, void *arg);

/* au_store: fallback_customers.c */
au_status fallback_sample(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg);
au_status fallback_due(au_store *store, uint32_t partition, int64_t min_age_ms, size_t skip,
                       size_t max, au_due_fn cb, void *arg);
au_status fallback_save(au_store *store, au_slice customer_id, const au_sample *sample, double ema,
                        au_done_fn cb, void *arg);
au_status fallback_evict(au_store *store, au_slice customer_id, const au_sample *sample,
                         au_done_fn cb, void *arg);
au_status fallback_publish(au_store *store, const au_metrics *metrics, au_done_fn cb, void *arg);

/* fallback_pages.c. The first two are for the memory store; then what the shared store reports. */
void fallback_pages_changed(void *arg, au_slice customer_id);
void fallback_page_seen(void *arg, au_slice customer_id, au_slice session_id);
void fallback_pages_told(void *arg, au_slice text);
/* A session ended, or was shortened, and another daemon may count its page. Before the table
 * follows. */
void fallback_page_left(fallback *f, au_slice customer_id, au_slice session_id);
au_status fallback_breakdown(au_store *store, au_slice customer_id, bool with_pages,
                             au_breakdown_fn cb, void *arg);
/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status fallback_pages_create(fallback *f, map_seed seed);
void fallback_pages_start(fallback *f, uv_loop_t *loop);
void fallback_pages_free(fallback_pages *p);

/* au_store: fallback_operators.c */
au_status fallback_list(au_store *store, const au_listing *what, au_page_fn cb, void *arg);
au_status fallback_expel(au_store *store, au_slice customer_id, au_slice session_id, au_ended_fn cb,
                         void *arg);
au_status fallback_board_read(au_store *store, int64_t since_ms, au_board_fn cb, void *arg);
au_status fallback_board_write(au_store *store, au_board_change what, au_slice text, int64_t ms,
                               au_done_fn cb, void *arg);

au_status fallback_share_spent(au_store *store, au_spent *rows, size_t n, au_spent_fn cb,
                               void *arg);

/* Whether only this part lists the customers of the table, and none before it. */
bool fallback_lists_table(const fallback *f, uint32_t partition);

/* Notes that a session ended here, for the time that the shared store can be told. */
au_status fallback_note_leave(fallback *f, const au_beat *beat);

/* Whether a customer is ticked from the table now. */
bool fallback_is_due(void *arg, au_slice customer_id);

#endif
