/* The words of the commands that several files of the Redis store send. Knows no nodes and no
 * answers. */
#ifndef ADAPTERS_REDIS_COMMAND_H
#define ADAPTERS_REDIS_COMMAND_H

#include <active_users/store.h>

#include "keys.h"
#include "utils/buffer.h"

enum {
  REDIS_COMMAND_WORDS = 14,
  REDIS_VALUE_MAX_BYTES = 16 * 1024, /* of a presence key */
};

/* The words point into the command itself and at what the caller gave: it is sent before
 * either goes, and is not copied. */
typedef struct redis_command {
  au_slice words[REDIS_COMMAND_WORDS];
  size_t count;
  redis_key keys[3];
  redis_number numbers[5];
} redis_command;

/* A time that does not matter, or is not known. */
enum { REDIS_NO_TIME = -1 };

/* All times are milliseconds of Redis's clock; those of scripts.h that may be "" are
 * REDIS_NO_TIME then. */

/* Reads a text that another program may have written: its first `max_bytes` and one more, which
 * tells that it is longer. Redis answers with "" when there is none. */
void redis_command_read(redis_command *c, au_slice key, size_t max_bytes);

/* Lists a customer, unless it is listed: then it keeps the time of its last tick. */
void redis_command_list(redis_command *c, const redis_keys *keys, au_slice customer_id);

/* Notes a tick of a customer that is listed. */
void redis_command_ticked(redis_command *c, const redis_keys *keys, au_slice customer_id,
                          int64_t tick_ms);

/* REDIS_SCRIPT_REPLAY, of the tab of `who`, counted as it says; `value` is its presence JSON. */
void redis_command_replay(redis_command *c, const redis_keys *keys, const au_beat *who,
                          au_slice value, int64_t left_ms, int64_t deadline_ms, int64_t until_ms,
                          int64_t over_ms);

/* REDIS_SCRIPT_LEAVE and REDIS_SCRIPT_SHORTEN, of the tab of `who`. */
void redis_command_leave(redis_command *c, const redis_keys *keys, const au_beat *who,
                         int64_t until_ms, int64_t at_ms, int64_t ttl_ms, int64_t held_ms);
void redis_command_shorten(redis_command *c, const redis_keys *keys, const au_beat *who,
                           int64_t until_ms, int64_t left_ms, int64_t deadline_ms, int64_t held_ms);

/* The bytes of a command on the wire (RESP): whatever was in `out` before is gone. out->failed when
 * they do not fit, or without memory. */
void redis_command_print(buffer *out, const au_slice *words, size_t n);

#endif
