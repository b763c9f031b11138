/* Scores of a customer's index: when a session ends, and as what it counts. Each kind of visitor
 * has a range of its own, so that one member says both, and a session is counted once:
 *
 *   a person    deadline
 *   a bot       deadline - 10^15
 *   pending     deadline - 2 * 10^15
 *
 * A deadline is below 10^15 ms until the year 33658, and each score is exact as a double. */
#ifndef ADAPTERS_REDIS_INDEX_SCORE_H
#define ADAPTERS_REDIS_INDEX_SCORE_H

#include <active_users/types.h>

/* The scripts have it too. */
#define REDIS_SCORE_STEP INT64_C(1000000000000000)

/* What is added to a deadline. */
static inline int64_t redis_score_base(au_visitor visitor) {
  switch (visitor) {
  case AU_VISITOR_BOT: return -REDIS_SCORE_STEP;
  case AU_VISITOR_PENDING: return -2 * REDIS_SCORE_STEP;
  default: return 0;
  }
}

static inline au_visitor redis_score_visitor(double score) {
  if (score >= 0) return AU_VISITOR_PERSON;
  return score >= -(double)REDIS_SCORE_STEP ? AU_VISITOR_BOT : AU_VISITOR_PENDING;
}

/* The deadline in a score, ms of Redis's clock. */
static inline double redis_score_deadline(double score) {
  return score - (double)redis_score_base(redis_score_visitor(score));
}

#endif
