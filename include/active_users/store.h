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
  uint32_t count;   /* live sessions of people */
  uint32_t bots;    /* live sessions of known bots */
  uint32_t pending; /* live sessions that do not count yet; 0 without count_after_ms */
  bool has_ema;     /* false before the first tick; `ema` is 0 then */
  double ema;       /* value saved by the last tick */
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
  /* -1: this daemon ticks this partition. Else another daemon does, or none can now, and `n` is
   * 0: ask again in so many ms, at least 1. */
  int64_t again_ms;
} au_due;

/* `due` is borrowed for the callback and NULL unless status is AU_OK. */
typedef void (*au_due_fn)(au_status status, const au_due *due, void *arg);

/* ---- pages ------------------------------------------------------------------------- */

/* Names of pages that one customer may have at one daemon at a time; the rest is `other`. */
enum { AU_PAGE_NAMES_MAX = 1000 };

typedef struct au_page_count {
  au_slice page;
  uint32_t count, visible; /* live sessions; and those whose page is visible */
} au_page_count;

/* What the sessions of a customer look at, as far as they say so. */
typedef struct au_breakdown {
  const au_page_count *pages; /* in no order; NULL when they were not asked for */
  size_t n;
  uint32_t other;           /* sessions whose page is none of these */
  uint32_t visible, hidden; /* sessions that say the one or the other */
  bool stale;               /* the shared store is lost: these are the daemon's own sessions */
} au_breakdown;

/* `breakdown` is borrowed for the callback and NULL unless status is AU_OK. */
typedef void (*au_breakdown_fn)(au_status status, const au_breakdown *breakdown, void *arg);

/* ---- for operators ----------------------------------------------------------------- */

/* A live session as it is stored. */
typedef struct au_live {
  au_beat beat; /* what was sent; `source` where this daemon's own table has it, or NULL */
  int64_t renewed_ago_ms; /* since its last touch, -1 when that is not known */
  int64_t left_ms;        /* until its deadline, at least 1 */
} au_live;

typedef enum au_list_kind {
  AU_LIST_CUSTOMERS, /* of a partition */
  AU_LIST_SESSIONS,  /* of a customer */
  AU_LIST_SESSION,   /* that one, if it lives */
  AU_LIST_OWN,       /* all sessions of this daemon's own table */
} au_list_kind;

typedef struct au_listing {
  au_list_kind kind;
  uint32_t partition;
  au_slice customer_id, session_id;
  uint64_t cursor; /* 0 begins; then `next` of the page before */
} au_listing;

/* A page has no fixed size, and may be empty before the last. What is there all the time is listed
 * at least once, and may be listed twice. */
typedef struct au_page {
  const au_slice *customers; /* AU_LIST_CUSTOMERS: their ids */
  const au_live *sessions;   /* else */
  size_t n;
  uint64_t next; /* 0: this is the last page */
} au_page;

enum { AU_PAGE_MAX = 256 };

/* `page` is borrowed for the callback and NULL unless status is AU_OK. */
typedef void (*au_page_fn)(au_status status, const au_page *page, void *arg);
/* ended  there was such a session. */
typedef void (*au_ended_fn)(au_status status, bool ended, void *arg);

/* What all daemons of a store read: a secret, blocks that end by themselves, and notes that are
 * kept for AU_BOARD_NOTE_MS. */
enum {
  AU_BOARD_SECRET_BYTES = 32, /* hexadecimal digits */
  AU_BOARD_TEXT_MAX = 320,
  AU_BOARD_BLOCKS_MAX = 1000,
  AU_BOARD_NOTES_MAX = 1000,
  AU_BOARD_NOTE_MS = 60000,
};

typedef struct au_board_entry {
  au_slice text;
  int64_t ms; /* of a note: its age; of a block: what is left of it */
} au_board_entry;

typedef struct au_board {
  au_slice secret; /* empty: there is none, for instance since the store lost its data */
  const au_board_entry *blocks, *notes;
  size_t n_blocks, n_notes;
} au_board;

/* `board` is borrowed for the callback and NULL unless status is AU_OK. */
typedef void (*au_board_fn)(au_status status, const au_board *board, void *arg);

