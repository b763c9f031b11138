/* Looks at the conditions of all webhooks once a second and says which has turned. Every daemon of
 * a store looks, so that each knows what fires; for conditions of customers only the one that leads
 * tells. Knows no HTTP. */
#ifndef SERVICES_WEBHOOKS_H
#define SERVICES_WEBHOOKS_H

#include <active_users/config.h>
#include <active_users/store.h>
#include <uv.h>

#include "utils/time.h"

enum { WEBHOOKS_INTERVAL_MS = 1000 };

typedef struct webhooks webhooks;
typedef struct webhooks_rules webhooks_rules;

typedef struct webhooks_config {
  uv_loop_t *loop;
  const au_clock *clock;
  au_store *store;
  /* Whether this daemon tells for all that share its store. May be wrong for `settle_ms` after
   * another one has died: so long what it has not told is kept, and told when it leads by then. */
  bool (*leads)(void *arg);
  int64_t settle_ms;
  /* A condition has turned. The event is borrowed for the call. */
  void (*tell)(void *arg, const au_webhook_event *event);
  void *arg;
} webhooks_config;

/* Everything in `config` is borrowed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status webhooks_create(const webhooks_config *config, webhooks **out);
void webhooks_start(webhooks *w);

/* The conditions of a configuration that was checked, whose strings are borrowed until other rules
 * are set; not in force yet. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status webhooks_rules_create(const au_config *config, webhooks_rules **out);
void webhooks_rules_free(webhooks_rules *rules);
/* Takes the rules over. One that says what it said before stays in its state. */
void webhooks_set_rules(webhooks *w, webhooks_rules *rules);

/* One look: what the timer does. */
void webhooks_look(webhooks *w);

/* Looks no more. `stopped` runs once, from the loop; stop the store before freeing. */
void webhooks_stop(webhooks *w, void (*stopped)(void *arg), void *arg);
void webhooks_free(webhooks *w);

#endif
