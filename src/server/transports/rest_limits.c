/* Both limits of a request and the header lines that tell of them. Must not know
 * what the request wants. */
#include "rest_limits.h"

#include "../utils/rate_limit.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
  WINDOW_MS = 60000,
  MAX_ADDRESSES = 200000, /* windows kept at once; above it the oldest make room */
};

struct rest_limits {
  const au_clock *clock;
  rate_limit *by_ip, *by_customer;
};

au_status rest_limits_create(const au_config *config, const au_clock *clock, map_seed seed,
                             rest_limits **out) {
  rest_limits *limits = calloc(1, sizeof *limits);
  if (!limits) return AU_ENOMEM;
  limits->clock = clock;
  au_status status =
      rate_limit_create(seed, config->rate_ip_per_min, WINDOW_MS, MAX_ADDRESSES, &limits->by_ip);
  if (status == AU_OK)
    status = rate_limit_create(seed, config->rate_customer_per_min, WINDOW_MS,
                               config->max_customers, &limits->by_customer);
  if (status != AU_OK) {
    rest_limits_free(limits);
    return status;
  }
  *out = limits;
  return AU_OK;
}

void rest_limits_free(rest_limits *limits) {
  if (!limits) return;
  rate_limit_free(limits->by_ip);
  rate_limit_free(limits->by_customer);
  free(limits);
}

void rest_limits_reload(rest_limits *limits, const au_config *config) {
  rate_limit_set(limits->by_ip, config->rate_ip_per_min);
  rate_limit_set(limits->by_customer, config->rate_customer_per_min);
}

static void print(const rest_limits *limits, const rate_state *state, buffer *lines) {
  if (state->limit == 0) return; /* off */
  char reset[TIME_ISO_SIZE];
  time_iso_s(clock_wall_ms(limits->clock) + state->reset_in_ms, reset);
  buffer_append_text(lines, "X-RateLimit-Limit: ");
  buffer_append_number(lines, state->limit);
  buffer_append_text(lines, "\r\nX-RateLimit-Remaining: ");
  buffer_append_number(lines, state->remaining);
  buffer_append_text(lines, "\r\nX-RateLimit-Reset: ");
  buffer_append_text(lines, reset);
  buffer_append_text(lines, "\r\n");
}

rest_verdict rest_limits_check(rest_limits *limits, const net_addr *client, au_slice customer_id,
                               bool free_of_charge, buffer *lines, int64_t *retry_s) {
  int64_t now_ms = clock_mono_ms(limits->clock);
  au_slice ip = net_key(client);
  if (free_of_charge) {
    rate_state unpaid = rate_limit_peek(limits->by_customer, customer_id, now_ms);
    print(limits, &unpaid, lines);
    return REST_ALLOWED;
  }
  rate_state address = rate_limit_peek(limits->by_ip, ip, now_ms);
  /* A request that one limit blocks does not use up the other. */
  bool pays = address.allowed && customer_id.len > 0;
  rate_state customer = pays ? rate_limit_take(limits->by_customer, customer_id, now_ms)
                             : rate_limit_peek(limits->by_customer, customer_id, now_ms);
  if (address.allowed && customer.allowed) {
    rate_limit_take(limits->by_ip, ip, now_ms);
    print(limits, &customer, lines);
    return REST_ALLOWED;
  }
  rest_verdict verdict = address.allowed ? REST_BLOCKED_CUSTOMER : REST_BLOCKED_IP;
  const rate_state *blocking = address.allowed ? &customer : &address;
  print(limits, blocking, lines);
  *retry_s = (blocking->reset_in_ms + 999) / 1000;
  if (*retry_s < 1) *retry_s = 1;
  buffer_append_format(lines, "Retry-After: %" PRId64 "\r\n", *retry_s);
  return verdict;
}
