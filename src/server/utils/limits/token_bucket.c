/* The arithmetic of a token bucket. */
#include "token_bucket.h"

enum { NS_PER_MS = 1000000 };

static int64_t interval_ns(const token_rate *rate) {
  return rate->period_ms * NS_PER_MS / rate->tokens;
}

static int64_t until_full_ns(const token_bucket *b, int64_t now_ms) {
  int64_t ns = b->full_at_ns - now_ms * NS_PER_MS;
  return ns > 0 ? ns : 0;
}

/* The tokens that are missing, as the time they take to come. At most a whole bucket: the
 * rate may have risen since they were taken. */
static int64_t missing_ns(const token_bucket *b, const token_rate *rate, int64_t now_ms) {
  int64_t ns = until_full_ns(b, now_ms), whole_ns = (int64_t)rate->burst * interval_ns(rate);
  return ns < whole_ns ? ns : whole_ns;
}

/* Until there is a token; 0 or less: there is one. */
static int64_t wait_ns(const token_bucket *b, const token_rate *rate, int64_t now_ms) {
  return missing_ns(b, rate, now_ms) - (int64_t)(rate->burst - 1) * interval_ns(rate);
}

static int64_t up_to_ms(int64_t ns) {
  return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

bool token_bucket_take(token_bucket *b, const token_rate *rate, int64_t now_ms) {
  if (rate->tokens == 0) return true;
  if (wait_ns(b, rate, now_ms) > 0) return false;
  b->full_at_ns = now_ms * NS_PER_MS + missing_ns(b, rate, now_ms) + interval_ns(rate);
  return true;
}

void token_bucket_charge(token_bucket *b, const token_rate *rate, uint32_t n, int64_t now_ms) {
  if (rate->tokens == 0) return;
  if (n > rate->burst) n = rate->burst;
  int64_t whole_ns = (int64_t)rate->burst * interval_ns(rate);
  int64_t ns = missing_ns(b, rate, now_ms) + (int64_t)n * interval_ns(rate);
  b->full_at_ns = now_ms * NS_PER_MS + (ns < whole_ns ? ns : whole_ns);
}

uint32_t token_bucket_left(const token_bucket *b, const token_rate *rate, int64_t now_ms) {
  if (rate->tokens == 0) return rate->burst;
  int64_t interval = interval_ns(rate);
  return (uint32_t)((rate->burst * interval - missing_ns(b, rate, now_ms)) / interval);
}

int64_t token_bucket_wait_ms(const token_bucket *b, const token_rate *rate, int64_t now_ms) {
  if (rate->tokens == 0) return 0;
  int64_t ns = wait_ns(b, rate, now_ms);
  return ns > 0 ? up_to_ms(ns) : 0;
}

int64_t token_bucket_full_in_ms(const token_bucket *b, int64_t now_ms) {
  return up_to_ms(until_full_ns(b, now_ms));
}
