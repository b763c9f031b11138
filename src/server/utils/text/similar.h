/* How alike two names are. Pure. */
#ifndef UTILS_SIMILAR_H
#define UTILS_SIMILAR_H

#include <active_users/types.h>

enum { SIMILAR_MAX_BYTES = 64 }; /* longer names are like nothing */

/* How many characters must be inserted, left out, changed or swapped with their neighbour to
 * turn one name into the other. Upper case is lower case and `_` is `-` at no cost.
 * UINT32_MAX when one of them is too long. */
uint32_t similar_distance(au_slice a, au_slice b);

/* Whether a mistake in typing may have turned one into the other: at most two of these changes,
 * and fewer than half of the shorter name. */
bool similar_names(au_slice a, au_slice b);

#endif
