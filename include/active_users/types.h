/* The words every part shares: status codes, ids, beats and metrics. Knows no
 * libraries and allocates nothing. */
#ifndef ACTIVE_USERS_TYPES_H
#define ACTIVE_USERS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AU_MUST_CHECK __attribute__((warn_unused_result))

/* Limits of what a client may send, in bytes. An id is 1 to AU_ID_MAX bytes of
 * `A-Z a-z 0-9 . _ ~ @ = + / -`, so it is safe in a Redis key, JSON and a log. */
enum {
  AU_ID_MAX = 128,
  AU_PLATFORM_MAX = 64,
  AU_USER_AGENT_MAX = 256,
};

typedef enum au_status {
  AU_OK = 0,
  AU_EINVAL,    /* the caller's input is wrong; trying again will not help */
  AU_ENOMEM,    /* an allocation failed; nothing was changed */
  AU_EBUSY,     /* too many operations in flight; try again shortly */
  AU_EFULL,     /* a table has reached its named limit */
  AU_ESTORE,    /* the store is lost or refused; the operation is not acknowledged */
  AU_ETIMEDOUT, /* the store did not answer in time; the outcome is unknown */
  AU_ECANCELED, /* the daemon is stopping; the operation is not acknowledged */
  AU_ELISTEN,   /* an address could not be bound */
  AU_EPASSED,   /* another daemon did it first; nothing was changed */
} au_status;

/* A short sentence for a log, never NULL. */
const char *au_status_text(au_status status);

/* Borrowed bytes, not ended by NUL. */
typedef struct au_slice {
  const char *ptr;
  size_t len;
} au_slice;

/* One sign of life, or a leave. All slices are borrowed for the call. */
typedef struct au_beat {
  au_slice customer_id; /* required, a valid id */
  au_slice session_id;  /* required, a valid id */
  au_slice tab_id;      /* required, a valid id */
  au_slice platform;    /* UTF-8, empty when not given */
  au_slice user_agent;  /* UTF-8, already cut at AU_USER_AGENT_MAX */
  double timestamp;     /* the client's own word, stored and never used; NAN when not given */
  bool is_leader;       /* default true */
} au_beat;

/* What dashboards read. */
typedef struct au_metrics {
  au_slice customer_id;
  int64_t timestamp_ms; /* wall clock of the daemon that made it, ms since the epoch */
  uint32_t count;       /* live sessions */
  double ema;           /* smoothed count of the last tick, 0 before the first */
  bool stale;           /* true: made while the shared store was lost */
} au_metrics;

#ifdef __cplusplus
}
#endif
#endif
