/* Prints the events of webhooks. */
#include "webhook.h"

#include "wire.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const conditions[] = {
    [AU_WEBHOOK_ABOVE] = "above",
    [AU_WEBHOOK_BELOW] = "below",
    [AU_WEBHOOK_STORE] = "store degraded",
};

static void print_sentence(char *out, size_t size, const au_webhook_event *e) {
  const au_webhook *w = e->webhook;
  const char *state = e->firing ? "firing" : "recovered";
  if (w->kind == AU_WEBHOOK_STORE)
    snprintf(out, size, "%s: %s: the store is %s%s%s", w->name, state,
             e->firing ? "degraded" : "well again", e->reason[0] ? ": " : "", e->reason);
  else
    snprintf(out, size, "%s: %s: %s has %" PRIu32 " active users (%s %" PRIu32 ")", w->name, state,
             w->customer_id, e->count, conditions[w->kind], w->threshold);
}

void wire_print_webhook(buffer *out, const au_webhook_event *e, const char *daemon) {
  const au_webhook *w = e->webhook;
  char sentence[3 * AU_ID_MAX + AU_WEBHOOK_REASON_MAX];
  buffer_append_text(out, "{\"webhook\":");
  wire_print_string(out, slice_of(w->name));
  buffer_append_format(out, ",\"state\":\"%s\",\"timestamp\":%" PRId64 ",\"daemon\":",
                       e->firing ? "firing" : "recovered", e->timestamp_ms);
  wire_print_string(out, slice_of(daemon));
  buffer_append_format(out, ",\"condition\":\"%s\",\"forSeconds\":%" PRIu32, conditions[w->kind],
                       w->for_s);
  if (w->kind == AU_WEBHOOK_STORE) {
    wire_print_optional(out, "reason", slice_of(e->reason));
  } else {
    wire_print_optional(out, "customerId", slice_of(w->customer_id));
    buffer_append_format(
        out, ",\"threshold\":%" PRIu32 ",\"until\":%" PRIu32 ",\"count\":%" PRIu32 ",\"ema\":",
        w->threshold, w->until, e->count);
    wire_print_ema(out, e->ema);
  }
  print_sentence(sentence, sizeof sentence, e);
  wire_print_optional(out, "text", slice_of(sentence));
  buffer_append_text(out, "}");
}
