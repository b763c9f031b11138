/* Which customers have limits of their own (au_config.customers), found by their id. A copy,
 * for the code that enforces one of them; a reload makes a new one. */
#ifndef SERVICES_CUSTOMER_LIMITS_H
#define SERVICES_CUSTOMER_LIMITS_H

#include <active_users/config.h>

typedef struct customer_limits customer_limits;

/* Copies what it keeps of `config`. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status customer_limits_create(const au_config *config, customer_limits **out);
void customer_limits_free(customer_limits *all);

/* Requests a minute of this customer (0: no limit): its own, or `otherwise`. */
uint32_t customer_limits_rate(const customer_limits *all, au_slice customer_id, uint32_t otherwise);

/* Live sessions of this customer (0: no limit): its own, or `otherwise`. */
uint32_t customer_limits_sessions(const customer_limits *all, au_slice customer_id,
                                  uint32_t otherwise);

#endif
