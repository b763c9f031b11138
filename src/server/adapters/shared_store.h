/* A store that several daemons share, as `fallback` uses it: operations on sessions and
 * customers, writes that are repeated after a loss, and what it reports on its own. It keeps no
 * sessions and never falls back: what it cannot do ends with AU_ESTORE or AU_ETIMEDOUT.
 *
 * Customers belong to slots. A slot is the unit that is served, lost and restored: one for a
 * single server, 16,384 in a Redis Cluster.
 *
 * Times are this daemon's monotonic milliseconds; the shared store converts them to its own
 * clock. The exception is the time of a tick (`ticked_ms`), which is on the store's clock
 * everywhere. The asynchronous rule of active_users/store.h holds for every function that
 * returns a status. Ids are valid, and borrowed for the call unless a comment says otherwise. */
#ifndef ADAPTERS_SHARED_STORE_H
#define ADAPTERS_SHARED_STORE_H

#include <active_users/store.h>

typedef struct shared_store shared_store;

/* Reported from the loop, never from inside a function of the store. */
typedef struct shared_store_events {
  /* The servers of a slot may have lost what they acknowledged.
   *
   * settle  other daemons restore it too: counts are wrong until they have. */
  void (*data_lost)(void *arg, uint16_t slot, bool settle);
  /* More slots are served than before. */
  void (*ready)(void *arg);
  void (*changed)(void *arg, au_slice customer_id); /* its count probably changed */
  void (*published)(void *arg, const au_metrics *metrics);
  /* Another program deleted a session. */
  void (*session_gone)(void *arg, au_slice customer_id, au_slice session_id);
  /* Another daemon has told all others a text. */
  void (*told)(void *arg, au_slice text);
  void *arg;
} shared_store_events;

/* A join or a beat. */
typedef struct shared_touch {
  const au_beat *beat; /* borrowed until `touched` */
  bool is_new;         /* to this daemon: its customer is listed without being asked */
  bool asks_profile;   /* the profile of the join is read first */
  /* Returns what is written in place of `beat`, borrowed likewise; NULL: nothing. `stored` is what
   * was read, NULL when nothing was. */
  const au_beat *(*profile)(void *arg, const au_beat *stored);
  /* added  the session was not counted before. */
  void (*touched)(au_status status, bool added, void *arg);
  void *arg;
} shared_touch;

typedef enum shared_leave {
  SHARED_LEAVE_OTHER,   /* another tab holds the session: nothing changed */
  SHARED_LEAVE_ENDED,   /* it was live and is gone now */
  SHARED_LEAVE_GONE,    /* there was no such session */
  SHARED_LEAVE_DROPPED, /* it was half gone, and still counted */
} shared_leave;

typedef void (*shared_left_fn)(au_status status, shared_leave outcome, void *arg);
/* ticked_ms  the time of the tick; 0: it was not saved. */
typedef void (*shared_saved_fn)(au_status status, int64_t ticked_ms, void *arg);
/* done  of shorten: the deadline moved; of evict: the customer is gone; of publish: this
 *       daemon is subscribed, and gets it by `published`. */
typedef void (*shared_done_fn)(au_status status, bool done, void *arg);

/* A leave or a shortened session that the store did not get when it happened. */
typedef struct shared_late_leave {
  const au_beat *who; /* ids alone */
  int64_t at_ms;
  int64_t held_ms; /* when the tab renewed the session last; -1: it is not known to hold it */
} shared_late_leave;

/* What other daemons share of the pages of a customer: a text of each. Borrowed for the callback.
 */
typedef struct shared_pages {
  const au_slice *totals, *rows;
  size_t totals_n, rows_n;
} shared_pages;

typedef void (*shared_pages_fn)(au_status status, const shared_pages *found, void *arg);

enum { SHARED_TEXT_MAX = 4000 }; /* bytes that daemons tell each other at once */

/* A live session as this daemon has it. */
typedef struct shared_session {
  const au_beat *beat;
  int64_t renewed_ms, deadline_ms;
} shared_session;