typedef enum au_board_change {
  AU_BOARD_NOTE,    /* adds a note, as old as `ms` */
  AU_BOARD_BLOCK,   /* adds or changes a block, which lasts `ms` from now on */
  AU_BOARD_UNBLOCK, /* takes a block away */
  AU_BOARD_SECRET,  /* sets the secret where there is none */
} au_board_change;

/* What one daemon has spent of a budget, and what all have. */
typedef struct au_spent {
  au_slice name;         /* up to 2 bytes more than an id */
  uint32_t spent;        /* here, since the last exchange */
  bool is_told;          /* below: the store has answered */
  uint32_t total;        /* of all daemons, in this minute of the store's clock */
  uint32_t total_before; /* in the minute before */
} au_spent;

/* `rows` are those that were given, now with their totals; borrowed for the call.
 * minute   of the store's clock; into_ms: of which so much is over. */
typedef void (*au_spent_fn)(au_status status, const au_spent *rows, size_t n, int64_t minute,
                            int64_t into_ms, void *arg);

/* What the store tells and asks the daemon on its own. Slices are borrowed for the call. */
typedef struct au_store_events {
  /* These two are never called from inside a store function: always from the loop. */

  /* The count of a customer probably changed: a session began, left or expired. */
  void (*changed)(void *arg, au_slice customer_id);
  /* Metrics were published for a customer, by this daemon or another one. */
  void (*published)(void *arg, const au_metrics *metrics);

  /* These four may be called from inside a store function, and must not call the store. Each
   * may be NULL. */

  /* A session that `source` sent the first beat of began or ended in this daemon's own table,
   * for whatever reason; each that began ends, by the time the store is freed at the latest.
   * Not called for beats without a source. */
  void (*session_began)(void *arg, void *source);
  void (*session_ended)(void *arg, void *source);
  /* A session of a person gave its first sign of life of a day (UTC) to this daemon, or began to
   * count. May be repeated. */
  void (*session_seen)(void *arg, au_slice customer_id, au_slice session_id);
  /* How many live sessions a customer may have in this daemon's own table; over it a new one
   * gets AU_EFULL. NULL: as many as fit. */
  uint32_t (*max_sessions_of)(void *arg, au_slice customer_id);
  void *arg;
} au_store_events;

typedef enum au_touch_kind {
  AU_TOUCH_JOIN, /* platform, user agent and leader flag replace what was stored */
  AU_TOUCH_BEAT, /* what the join said about them is kept */
} au_touch_kind;

typedef enum au_shorten_reason {
  AU_SHORTEN_LEFT,         /* the tab said so, whichever daemon it beat at last */
  AU_SHORTEN_DISCONNECTED, /* its last socket here ended; what another daemon renewed since lives on
                            */
} au_shorten_reason;

typedef struct au_store_health {
  /* Has served since the start and is not stopping: operations are acknowledged, while a shared
   * store is lost by this daemon's own table. */
  bool ever_up;
  const char *name;    /* "memory" or "redis" */
  const char *reason;  /* why degraded; "" when all is well; valid until the next call */
  uint32_t customers;  /* customers this daemon knows */
  uint32_t sessions;   /* sessions this daemon knows */
  uint32_t in_flight;  /* operations begun and not answered */
  uint32_t hints;      /* writes that wait for a shared store */
  int64_t degraded_ms; /* how long it was degraded since the start, to a second */
} au_store_health;

