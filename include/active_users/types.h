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
  AU_PATH_MAX = 256, /* of the page that a session looks at */
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
  AU_ECONFLICT, /* another daemon did it first; nothing was changed */
  AU_ELIMIT,    /* the sender has too many sessions, or begins them too fast; come back later */
} au_status;

/* A short sentence for a log, never NULL. */
const char *au_status_text(au_status status);

/* Borrowed bytes, not ended by NUL. */
typedef struct au_slice {
  const char *ptr;
  size_t len;
} au_slice;

/* What a session is counted as. */
typedef enum au_visitor {
  AU_VISITOR_PERSON,
  AU_VISITOR_BOT,     /* a known bot: counted apart from people */
  AU_VISITOR_PENDING, /* a person who has not shown life for count_after_ms yet: in no count */
} au_visitor;
/* What a browser says of the page that a session looks at. */
typedef enum au_visibility {
  AU_VISIBILITY_UNKNOWN,
  AU_VISIBILITY_HIDDEN,
  AU_VISIBILITY_VISIBLE,
} au_visibility;

/* One sign of life, or a leave. All slices are borrowed for the call. */
typedef struct au_beat {
  au_slice customer_id; /* required, a valid id */
  au_slice session_id;  /* required, a valid id */
  au_slice tab_id;      /* required, a valid id */
  au_slice platform;    /* UTF-8, empty when not given */
  au_slice user_agent;  /* UTF-8, already cut at AU_USER_AGENT_MAX */
  double timestamp;     /* the client's own word, stored and never used; NAN when not given */
  bool is_leader;       /* default true */
  /* Of a sign of life a person or a bot, which its sender decides; of a stored session also
   * AU_VISITOR_PENDING, which the store decides. */
  au_visitor visitor;
  int64_t pending_ms; /* of AU_VISITOR_PENDING: from its first sign of life to its last; else 0 */
  /* A beat that does not give these two keeps what was said before; a join forgets it. */
  au_slice page; /* UTF-8 without control characters, a path of at most AU_PATH_MAX; empty when not
                    given */
  au_visibility visibility;
  /* Nobody waits for the answer: a shared store may send it a moment later, with others. */
  bool can_wait;
  /* Who sent it, opaque; NULL: unknown. A store keeps it with a session that this beat begins
   * in this daemon's own table, and gives it back when that ends (au_store_events). It must
   * stay valid until the callback of the operation has run. */
  void *source;
} au_beat;

/* What dashboards read: one customer at one moment. Every way out prints it as it is made in one
 * place (services/metrics.h), so that a reader of two of them sees the same numbers. What else is
 * known of a customer, such as its peak, belongs in here. */
typedef struct au_metrics {
  au_slice customer_id;
  int64_t timestamp_ms;      /* wall clock of the daemon that made it, ms since the epoch */
  uint32_t count;            /* live sessions of people */
  double ema;                /* smoothed count of the last tick, the count before the first */
  bool stale;                /* true: made while the shared store was lost */
  bool has_peaks;            /* the two below are known */
  uint32_t peak, peak_today; /* the highest count ever, and since midnight UTC */
  uint32_t bots;             /* live sessions of known bots, which are not in `count` */
  bool has_visible;          /* the one below is known */
  uint32_t visible;          /* sessions whose page is visible */
} au_metrics;

#ifdef __cplusplus
}
#endif
#endif
