/* When a condition fires and when it recovers: hysteresis of a threshold and of time. Pure. */
#ifndef SERVICES_WEBHOOK_RULE_H
#define SERVICES_WEBHOOK_RULE_H

#include <active_users/webhook.h>

typedef struct rule {
  bool firing;
  int64_t since_ms; /* since when what would turn it has held; -1: it does not */
} rule;

void rule_init(rule *r);

/* Whether this count would turn the rule, if it lasts: past the threshold while it is quiet, back
 * at `until` while it fires. */
bool rule_turns(const rule *r, const au_webhook *w, uint32_t count);

/* One look. `turns` is that of rule_turns, or for the store whether it is what the rule does not
 * say. Returns whether the rule has turned now; `firing` says to what. */
bool rule_step(rule *r, bool turns, uint32_t for_s, int64_t now_ms);

/* Nothing is known at the moment: what had held begins anew. */
void rule_pause(rule *r);

#endif
