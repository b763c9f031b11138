/* The rules of all webhooks, the looks at their customers, and who tells. */
#include "webhooks.h"

#include "rule.h"
#include "utils/buffer.h"
#include "utils/join_stop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One webhook. */
typedef struct watched {
  const au_webhook *webhook;
  webhooks_rules *all;
  rule rule;
  bool looking;           /* a sample is in flight */
  bool waits;             /* `event` is not told, for this daemon does not lead */
  int64_t waits_until_ms; /* then the one that leads has told it */
  au_webhook_event event;
} watched;

struct webhooks_rules {
  webhooks *owner; /* NULL: not in force, or no more */
  unsigned refs;   /* of the owner, and of each sample in flight */
  size_t count;
  watched list[];
};

struct webhooks {
  webhooks_config config;
  webhooks_rules *rules; /* NULL: none yet */
  uv_timer_t timer;
  bool stopping;
  join_stop stop;
};

static int64_t now_of(const webhooks *w) {
  return clock_mono_ms(w->config.clock);
}

static void unref(webhooks_rules *rules) {
  if (rules && --rules->refs == 0) free(rules);
}

static void tell(webhooks *w, watched *one) {
  one->waits = false;
  w->config.tell(w->config.arg, &one->event);
}

/* Each daemon tells of its own link to the store. */
static void turned(webhooks *w, watched *one, const au_sample *sample, const char *reason) {
  one->event = (au_webhook_event){
      .webhook = one->webhook,
      .firing = one->rule.firing,
      .timestamp_ms = clock_wall_ms(w->config.clock),
      .count = sample ? sample->count : 0,
      .ema = !sample           ? 0
             : sample->has_ema ? sample->ema
                               : sample->count,
  };
  snprintf(one->event.reason, sizeof one->event.reason, "%s", reason);
  if (one->webhook->kind == AU_WEBHOOK_STORE || w->config.leads(w->config.arg)) {
    tell(w, one);
    return;
  }
  one->waits = true;
  one->waits_until_ms = now_of(w) + w->config.settle_ms;
}

/* What others last knew is no ground for a message. */
static void on_sample(au_status status, const au_sample *sample, void *arg) {
  watched *one = arg;
  webhooks *w = one->all->owner;
  one->looking = false;
  if (w && !w->stopping) {
    if (status != AU_OK || sample->stale)
      rule_pause(&one->rule);
    else if (rule_step(&one->rule, rule_turns(&one->rule, one->webhook, sample->count),
                       one->webhook->for_s, now_of(w)))
      turned(w, one, sample, "");
  }
  unref(one->all);
}

static void look_at_customer(webhooks *w, watched *one) {
  au_store *store = w->config.store;
  if (one->looking) return;
  one->looking = true;
  one->all->refs++;
  if (store->ops->sample(store, slice_of(one->webhook->customer_id), on_sample, one) == AU_OK)
    return;
  one->looking = false;
  one->all->refs--;
  rule_pause(&one->rule);
}

static void look_at_store(webhooks *w, watched *one) {
  au_store_health health = w->config.store->ops->health(w->config.store);
  bool degraded = health.reason[0] != '\0';
  if (rule_step(&one->rule, degraded != one->rule.firing, one->webhook->for_s, now_of(w)))
    turned(w, one, NULL, health.reason);
}

void webhooks_look(webhooks *w) {
  if (!w->rules) return;
  for (size_t i = 0; i < w->rules->count; i++) {
    watched *one = &w->rules->list[i];
    if (one->waits && w->config.leads(w->config.arg)) tell(w, one);
    if (one->waits && now_of(w) >= one->waits_until_ms) one->waits = false;
    if (one->webhook->kind == AU_WEBHOOK_STORE)
      look_at_store(w, one);
    else
      look_at_customer(w, one);
  }
}

static void on_timer(uv_timer_t *timer) {
  webhooks_look(timer->data);
}

/* ---- rules ------------------------------------------------------------------------- */

au_status webhooks_rules_create(const au_config *config, webhooks_rules **out) {
  webhooks_rules *rules = calloc(1, sizeof *rules + config->webhooks_count * sizeof rules->list[0]);
  if (!rules) return AU_ENOMEM;
  rules->refs = 1;
  rules->count = config->webhooks_count;
  for (size_t i = 0; i < rules->count; i++) {
    rules->list[i].webhook = &config->webhooks[i];
    rules->list[i].all = rules;
    rule_init(&rules->list[i].rule);
  }
  *out = rules;
  return AU_OK;
}

void webhooks_rules_free(webhooks_rules *rules) {
  unref(rules);
}

static bool is_same(const au_webhook *a, const au_webhook *b) {
  if (strcmp(a->name, b->name) != 0 || a->kind != b->kind || a->for_s != b->for_s) return false;
  return a->kind == AU_WEBHOOK_STORE || (a->threshold == b->threshold && a->until == b->until &&
                                         strcmp(a->customer_id, b->customer_id) == 0);
}

static void take_state(watched *to, const webhooks_rules *from) {
  for (size_t i = 0; i < from->count; i++) {
    const watched *old = &from->list[i];
    if (!is_same(to->webhook, old->webhook)) continue;
    to->rule = old->rule;
    to->waits = old->waits;
    to->waits_until_ms = old->waits_until_ms;
    to->event = old->event;
    to->event.webhook = to->webhook;
    return;
  }
}

void webhooks_set_rules(webhooks *w, webhooks_rules *rules) {
  for (size_t i = 0; w->rules && i < rules->count; i++) take_state(&rules->list[i], w->rules);
  if (w->rules) w->rules->owner = NULL;
  unref(w->rules);
  rules->owner = w;
  w->rules = rules;
}

/* ---- life -------------------------------------------------------------------------- */

au_status webhooks_create(const webhooks_config *config, webhooks **out) {
  webhooks *w = calloc(1, sizeof *w);
  if (!w) return AU_ENOMEM;
  w->config = *config;
  uv_timer_init(config->loop, &w->timer);
  w->timer.data = w;
  *out = w;
  return AU_OK;
}

void webhooks_start(webhooks *w) {
  uv_timer_start(&w->timer, on_timer, WEBHOOKS_INTERVAL_MS, WEBHOOKS_INTERVAL_MS);
}

void webhooks_stop(webhooks *w, void (*stopped)(void *arg), void *arg) {
  w->stopping = true;
  join_stop_begin(&w->stop, stopped, arg);
  join_stop_close(&w->stop, (uv_handle_t *)&w->timer);
  join_stop_done(&w->stop);
}

void webhooks_free(webhooks *w) {
  if (!w) return;
  unref(w->rules);
  free(w);
}
