/* The texts and log lines of refusals. */
#include "refusals.h"

#include "utils/buffer.h"
#include "utils/log.h"
#include "utils/text/similar.h"

#include <stdio.h>

/* Somebody else chose these bytes, and a terminal may show them. */
refusal_shown refusal_show(au_slice given) {
  refusal_shown out;
  size_t len = given.len < REFUSAL_SHOWN_MAX ? given.len : REFUSAL_SHOWN_MAX;
  for (size_t i = 0; i < len; i++) {
    char c = given.ptr[i];
    out.text[i] = c < ' ' || c > '~' ? '?' : c;
  }
  snprintf(out.text + len, sizeof out.text - len, "%s", len < given.len ? "..." : "");
  return out;
}

void refusal_of_path(char out[REFUSAL_TEXT_SIZE], au_slice path) {
  snprintf(out, REFUSAL_TEXT_SIZE, "there is nothing at %s", refusal_show(path).text);
}

void refusal_of_method(char out[REFUSAL_TEXT_SIZE], au_slice path, const char *allow) {
  snprintf(out, REFUSAL_TEXT_SIZE, "this method is not allowed at %s, which takes %s",
           refusal_show(path).text, allow);
}

void refusal_of_origin(char out[REFUSAL_TEXT_SIZE], au_slice origin, bool of_customer) {
  snprintf(out, REFUSAL_TEXT_SIZE,
           "pages of %s may not use this %s: %s setting allowed-origins names who may",
           refusal_show(origin).text, of_customer ? "customer" : "daemon",
           of_customer ? "the daemon's" : "its");
}

void refusal_of_query(char out[REFUSAL_TEXT_SIZE], au_slice query) {
  au_slice value, key, wanted = slice_of("customerId");
  snprintf(out, REFUSAL_TEXT_SIZE, "customerId is required");
  while (slice_next(&query, '&', &value)) {
    if (!slice_next(&value, '=', &key) || !similar_names(key, wanted)) continue;
    snprintf(out, REFUSAL_TEXT_SIZE, "customerId is required: did you mean customerId by %s?",
             refusal_show(key).text);
    return;
  }
}

void refusal_log_add(refusal_log *log, refusal_kind kind, au_slice origin, int64_t now_ms) {
  uint64_t count = log_pace_add(&log->of[kind], now_ms);
  if (count == 0) return;
  if (origin.len == 0) origin = slice_of("none");
  switch (kind) {
  case REFUSAL_ORIGIN:
    log_warn("rest", "pages of an origin that allowed-origins does not name are refused",
             LOG_SLICE("origin", origin), LOG_INT("requests", count));
    break;
  case REFUSAL_IP:
  case REFUSAL_CUSTOMER:
    log_warn("rest", "requests over a limit are refused",
             LOG_STR("blocked_by", kind == REFUSAL_IP ? "ip" : "customer"),
             LOG_SLICE("origin", origin), LOG_INT("requests", count));
    break;
  case REFUSAL_TOKEN:
    log_warn("rest", "requests without a token that is good for them are refused",
             LOG_SLICE("origin", origin), LOG_INT("requests", count));
    break;
  default: break;
  }
}
