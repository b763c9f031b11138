/* The way of what is owed (redis_debts) to a Redis that serves again. Knows neither requests
 * nor how Redis was lost.
 *
 * Sessions are sent in batches, the next one only after the last answer, so that a replay of
 * a million neither fills the link nor holds the loop. A session that was renewed by another
 * daemon meanwhile is not shortened; what is touched or ends here meanwhile is right too. */
#ifndef ADAPTERS_REDIS_REPLAY_H
#define ADAPTERS_REDIS_REPLAY_H

#include <active_users/types.h>

enum {
  REDIS_REPLAY_BATCH = 250,      /* sessions and endings in flight */
  REDIS_REPLAY_LOOK_MAX = 5000,  /* sessions looked at in one turn of the loop */
  REDIS_REPLAY_SETTLE_MS = 1500, /* in which other daemons replay as well */
};

struct redis_node;
typedef struct redis_replay redis_replay;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_replay_create(struct redis_node *node, redis_replay **out);

/* Before everything else. Once. */
void redis_replay_start(redis_replay *r);

/* Redis has lost what it had: everything is owed, with the averages.
 *
 * settle  other daemons have it to replay as well: until that is over, this one goes by
 *         what it knew. */
void redis_replay_all(redis_replay *r, bool settle);

/* The Redis serves: replays what is owed, if anything. Idempotent. */
void redis_replay_begin(redis_replay *r);

/* The Redis is lost or refuses: what was under way is owed again. */
void redis_replay_interrupt(redis_replay *r);

/* Whether all that this daemon has acknowledged was sent: what is sent now comes behind it. */
bool redis_replay_is_done(const redis_replay *r);

/* Whether Redis has it, as far as is known. */
bool redis_replay_is_answered(const redis_replay *r);

/* `stopped` runs once, from the loop. Stop the link as well: it ends the commands. */
void redis_replay_stop(redis_replay *r, void (*stopped)(void *arg), void *arg);

/* NULL is fine. */
void redis_replay_free(redis_replay *r);

#endif
