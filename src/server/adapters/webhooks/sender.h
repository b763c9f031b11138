/* Delivers the events of webhooks: a bounded queue for each, tried again with back-off. One that
 * hangs or fails delays no other one, and nothing else. Must not know when a condition fires. */
#ifndef WEBHOOKS_SENDER_H
#define WEBHOOKS_SENDER_H

#include <active_users/config.h>
#include <uv.h>

#include "stats.h"
#include "utils/time.h"

enum {
  SENDER_QUEUE_MAX = 8,         /* events of one webhook; beyond, the oldest is dropped */
  SENDER_ATTEMPTS_MAX = 10,     /* then it is dropped: after some 9 minutes */
  SENDER_BACKOFF_MIN_MS = 1000, /* doubled with each attempt, with jitter */
  SENDER_BACKOFF_MAX_MS = 300000,
  SENDER_STOP_MS = 2000, /* how long a stop waits for what is in flight */
  SENDER_PROBLEM_SIZE = 256,
};

typedef struct sender sender;
typedef struct sender_settings sender_settings;

typedef struct sender_config {
  uv_loop_t *loop;
  const au_clock *clock;
  stats *counters;
  uint64_t seed; /* of the jitter and of ids */
} sender_config;

/* Everything in `config` is borrowed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status sender_create(const sender_config *config, sender **out);

/* Reads what a configuration says of webhooks; nothing of it is kept, and it is not in force yet.
 * Returns AU_OK, AU_ENOMEM, or AU_EINVAL with `problem` ("webhook.crowd: the URL …"). */
AU_MUST_CHECK au_status sender_settings_create(sender *s, const au_config *config,
                                               char problem[SENDER_PROBLEM_SIZE],
                                               sender_settings **out);
void sender_settings_free(sender_settings *settings);
/* Takes the settings over. What waits for a webhook that still has its name goes to its new URL;
 * what is in flight is begun again; the rest is dropped. */
void sender_set(sender *s, sender_settings *settings);

/* Queues an event. Without memory it is counted as dropped. */
void sender_send(sender *s, const au_webhook_event *event);

/* Begins nothing new, waits SENDER_STOP_MS for what is in flight and drops the rest. `stopped` runs
 * once, from the loop. */
void sender_stop(sender *s, void (*stopped)(void *arg), void *arg);
void sender_free(sender *s);

#endif
