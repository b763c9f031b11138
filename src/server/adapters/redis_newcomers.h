/* Touches in flight that will add something to the presence table, so that its limits are
 * met before Redis is told and not after. Knows neither Redis nor the table. */
#ifndef ADAPTERS_REDIS_NEWCOMERS_H
#define ADAPTERS_REDIS_NEWCOMERS_H

#include <active_users/types.h>

#include "../utils/map.h"

typedef struct redis_newcomers redis_newcomers;
typedef struct redis_newcomer redis_newcomer; /* a customer, shared by its touches */

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_newcomers_create(map_seed seed, redis_newcomers **out);

/* NULL is fine. */
void redis_newcomers_free(redis_newcomers *n);

/* Sessions that will be added, each touch counted as one. */
uint32_t redis_newcomers_sessions(const redis_newcomers *n);

/* One more session of a customer that the table knows. */
void redis_newcomers_add(redis_newcomers *n);

/* One more session of a customer that the table does not know, with room for `room` more
 * customers. *out goes to redis_newcomers_remove. Returns AU_OK, AU_EFULL or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_newcomers_add_customer(redis_newcomers *n, au_slice customer_id,
                                                     uint32_t room, redis_newcomer **out);

/* The touch is over. `customer` is NULL after redis_newcomers_add. */
void redis_newcomers_remove(redis_newcomers *n, redis_newcomer *customer);

#endif