typedef struct shared_store_ops {
  /* Begins connecting, and goes on until stopped. Once. `events` is copied. */
  void (*start)(shared_store *s, const shared_store_events *events);

  /* ---- operations, tried whenever a server can be reached */
  au_status (*touch)(shared_store *s, const shared_touch *touch);
  au_status (*leave)(shared_store *s, const au_beat *beat, shared_left_fn cb, void *arg);
  /* renewed_ms  when this daemon renewed the session last, -1: never. One that was renewed
   *             elsewhere since is left alone. */
  au_status (*shorten)(shared_store *s, const au_beat *beat, int64_t renewed_ms, int64_t grace_ms,
                       shared_done_fn cb, void *arg);
  au_status (*sample)(shared_store *s, au_slice customer_id, au_sample_fn cb, void *arg);
  au_status (*due)(shared_store *s, uint32_t partition, int64_t min_age_ms, size_t skip, size_t max,
                   au_due_fn cb, void *arg);
  au_status (*save)(shared_store *s, au_slice customer_id, const au_sample *sample, double ema,
                    shared_saved_fn cb, void *arg);
  au_status (*evict)(shared_store *s, au_slice customer_id, const au_sample *sample,
                     shared_done_fn cb, void *arg);
  au_status (*publish)(shared_store *s, const au_metrics *metrics, shared_done_fn cb, void *arg);
  /* Notes in the list of customers that one was ticked by this daemon alone. */
  void (*note_tick)(shared_store *s, au_slice customer_id);

  /* ---- for operators, as in au_store; AU_LIST_OWN is not asked for */
  au_status (*list)(shared_store *s, const au_listing *what, au_page_fn cb, void *arg);
  au_status (*expel)(shared_store *s, au_slice customer_id, au_slice session_id, au_ended_fn cb,
                     void *arg);
  au_status (*board_read)(shared_store *s, int64_t since_ms, au_board_fn cb, void *arg);
  au_status (*board_write)(shared_store *s, au_board_change what, au_slice text, int64_t ms,
                           au_done_fn cb, void *arg);
  au_status (*share_spent)(shared_store *s, au_spent *rows, size_t n, au_spent_fn cb, void *arg);

  /* ---- pages */
  /* Sets what this daemon shares of a customer; empty totals: nothing any more. What fails is
   * dropped, and what is not set again for 25 s is forgotten. */
  void (*share_pages)(shared_store *s, au_slice customer_id, au_slice totals, au_slice rows);
  /* with_rows  false: the totals alone. */
  au_status (*read_pages)(shared_store *s, au_slice customer_id, bool with_rows, shared_pages_fn cb,
                          void *arg);
  /* From now on the daemon gets `told`, while it is connected. Idempotent. Returns AU_OK or
   * AU_ENOMEM. */
  au_status (*hear)(shared_store *s);
  /* Tells all other daemons up to SHARED_TEXT_MAX bytes. */
  au_status (*tell)(shared_store *s, au_slice text);

  /* ---- writes that are repeated; each may be repeated again without harm */
  /* A session renewed by another daemon meanwhile is not shortened; one that has left is not
   * brought back. `list`: its customer is listed too. */
  au_status (*restore_session)(shared_store *s, const shared_session *session, bool list,
                               au_done_fn cb, void *arg);
  au_status (*restore_leave)(shared_store *s, const shared_late_leave *leave, shared_left_fn cb,
                             void *arg);
  au_status (*restore_shorten)(shared_store *s, const shared_late_leave *leave, int64_t grace_ms,
                               au_done_fn cb, void *arg);
  /* Unless there was a later tick. `list` as above. */
  au_status (*restore_average)(shared_store *s, au_slice customer_id, double ema, int64_t ticked_ms,
                               bool list, au_done_fn cb, void *arg);

  /* ---- questions, answered at once */
  uint32_t (*slots)(const shared_store *s);
  uint16_t (*slot_of)(const shared_store *s, au_slice customer_id);
  bool (*serves)(const shared_store *s, uint16_t slot); /* one key at fault or not */
  int64_t (*clock_ms)(const shared_store *s, uint16_t slot);
  uint32_t (*partitions)(const shared_store *s);
  uint32_t (*partition_of)(const shared_store *s, au_slice customer_id);
  uint16_t (*partition_slot)(const shared_store *s, uint32_t partition); /* of its list */
  bool (*ever_up)(const shared_store *s);
  const char *(*name)(const shared_store *s); /* static */
  const char *(*reason)(
      const shared_store *s); /* why degraded, "": all well; until the next call */

  /* ---- the rest */
  void (*scan)(shared_store *s);                                          /* as au_store.scan */
  au_status (*subscribe)(shared_store *s, au_slice customer_id, bool on); /* as in au_store */
  void (*stop)(shared_store *s, void (*stopped)(void *arg), void *arg);
  /* One that has stopped or that was never started. */
  void (*free)(shared_store *s);
} shared_store_ops;

/* Every shared store begins with this. */
struct shared_store {
  const shared_store_ops *ops;
};

/* Whether a status says that the shared store is lost or refuses. */
static inline bool shared_store_failed(au_status status) {
  return status == AU_ESTORE || status == AU_ETIMEDOUT;
}

#endif
