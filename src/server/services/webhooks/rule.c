/* A rule turns when the other side has lasted without a look that says otherwise. */
#include "rule.h"

void rule_init(rule *r) {
  *r = (rule){.firing = false, .since_ms = -1};
}

bool rule_turns(const rule *r, const au_webhook *w, uint32_t count) {
  if (w->kind == AU_WEBHOOK_ABOVE) return r->firing ? count <= w->until : count > w->threshold;
  return r->firing ? count >= w->until : count < w->threshold;
}

bool rule_step(rule *r, bool turns, uint32_t for_s, int64_t now_ms) {
  if (!turns) {
    r->since_ms = -1;
    return false;
  }
  if (r->since_ms < 0) r->since_ms = now_ms;
  if (now_ms - r->since_ms < (int64_t)for_s * 1000) return false;
  r->firing = !r->firing;
  r->since_ms = -1;
  return true;
}

void rule_pause(rule *r) {
  r->since_ms = -1;
}
