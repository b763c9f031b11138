/* Changes of counts, made rare: the first change of a customer is passed on at
 * once, later ones at most once in an interval, and the last one is never
 * lost. Knows no timer and no store. */
#ifndef SERVICES_CHANGES_H
#define SERVICES_CHANGES_H

#include <active_users/types.h>

#include "utils/map.h"

/* From one publication of a customer to the next. Listeners are spared by update-interval; when
 * several daemons publish, both may have to be waited for, 1.2 s together. */
enum { CHANGES_INTERVAL_MS = 200 };

typedef struct changes changes;

/* emit  called for a customer whose change is due; false: not now, it is asked
 *       again an interval later. May not call this module.
 * max   customers remembered at most; above it a change waits for the next tick.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status changes_create(map_seed seed, int64_t interval_ms, size_t max,
                                       bool (*emit)(void *arg, au_slice customer_id), void *arg,
                                       changes **out);
void changes_free(changes *c);

/* The count of a customer changed. Emits now, or remembers it. */
void changes_note(changes *c, au_slice customer_id, int64_t now_ms);

/* Emits what is due, at most `max` customers. Returns how many milliseconds are
 * left until there is more to do (0: at once), -1 when nothing is remembered. */
int64_t changes_run(changes *c, int64_t now_ms, size_t max);

#endif
