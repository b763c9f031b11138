/* Customers whose count changed, each once, in the order of the first change. A
 * store collects here what it may not report from inside its own functions, and
 * reports it from the loop. Knows no store and no loop. */
#ifndef ADAPTERS_CHANGED_SET_H
#define ADAPTERS_CHANGED_SET_H

#include <active_users/types.h>

#include "utils/map.h"

typedef struct changed_set changed_set;

/* max  customers at most; more are not noted, and are reported with their next
 *      tick.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status changed_set_create(map_seed seed, size_t max, changed_set **out);

/* NULL is fine. */
void changed_set_free(changed_set *set);

/* Notes a valid id; one that is here already stays in its place. Without memory it
 * is not noted. */
void changed_set_add(changed_set *set, au_slice customer_id);

/* Takes out the first: copies its id and returns its length, 0 when empty. */
size_t changed_set_take(changed_set *set, char id[AU_ID_MAX]);

bool changed_set_empty(const changed_set *set);

#endif
