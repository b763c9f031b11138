/* What this daemon has acknowledged and a Redis does not have: since when, and the way it
 * gets there once that Redis serves again. Knows neither requests nor how Redis was lost.
 *
 * Sessions are sent in batches, the next one only after the last answer, so that a replay of
 * a million neither fills the link nor holds the loop. A session that was renewed by another
 * daemon meanwhile is not shortened; what is touched or ends here meanwhile is right too. */
#ifndef ADAPTERS_REDIS_REPLAY_H
#define ADAPTERS_REDIS_REPLAY_H

#include <active_users/types.h>

#include "redis_endings.h"

enum {
  REDIS_REPLAY_BATCH = 250,        /* sessions and endings in flight */
  REDIS_REPLAY_LOOK_MAX = 5000,    /* sessions looked at in one turn of the loop */
  REDIS_REPLAY_LEAVES_MAX = 50000, /* leaves that are kept for a TTL, in case Redis loses them */
  REDIS_REPLAY_SETTLE_MS = 1500,   /* in which other daemons replay as well */
};

struct redis_node;
typedef struct redis_replay redis_replay;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_replay_create(struct redis_node *node, redis_replay **out);

/* Before everything else. Once. */
void redis_replay_start(redis_replay *r);

/* The moment that begins now. */
redis_moment redis_replay_moment(redis_replay *r);

/* Sessions are touched here from now on, and Redis is not told. Before the table is. */
void redis_replay_owe(redis_replay *r);

/* A session ended or was shortened here, and Redis was not told. What the tab took over here
 * Redis may still know as another's. Returns as redis_endings_add. */
AU_MUST_CHECK au_status redis_replay_owe_ending(redis_replay *r, redis_ending_kind kind,
                                                const au_beat *beat, redis_moment at);

/* Whether the tab of a touch that began at `since` has ended or shortened its session after
 * it, which Redis is not told yet: the touch is over then. */
bool redis_replay_has_ended(const redis_replay *r, const au_beat *beat, redis_moment since,
                            redis_ending_kind *kind);

/* Redis knows that a session has left. `held_ms` as in redis_ending. */
void redis_replay_left(redis_replay *r, const au_beat *beat, redis_moment at, int64_t held_ms);

/* A session lives again, whatever is owed. */
void redis_replay_revive(redis_replay *r, au_slice customer_id, au_slice session_id);

/* Redis has lost what it had: everything is owed, with the averages.
 *
 * settle  other daemons have it to replay as well: until that is over, this one goes by
 *         what it knew. */
void redis_replay_owe_all(redis_replay *r, bool settle);

/* In a Cluster: gives endings of customers that are served by other nodes now to those. */
void redis_replay_hand_over(redis_replay *r);

/* The Redis serves: replays what is owed, if anything. Idempotent. */
void redis_replay_begin(redis_replay *r);

/* The Redis is lost or refuses: what was under way is owed again. */
void redis_replay_interrupt(redis_replay *r);

/* Whether Redis has all that this daemon has acknowledged. */
bool redis_replay_is_done(const redis_replay *r);

/* `stopped` runs once, from the loop. Stop the link as well: it ends the commands. */
void redis_replay_stop(redis_replay *r, void (*stopped)(void *arg), void *arg);

/* NULL is fine. */
void redis_replay_free(redis_replay *r);

#endif
