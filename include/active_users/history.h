/* The history of customers: what they were like in each minute and hour, their peaks, and how many
 * different sessions they had. A table of functions that the memory store and the Redis store fill;
 * the rest of the daemon knows only this page.
 *
 * A store of history keeps records and does not read them. What is not there reads as zeros. All
 * times are whole minutes, hours or days since the epoch, UTC. */
#ifndef ACTIVE_USERS_HISTORY_H
#define ACTIVE_USERS_HISTORY_H

#include <active_users/store.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  AU_RECORD_BYTES = 12,          /* of a minute or an hour; all zeros: there is none */
  AU_HISTORY_MINUTES = 24 * 60,  /* that are kept */
  AU_HISTORY_HOURS = 90 * 24,    /* that are kept */
  AU_HISTORY_UNIQUE_DAYS = 7,    /* today included */
  AU_HISTORY_SLACK_MINUTES = 60, /* of one more block, the one that is being filled */
  AU_HISTORY_SLACK_HOURS = 24,
};

/* The numbers of a record in bits, the first in the lowest ones; together they fill its bytes. A
 * store may count on numbers of one customer being alike from record to record, and on no more. */
#define AU_RECORD_BITS \
  { 6, 22, 22, 24, 22 }

/* The highest counts of a customer. */
typedef struct au_peaks {
  uint32_t ever, today;
  uint32_t day; /* that `today` is of; 0: there are no peaks */
} au_peaks;

/* The end of a minute of one customer. */
typedef struct au_history_put {
  uint32_t minute;
  const unsigned char *minute_record; /* AU_RECORD_BYTES */
  const unsigned char *hour_record;   /* of the hour of `minute` as it is up to now; the same */
  bool has_peaks;                     /* they changed: the store keeps the higher ones */
  au_peaks peaks;
  double activity; /* how busy the customer is: the quietest ones make room when it is scarce */
} au_history_put;

/* What to read of one customer. */
typedef struct au_history_ask {
  uint32_t minute, minutes; /* from `minute` on, so many, at most AU_HISTORY_MINUTES + SLACK */
  uint32_t hour, hours;     /* likewise */
  uint32_t unique_day;      /* today, for the unique sessions; 0: they are not asked for */
} au_history_ask;

typedef struct au_history_answer {
  const unsigned char *minutes, *hours; /* the records that were asked for, one behind the other */
  au_peaks peaks;
  uint64_t unique_today, unique_week; /* estimates, the latter over AU_HISTORY_UNIQUE_DAYS */
} au_history_answer;

/* `answer` is borrowed for the callback and NULL unless status is AU_OK. */
typedef void (*au_history_fn)(au_status status, const au_history_answer *answer, void *arg);

typedef struct au_history_store au_history_store;

/* A status other than AU_OK means that the callback never runs. AU_OK means that it runs exactly
 * once: before the function returns where the history is in this process, else later, from the
 * loop. Ids and records are borrowed for the call. */
typedef struct au_history_store_ops {
  /* Keeps the end of a minute; writing it again replaces it. Nobody waits for it: `failed` counts
   * one that a shared store refused. */
  void (*put)(au_history_store *store, au_slice customer_id, const au_history_put *put,
              uint64_t *failed);

  /* A session of a customer gave its first sign of life of a day. May be repeated. */
  void (*seen)(au_history_store *store, au_slice customer_id, au_slice session_id, uint32_t day,
               uint64_t *failed);

  /* Zeros for an unknown customer. Returns AU_OK, AU_ENOMEM, or what a shared store says:
   * AU_ESTORE, AU_EBUSY, AU_ECANCELED. */
  au_status (*get)(au_history_store *store, au_slice customer_id, const au_history_ask *ask,
                   au_history_fn cb, void *arg);

  size_t (*bytes)(const au_history_store *store); /* in this process, 0 for a shared store */
  /* What was put or seen and not answered; 0 in this process. */
  uint32_t (*in_flight)(const au_history_store *store);
  void (*free)(au_history_store *store);
} au_history_store_ops;

/* Every store of history begins with this. */
struct au_history_store {
  const au_history_store_ops *ops;
};

/* One point of a chart: a bucket of minutes or hours. */
typedef struct au_history_point {
  int64_t timestamp_ms; /* its begin */
  uint32_t min, max;    /* of the count */
  double mean, ema;     /* mean of the count; the average at the end of the bucket */
} au_history_point;

#ifdef __cplusplus
}
#endif
#endif
