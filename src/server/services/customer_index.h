/* Finds a customer of au_config.customers by its id. A copy of the ids; a reload makes a new
 * one. */
#ifndef SERVICES_CUSTOMER_INDEX_H
#define SERVICES_CUSTOMER_INDEX_H

#include <active_users/config.h>

typedef struct customer_index customer_index;

/* Keeps nothing of `config`. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status customer_index_create(const au_config *config, customer_index **out);
/* NULL is fine. */
void customer_index_free(customer_index *index);

/* Where the customer was in au_config.customers; SIZE_MAX: it was not there. */
size_t customer_index_find(const customer_index *index, au_slice customer_id);

#endif
