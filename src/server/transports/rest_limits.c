/* Counts a request against the limits of its address and its customer, and prints the
 * X-RateLimit lines. */
#include "rest_limits.h"

#include "utils/limits/rate_limit.h"

#include <inttypes.h>
#include <stdlib.h>

struct rest_limits {
  const au_clock *clock;
  stats *counters;
  rate_limit *presence,
      *reads; /* by customer; two tables, so that readers do not use up the limit of beats */
  uint32_t customer_per_min;
  customer_limits *own;
  budgets *shared;
};

au_status rest_limits_create(const au_config *config, const au_clock *clock, stats *counters,
                             map_seed seed, rest_limits **out) {
  rest_limits *limits = calloc(1, sizeof *limits);
  if (!limits) return AU_ENOMEM;
  limits->clock = clock;
  limits->counters = counters;
  limits->customer_per_min = config->rate_customer_per_min;
  au_status status = customer_limits_create(config, &limits->own);
  if (status == AU_OK) status = rate_limit_create(seed, config->max_customers, &limits->presence);
  if (status == AU_OK) status = rate_limit_create(seed, config->max_customers, &limits->reads);
  if (status != AU_OK) {
    rest_limits_free(limits);
    return status;
  }
  *out = limits;
  return AU_OK;
}

void rest_limits_free(rest_limits *limits) {
  if (!limits) return;
  rate_limit_free(limits->presence);
  rate_limit_free(limits->reads);
  customer_limits_free(limits->own);
  free(limits);
}

void rest_limits_set(rest_limits *limits, customer_limits *own, uint32_t customer_per_min) {
  customer_limits_free(limits->own);
  limits->own = own;
  limits->customer_per_min = customer_per_min;
}

bool rest_limits_is_large(au_slice content_length) {
  uint64_t length;
  return !content_length.ptr || !slice_digits(content_length, 19, &length) ||
         length > REST_SMALL_BODY_BYTES;
}

/* ---- header lines ------------------------------------------------------------ */

void rest_limits_print(const rest_limits *limits, const rate_state *state, buffer *lines) {
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

int64_t rest_limits_block(const rest_limits *limits, const rate_state *state, buffer *lines) {
  rest_limits_print(limits, state, lines);
  int64_t retry_s = (state->reset_in_ms + 999) / 1000;
  if (retry_s < 1) retry_s = 1;
  buffer_append_format(lines, "Retry-After: %" PRId64 "\r\n", retry_s);
  return retry_s;
}

/* ---- paying ------------------------------------------------------------------ */

static uint64_t *blocks_of(stats *counters, rest_cost cost, rest_verdict verdict) {
  bool by_ip = verdict == REST_BLOCKED_IP;
  switch (cost) {
  case REST_COSTS_READ:
    return by_ip ? &counters->rate_blocked_ip_reads : &counters->rate_blocked_customer_reads;
  case REST_COSTS_OTHER: return &counters->rate_blocked_other;
  default: return by_ip ? &counters->rate_blocked_ip : &counters->rate_blocked_customer;
  }
}

static void count_check(stats *counters, rest_cost cost) {
  if (cost == REST_COSTS_READ)
    counters->rate_checks_reads++;
  else if (cost == REST_COSTS_OTHER)
    counters->rate_checks_other++;
  else
    counters->rate_checks_presence++;
}

static rest_verdict block(rest_limits *limits, rest_cost cost, rest_verdict verdict,
                          const rate_state *state, buffer *lines, int64_t *retry_s) {
  ++*blocks_of(limits->counters, cost, verdict);
  *retry_s = rest_limits_block(limits, state, lines);
  return verdict;
}

static address_pot pot_of(rest_cost cost) {
  if (cost == REST_COSTS_OTHER) return ADDRESS_OTHER;
  return cost == REST_COSTS_READ ? ADDRESS_READS : ADDRESS_PRESENCE;
}

rest_verdict rest_limits_pay(rest_limits *limits, address *from, au_slice customer_id,
                             rest_cost cost, buffer *lines, int64_t *retry_s) {
  int64_t now_ms = clock_mono_ms(limits->clock);
  bool names_customer = customer_id.len > 0 && cost != REST_COSTS_OTHER;
  rate_limit *table = cost == REST_COSTS_READ ? limits->reads : limits->presence;
  uint32_t limit =
      names_customer ? customer_limits_rate(limits->own, customer_id, limits->customer_per_min) : 0;
  if (cost == REST_FREE) {
    rate_state unpaid = rate_limit_peek(table, customer_id, limit, now_ms);
    rest_limits_print(limits, &unpaid, lines);
    return REST_ALLOWED;
  }
  count_check(limits->counters, cost);
  if (!names_customer) {
    rate_state paid = address_take(from, pot_of(cost), now_ms);
    if (!paid.allowed) return block(limits, cost, REST_BLOCKED_IP, &paid, lines, retry_s);
    if (cost != REST_COSTS_OTHER) rest_limits_print(limits, &paid, lines);
    return REST_ALLOWED;
  }
  /* A request that one limit blocks does not use up the other. */
  rate_state met = address_peek(from, pot_of(cost), now_ms);
  if (!met.allowed) return block(limits, cost, REST_BLOCKED_IP, &met, lines, retry_s);
  rate_state paid = rate_limit_take(table, customer_id, limit, now_ms);
  if (!paid.allowed) return block(limits, cost, REST_BLOCKED_CUSTOMER, &paid, lines, retry_s);
  if (limit > 0)
    budgets_spent_customer(limits->shared,
                           table == limits->reads ? BUDGETS_READS : BUDGETS_PRESENCE, customer_id);
  (void)address_spend(from, pot_of(cost), now_ms);
  rest_limits_print(limits, &paid, lines);
  return REST_ALLOWED;
}

void rest_limits_share(rest_limits *limits, budgets *shared) {
  limits->shared = shared;
}

void rest_limits_charge(rest_limits *limits, budgets_customer which, au_slice customer_id,
                        uint32_t n) {
  rate_limit *table = which == BUDGETS_READS ? limits->reads : limits->presence;
  rate_limit_charge(table, customer_id, n, clock_mono_ms(limits->clock));
}