typedef struct au_store_ops {
  /* Makes a session live for one TTL and hands it to `beat->tab_id`; creates it
   * when it is gone. AU_EFULL over max-sessions, max-customers or what one customer
   * may have; in a full table a customer without live sessions makes room at once. */
  au_status (*touch)(au_store *store, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                     void *arg);

  /* Ends a session if `beat->tab_id` holds it; otherwise changes nothing. Both
   * are AU_OK. */
  au_status (*leave)(au_store *store, const au_beat *beat, au_done_fn cb, void *arg);

  /* Brings the deadline of a session forward to `grace_ms` from now, 0 to
   * disconnect_grace_ms (else AU_EINVAL), if `beat->tab_id` holds it and it would live
   * longer. A store may round the grace up by up to a 40th of disconnect_grace_ms. The next
   * touch undoes it. */
  au_status (*shorten)(au_store *store, const au_beat *beat, int64_t grace_ms,
                       au_shorten_reason why, au_done_fn cb, void *arg);

  /* Counts a customer and reads its EMA. An unknown one has zeros, and is not
   * created. */
  au_status (*sample)(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg);

  /* What a customer's sessions look at; zeros for an unknown one.
   *
   * with_pages  false: only how many are visible and hidden. */
  au_status (*breakdown)(au_store *store, au_slice customer_id, bool with_pages, au_breakdown_fn cb,
                         void *arg);

  /* In how many partitions the customers are listed, at least 1: a tick asks for the due of
   * each, from 0 on. Another daemon may tick some of them. */
  uint32_t (*partitions)(const au_store *store);

  /* Lists up to `max` customers of a partition whose last tick is at least `min_age_ms` ago or
   * who were never ticked, the longest waiting first, without the first `skip` of
   * them. `save` takes a customer off this list, and so does an `evict` that drops it.
   * Whoever asks and gets a list is the one who ticks this partition, for an interval and a
   * half from now on. */
  au_status (*due)(au_store *store, uint32_t partition, int64_t min_age_ms, size_t skip, size_t max,
                   au_due_fn cb, void *arg);

  /* Ends a tick of a customer: keeps the EMA that was made of `sample`, and the time of
   * that sample as the time of the tick. AU_ECONFLICT when it was ticked or evicted since
   * then: nothing is kept. */
  au_status (*save)(au_store *store, au_slice customer_id, const au_sample *sample, double ema,
                    au_done_fn cb, void *arg);

  /* Ends the last tick of a customer: drops it with its EMA and its place on the list.
   * One that has a live session again is kept. AU_ECONFLICT as for `save`. */
  au_status (*evict)(au_store *store, au_slice customer_id, const au_sample *sample, au_done_fn cb,
                     void *arg);

  /* Tells every daemon of this store, this one included: each gets `published`. */
  au_status (*publish)(au_store *store, const au_metrics *metrics, au_done_fn cb, void *arg);

  /* Makes the store's keys and its index of deadlines agree, in bounded steps, if this
   * daemon is the one who ticks: `due` decides that. Called once a tick, before its first
   * `due`; a round under way goes on. Nothing to do in memory. */
  void (*scan)(au_store *store);

  /* Says whether this daemon wants `published` for a customer. Idempotent. Returns AU_OK, or
   * AU_ENOMEM when it is to be wanted and cannot be noted; then it is not wanted. */
  au_status (*subscribe)(au_store *store, au_slice customer_id, bool on);

  /* Milliseconds since this daemon last renewed a session that still lives;
   * -1 when it knows of none. Answers at once, from this daemon's own table.
   *
   * is_shortened  whether the session was shortened since then; NULL: not asked for. */
  int64_t (*renewed_ago_ms)(const au_store *store, au_slice customer_id, au_slice session_id,
                            bool *is_shortened);

  /* Whether this tab holds a live session, as far as this daemon's own table knows. At once. */
  bool (*holds)(const au_store *store, au_slice customer_id, au_slice session_id, au_slice tab_id);

  /* Whether `shorten` would move a deadline, as far as this daemon's own table knows. At once. */
  bool (*shortens)(const au_store *store, const au_beat *beat, int64_t grace_ms);

  /* Live sessions of a customer in this daemon's own table, 0 for an unknown one. At once. */
  uint32_t (*sessions_of)(const au_store *store, au_slice customer_id);

  au_store_health (*health)(const au_store *store);

  /* ---- for operators: they may be slow, and never hold the loop */

  au_status (*list)(au_store *store, const au_listing *what, au_page_fn cb, void *arg);

  /* Ends a session whichever tab holds it; its next beat begins it again. */
  au_status (*expel)(au_store *store, au_slice customer_id, au_slice session_id, au_ended_fn cb,
                     void *arg);

  /* Both are NULL where this is the only daemon. `text` is at most AU_BOARD_TEXT_MAX bytes.
   * since_ms  the greatest age of the notes to be read. */
  au_status (*board_read)(au_store *store, int64_t since_ms, au_board_fn cb, void *arg);
  au_status (*board_write)(au_store *store, au_board_change what, au_slice text, int64_t ms,
                           au_done_fn cb, void *arg);

  /* Adds up what daemons have spent; one exchange at a time. NULL where this is the only daemon.
   * `rows` stay valid until `cb`, and are written to. */
  au_status (*share_spent)(au_store *store, au_spent *rows, size_t n, au_spent_fn cb, void *arg);

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
