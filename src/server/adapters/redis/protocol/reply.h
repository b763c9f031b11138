/* Questions to ask of a Redis reply. Decides nothing. */
#ifndef ADAPTERS_REDIS_REPLY_H
#define ADAPTERS_REDIS_REPLY_H

#include <active_users/types.h>
#include <hiredis/hiredis.h>

/* What a command is answered with when it worked. */
typedef enum redis_want {
  REDIS_WANT_OK,        /* the status OK */
  REDIS_WANT_OK_OR_NIL, /* the same, or nil when a condition was not met */
  REDIS_WANT_INTEGER,
  REDIS_WANT_TEXT, /* a string, or nil when there is none */
  REDIS_WANT_ARRAY,
} redis_want;

bool redis_reply_is(const redisReply *reply, redis_want want);
bool redis_reply_is_error(const redisReply *reply);
/* An error that begins with `code`, such as "WRONGTYPE", in a script or not. */
bool redis_reply_is_error_code(const redisReply *reply, const char *code);
bool redis_reply_is_status(const redisReply *reply, const char *text);

/* The bytes of a string, empty for anything else. */
au_slice redis_reply_text(const redisReply *reply);

/* A finite number >= 0 in decimal, as a whole text of at most REDIS_NUMBER_MAX_BYTES; false for
 * anything else. */
enum { REDIS_NUMBER_MAX_BYTES = 79 };
bool redis_reply_number(const redisReply *reply, double *out);
/* The same of any finite number. */
bool redis_reply_score(const redisReply *reply, double *out);

/* The cursor and the elements of a SCAN or ZSCAN; false for anything else. The
 * cursor is copied, at most REDIS_CURSOR_SIZE - 1 digits. */
enum { REDIS_CURSOR_SIZE = 24 };
bool redis_reply_scan(const redisReply *reply, char cursor[REDIS_CURSOR_SIZE],
                      const redisReply **elements);

/* How far a refusal reaches. */
typedef enum redis_scope {
  REDIS_SCOPE_ALL,     /* whatever is written is refused */
  REDIS_SCOPE_COMMAND, /* others like it are, and another may well succeed */
  REDIS_SCOPE_KEY,     /* what concerns other keys may well succeed */
} redis_scope;

/* Why Redis refused, for the health page and the log. */
typedef struct redis_refusal {
  uint32_t kind; /* small, one for each reason */
  redis_scope scope;
  const char *reason; /* static */
} redis_refusal;

/* Of an error reply, or of one that is not what was asked for. */
redis_refusal redis_reply_refusal(const redisReply *reply);

#endif
