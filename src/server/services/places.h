/* How many of the places in the tables one address and one customer may take: numbers, made of
 * the configuration. Counts nothing. */
#ifndef SERVICES_PLACES_H
#define SERVICES_PLACES_H

#include <active_users/config.h>

typedef struct places places;

/* config  the one that the tables are made by, checked; nothing of it is kept.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status places_create(const au_config *config, places **out);
/* NULL is fine. */
void places_free(places *p);

/* The limits of a later configuration, to use in place of `p`, whose max_sessions and
 * max_customers they keep. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status places_renew(const places *p, const au_config *config, places **out);

/* Live sessions of a customer; UINT32_MAX: no limit. */
uint32_t places_of_customer(const places *p, au_slice customer_id);

/* Live sessions of one address, half of the table at most, so that none fills it alone; and
 * customers that it may hold alone. 0: no limit. */
uint32_t places_of_address(const places *p);
uint32_t places_customers_of_address(const places *p);

#endif
