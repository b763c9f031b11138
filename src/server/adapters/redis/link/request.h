/* How a command is answered. */
#ifndef ADAPTERS_REDIS_REQUEST_H
#define ADAPTERS_REDIS_REQUEST_H

#include <active_users/types.h>
#include <hiredis/hiredis.h>

/* `reply` is borrowed for the call; NULL unless status is AU_OK. It may be an error
 * reply. Without one: AU_ESTORE (the link was lost), AU_ETIMEDOUT (an answer did not come
 * in time, which dropped the link) or AU_ECANCELED (the link was stopped); the command may
 * have run or not. */
typedef void (*redis_reply_fn)(au_status status, const redisReply *reply, void *arg);

/* For a command whose answer is ignored. */
static inline void redis_ignore(au_status status, const redisReply *reply, void *arg) {
  (void)status;
  (void)reply;
  (void)arg;
}

#endif
