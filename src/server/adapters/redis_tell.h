/* Says to a Redis what it missed of one session: that it lives, or how it ended. Knows
 * neither who owes it nor when it is said. */
#ifndef ADAPTERS_REDIS_TELL_H
#define ADAPTERS_REDIS_TELL_H

#include <active_users/types.h>

#include "presence_table.h"
#include "redis_acts.h"

struct redis_node;

/* From the best to the worst. */
typedef enum redis_told {
  REDIS_TOLD,
  REDIS_TOLD_IN_VAIN, /* refused for one of its keys alone: of others it may be told */
  REDIS_NOT_TOLD,     /* the node is lost, or refuses whatever it is told */
} redis_told;

/* `act` is what was to be told, a touch of a session that lives; borrowed for the call. */
typedef void (*redis_told_fn)(redis_told told, const redis_act *act, void *arg);

/* Each returns AU_OK, and `cb` runs once, from the loop; or as redis_node_command, or
 * AU_ENOMEM, and nothing was sent. */

/* A session that was renewed elsewhere meanwhile is not shortened, and one that has left is
 * not brought back.
 *
 * lists  its customer is listed as well, and told when both are. */
AU_MUST_CHECK au_status redis_tell_session(struct redis_node *n, const presence_live *live,
                                           bool lists, redis_told_fn cb, void *arg);

/* A session that lives again is left alone. The table forgets what has left. */
AU_MUST_CHECK au_status redis_tell_ending(struct redis_node *n, const redis_act *ending,
                                          redis_told_fn cb, void *arg);

#endif
