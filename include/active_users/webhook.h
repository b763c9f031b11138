/* Webhooks: conditions that are watched, and what is sent when one begins or ends to hold. */
#ifndef ACTIVE_USERS_WEBHOOK_H
#define ACTIVE_USERS_WEBHOOK_H

#include <active_users/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  AU_WEBHOOKS_MAX = 100,
  AU_WEBHOOK_URL_MAX = 2048,        /* bytes */
  AU_WEBHOOK_FOR_MAX_S = 24 * 3600, /* the longest time that a condition may have to hold */
  AU_WEBHOOK_REASON_MAX = 200,      /* bytes */
};

typedef enum au_webhook_kind {
  AU_WEBHOOK_ABOVE, /* the count of a customer is higher than `threshold` */
  AU_WEBHOOK_BELOW, /* it is lower */
  AU_WEBHOOK_STORE, /* the store is degraded */
} au_webhook_kind;

/* One condition and where it is sent to. Hysteresis: it fires when it has held for `for_s`, and
 * recovers when its opposite, at `until`, has. */
typedef struct au_webhook {
  const char *name; /* an id, unique */
  const char *url;  /* http or https; may hold a secret */
  au_webhook_kind kind;
  const char *customer_id; /* of ABOVE and BELOW; else NULL */
  uint32_t threshold;      /* of ABOVE and BELOW, a number of sessions */
  uint32_t until;          /* ABOVE: recovers at this count or less, at most `threshold`;
                              BELOW: at this count or more, at least `threshold` */
  uint32_t for_s;          /* 1 to AU_WEBHOOK_FOR_MAX_S */
} au_webhook;

/* A condition that fires or recovers. Borrowed for a call. */
typedef struct au_webhook_event {
  const au_webhook *webhook;
  bool firing;          /* false: recovered */
  int64_t timestamp_ms; /* wall clock, ms since the epoch */
  uint32_t count;       /* of ABOVE and BELOW, at that time; the average too */
  double ema;
  char reason[AU_WEBHOOK_REASON_MAX + 1]; /* of STORE: why it is degraded; "" */
} au_webhook_event;

#ifdef __cplusplus
}
#endif
#endif
