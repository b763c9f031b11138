/* Rate limits of requests: one for an address, one for a customer. */
#ifndef TRANSPORTS_REST_LIMITS_H
#define TRANSPORTS_REST_LIMITS_H

#include <active_users/config.h>

#include "../utils/buffer.h"
#include "../utils/map.h"
#include "../utils/net.h"
#include "../utils/time.h"

typedef struct rest_limits rest_limits;

/* clock is borrowed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status rest_limits_create(const au_config *config, const au_clock *clock,
                                           map_seed seed, rest_limits **out);
void rest_limits_free(rest_limits *limits);
void rest_limits_reload(rest_limits *limits, const au_config *config);

typedef enum rest_verdict { REST_ALLOWED, REST_BLOCKED_IP, REST_BLOCKED_CUSTOMER } rest_verdict;

/* Checks both limits and uses up one request of each, or of neither when one
 * blocks; `free_of_charge` asks and uses nothing, and is never blocked. A request that
 * names no customer (an empty id) is counted for its address only. Appends the
 * X-RateLimit lines, and when blocked Retry-After, to `lines`; *retry_s is then at
 * least 1. */
rest_verdict rest_limits_check(rest_limits *limits, const net_addr *client, au_slice customer_id,
                               bool free_of_charge, buffer *lines, int64_t *retry_s);

#endif
