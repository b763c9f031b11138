/* From a customer to its subscribers: one shared frame a message, delivered in
 * slices, the newest only. Knows a `deliver` function, never a socket, so another
 * transport is one more caller.
 *
 * A sweep over the subscribers of a customer that is overtaken by a newer message
 * goes on with the newer one; nobody is sent an old message after a new one. However
 * many daemons publish, a customer's subscribers hear at most one change a gap. */
#ifndef SERVICES_BROADCAST_H
#define SERVICES_BROADCAST_H

#include <active_users/types.h>

#include "../utils/frame.h"
#include "../utils/map.h"

/* From a message of a customer to a change of its count. */
enum { BROADCAST_GAP_MS = 1000 };

typedef struct broadcast broadcast;
typedef struct topic topic;

/* Embedded in whoever subscribes; zero-initialise. */
typedef struct subscriber {
  struct subscriber *prev, *next;
  topic *topic;  /* NULL when not subscribed */
  uint32_t seen; /* number of the last message delivered to it */
  bool heard;    /* it was delivered one */
  uint32_t told; /* messages of its topic that are no news to it */
  /* Sends or keeps one frame; takes its own reference. May unsubscribe anybody. */
  void (*deliver)(struct subscriber *self, frame *message);
} subscriber;

typedef struct broadcast_hooks {
  /* Work is waiting: call broadcast_run and broadcast_pace from the loop soon. */
  void (*wake)(void *arg);
  /* A customer got its first subscriber here, or lost its last. */
  void (*watch)(void *arg, au_slice customer_id, bool on);
  /* The message for a customer's metrics, with one reference, or NULL. */
  frame *(*print)(const au_metrics *metrics);
  void *arg;
  int64_t gap_ms; /* BROADCAST_GAP_MS; 0: none */
} broadcast_hooks;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status broadcast_create(map_seed seed, const broadcast_hooks *hooks,
                                         broadcast **out);

/* Everybody must have unsubscribed. NULL is fine. */
void broadcast_free(broadcast *b);

/* `s->deliver` is set; messages that begin after this call reach it. Returns AU_OK
 * or AU_ENOMEM. */
AU_MUST_CHECK au_status broadcast_subscribe(broadcast *b, au_slice customer_id, subscriber *s);

/* Fine when not subscribed. */
void broadcast_unsubscribe(broadcast *b, subscriber *s);

/* The customer of a subscriber, valid while it is subscribed. */
au_slice broadcast_customer(const subscriber *s);

/* Whether it was delivered anything since it subscribed. */
bool broadcast_heard(const subscriber *s);

/* It is being told what is newer than all that was published so far: what of that still
 * waits for its turn is not delivered to it. */
void broadcast_inform(subscriber *s);

/* What the store published. Prints a message once and queues it for the customer's subscribers: now
 * when a tick has moved the average, else now or at the end of the gap, when the newest wins;
 * dropped when there are none or no memory (the next one comes with the next tick). */
void broadcast_publish(broadcast *b, const au_metrics *metrics, int64_t now_ms);

/* The same for a customer of broadcast_quiet: nobody published it. */
void broadcast_tell(broadcast *b, const au_metrics *metrics, int64_t now_ms);

/* Begins the messages whose gap is over. Returns how many milliseconds are left until
 * there is more to do, -1 when nothing waits. */
int64_t broadcast_pace(broadcast *b, int64_t now_ms);

/* Delivers to at most `max` subscribers; true while more are waiting. */
bool broadcast_run(broadcast *b, size_t max);

/* Customers with subscribers that were not published since `before_ms`, or not yet: fills
 * up to `max` ids, valid until the next call of this module. Each is listed once in a round,
 * whatever becomes of it; `round_ms` names the round, a later one has a larger name. */
size_t broadcast_quiet(broadcast *b, int64_t before_ms, int64_t round_ms, au_slice *ids,
                       size_t max);

/* Whether a listed customer is to be given time, because it was never published since it has
 * subscribers here: true once. */
bool broadcast_await(broadcast *b, au_slice customer_id);

#endif
