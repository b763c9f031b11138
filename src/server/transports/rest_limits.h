/* What requests cost: pots of their address (services/addresses.h), and for each customer a
 * limit of presence requests and one of reads. Knows no routes. */
#ifndef TRANSPORTS_REST_LIMITS_H
#define TRANSPORTS_REST_LIMITS_H

#include <active_users/config.h>

#include "services/addresses.h"
#include "services/budgets.h"
#include "services/customer_limits.h"
#include "stats.h"
#include "utils/buffer.h"
#include "utils/limits/rate_window.h"
#include "utils/map.h"
#include "utils/time.h"

enum { REST_SMALL_BODY_BYTES = 1024 /* more than a paced beat needs, which is never held up */ };

typedef struct rest_limits rest_limits;

/* clock and counters are borrowed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status rest_limits_create(const au_config *config, const au_clock *clock,
                                           stats *counters, map_seed seed, rest_limits **out);
void rest_limits_free(rest_limits *limits);
/* Limits of customers; those of addresses are set where the table is. `own` goes over to
 * `limits`. */
void rest_limits_set(rest_limits *limits, customer_limits *own, uint32_t customer_per_min);

/* Shares what customers spend; borrowed. NULL: nothing is shared. */
void rest_limits_share(rest_limits *limits, budgets *shared);
/* Other daemons have let so many requests of a customer pass. */
void rest_limits_charge(rest_limits *limits, budgets_customer which, au_slice customer_id,
                        uint32_t n);

typedef enum rest_cost {
  REST_FREE,           /* a paced beat, a leave by the tab that holds the session, and what has paid
                          ADDRESS_NEW_SESSIONS already */
  REST_COSTS_PRESENCE, /* one of ADDRESS_PRESENCE, and of the customer's presence requests */
  REST_COSTS_READ,     /* one of ADDRESS_READS, and of the customer's reads */
  REST_COSTS_OTHER,    /* one of ADDRESS_OTHER */
} rest_cost;

typedef enum rest_verdict { REST_ALLOWED, REST_BLOCKED_IP, REST_BLOCKED_CUSTOMER } rest_verdict;

/* Takes what a request costs from both that pay, or from neither when one blocks. A request
 * that names no customer (an empty id) is paid by its address only. Appends to `lines` the
 * X-RateLimit lines of the customer or of the limit that blocked, none of REST_COSTS_OTHER unless
 * it is blocked; and when blocked Retry-After. *retry_s is then at least 1, and the block is
 * counted.
 *
 * from  NULL pays nothing. */
rest_verdict rest_limits_pay(rest_limits *limits, address *from, au_slice customer_id,
                             rest_cost cost, buffer *lines, int64_t *retry_s);

/* Appends the X-RateLimit lines, and Retry-After, of a request that `state` blocks. Returns the
 * seconds until it may come back, at least 1. */
int64_t rest_limits_block(const rest_limits *limits, const rate_state *state, buffer *lines);

/* Appends the X-RateLimit lines of a limit, none of one that is off. */
void rest_limits_print(const rest_limits *limits, const rate_state *state, buffer *lines);

/* Whether a body is larger than is read of an address over its limit; `content_length` is the
 * header, without which the length is not known before the end. */
bool rest_limits_is_large(au_slice content_length);

#endif
