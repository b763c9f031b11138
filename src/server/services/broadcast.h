/* From a customer to its subscribers: one shared frame a message, delivered in
 * slices, the newest only. Knows a `deliver` function, never a socket, so another
 * transport is one more caller.
 *
 * A sweep over the subscribers of a customer that is overtaken by a newer message
 * goes on with the newer one; no subscriber gets an old message after a new one. However many
 * daemons publish, and whatever times and averages they send, the subscribers of a customer get
 * at most one message a gap, on the caller's clock: a longer one the more they are. A crowd gets
 * none that a reader would not tell from the last one: the same count, and the same average in
 * whole people. */
#ifndef SERVICES_BROADCAST_H
#define SERVICES_BROADCAST_H

#include <active_users/types.h>

#include "stats.h"
#include "utils/frame.h"
#include "utils/map.h"

/* A customer with so many subscribers here has a gap that is so many times as long. */
enum {
  BROADCAST_CROWD = 1000,
  BROADCAST_CROWD_GAPS = 2,
  BROADCAST_LARGE_CROWD = 10000,
  BROADCAST_LARGE_CROWD_GAPS = 5,
};

typedef struct broadcast broadcast;
typedef struct topic topic;

/* Embedded in a subscriber of a transport; zero-initialise. */
typedef struct subscriber {
  struct subscriber *prev, *next;
  topic *topic;               /* NULL when not subscribed */
  uint32_t sweep;             /* the last sweep that visited it */
  bool has_delivery;          /* it got a message since it subscribed */
  uint32_t delivered_version; /* messages of its topic up to this one are no news to it */
  /* Sends or keeps one frame; takes its own reference. May unsubscribe anybody. */
  void (*deliver)(struct subscriber *self, frame *message);
} subscriber;

typedef struct broadcast_hooks {
  /* Work is waiting: call broadcast_run and broadcast_pace from the loop soon. */
  void (*wake)(void *arg);
  /* A customer gets its first subscriber here, who is refused unless this is AU_OK; or lost its
   * last. */
  au_status (*subscribe)(void *arg, au_slice customer_id, bool on);
  /* The message for a customer's metrics, with one reference, or NULL. */
  frame *(*print)(const au_metrics *metrics);
  void *arg;
  int64_t gap_ms;             /* from a message of a customer to the next one, at least; 0: none */
  stats_histogram *durations; /* of fan-outs; NULL: not measured */
} broadcast_hooks;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status broadcast_create(map_seed seed, const broadcast_hooks *hooks,
                                         broadcast **out);

/* Everybody must have unsubscribed. NULL is fine. */
void broadcast_free(broadcast *b);

/* `s->deliver` is set; messages that begin after this call reach it. Returns AU_OK, AU_ENOMEM, or
 * what the hook `subscribe` did. */
AU_MUST_CHECK au_status broadcast_subscribe(broadcast *b, au_slice customer_id, subscriber *s);

/* The newest metrics of its customer, where it has a crowd here: all that changed was published, so
 * that nothing needs to be asked of the store. To be called behind broadcast_subscribe; what it
 * gives is no news to the subscriber any more. The id in `out` is valid while it is subscribed.
 * False: there is no crowd, or nothing was published yet. */
bool broadcast_newest(subscriber *s, au_metrics *out);

/* Fine when not subscribed. */
void broadcast_unsubscribe(broadcast *b, subscriber *s);

/* The customer of a subscriber, valid while it is subscribed. */
au_slice broadcast_customer(const subscriber *s);

/* Whether it got a message since it subscribed. */
bool broadcast_has_delivered(const subscriber *s);

/* Marks the subscriber as up to date: messages already queued are skipped for it. */
void broadcast_skip_to_latest(subscriber *s);

/* What the store published. Prints a message once and queues it for the customer's subscribers:
 * now, or at the end of the gap, when the newest wins; dropped when there are none or no memory
 * (the next one comes with the next tick). */
void broadcast_publish(broadcast *b, const au_metrics *metrics, int64_t now_ms);

/* The same for a customer of broadcast_list_idle, which the store did not publish. */
void broadcast_publish_local(broadcast *b, const au_metrics *metrics, int64_t now_ms);

/* Ends at most `max` gaps that are over, and begins the messages that waited for that. Returns
 * how many milliseconds are left until there is more to do (0: at once), -1 when nothing waits. */
int64_t broadcast_pace(broadcast *b, int64_t now_ms, size_t max);

/* Delivers to at most `max` subscribers; true while more are waiting. */
bool broadcast_run(broadcast *b, size_t max);

/* Lists customers with subscribers that were not published since `before_ms`, or never: fills
 * up to `max` ids, valid until the next call of this module. Each is listed once a round.
 * `round_ms` identifies the round and grows from one to the next. */
size_t broadcast_list_idle(broadcast *b, int64_t before_ms, int64_t round_ms, au_slice *ids,
                           size_t max);

/* Whether to wait one round for a listed customer, because it was never published since it has
 * subscribers here: true once. */
bool broadcast_wait_once(broadcast *b, au_slice customer_id);

#endif
