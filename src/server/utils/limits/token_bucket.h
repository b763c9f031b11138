/* A token bucket in one number, to embed (the generic cell rate algorithm, ITU-T I.371):
 * the time at which it would be full again. The rate is passed with each call, so that one
 * rate serves many buckets and a reload counts at once. Allocates nothing. */
#ifndef UTILS_TOKEN_BUCKET_H
#define UTILS_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* `tokens` each `period_ms`, evenly; at most `burst` are kept. The time in which an empty
 * bucket fills (burst / tokens periods) must be under a century. */
typedef struct token_rate {
  uint32_t tokens; /* 0: no limit */
  uint32_t burst;  /* at least 1 */
  int64_t period_ms;
} token_rate;

/* Zero-initialised is full, which is how a bucket begins. */
typedef struct token_bucket {
  int64_t full_at_ns;
} token_bucket;

static inline void token_bucket_init(token_bucket *b) {
  b->full_at_ns = 0;
}

/* Takes one token; false, and nothing taken, when there is none. `now_ms` is of a clock that
 * does not go back, 0 or later. */
bool token_bucket_take(token_bucket *b, const token_rate *rate, int64_t now_ms);

/* Takes `n` tokens that were spent elsewhere, as far as there are any. */
void token_bucket_charge(token_bucket *b, const token_rate *rate, uint32_t n, int64_t now_ms);

/* How many tokens are there; `burst` without a limit. */
uint32_t token_bucket_left(const token_bucket *b, const token_rate *rate, int64_t now_ms);

/* Until there is a token: 0 when there is one, else rounded up. */
int64_t token_bucket_wait_ms(const token_bucket *b, const token_rate *rate, int64_t now_ms);

/* Until it is full: 0 when it is, else rounded up. */
int64_t token_bucket_full_in_ms(const token_bucket *b, int64_t now_ms);

#endif
