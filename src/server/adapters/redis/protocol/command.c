/* Puts words in the order that Redis and the scripts want. */
#include "command.h"

#include "index_score.h"
#include "scripts.h"

#include <string.h>

enum { COUNT_LINE_MAX_BYTES = 1 + sizeof(redis_number) + 2 };

static void add(redis_command *c, au_slice word) {
  c->words[c->count++] = word;
}

static void add_text(redis_command *c, const char *text) {
  add(c, slice_of(text));
}

static void add_time(redis_command *c, redis_number *buf, int64_t ms) {
  add(c, ms == REDIS_NO_TIME ? slice_of("") : redis_number_text(buf, ms));
}

/* The end of a range belongs to it. */
void redis_command_read(redis_command *c, au_slice key, size_t max_bytes) {
  c->count = 0;
  add_text(c, "GETRANGE");
  add(c, key);
  add_text(c, "0");
  add(c, redis_number_text(&c->numbers[0], (int64_t)max_bytes));
}

static void begin_list(redis_command *c, const redis_keys *keys, au_slice customer_id) {
  c->count = 0;
  add_text(c, "ZADD");
  add(c, redis_key_customers(keys, &c->keys[0], redis_keys_group_of(keys, customer_id)));
}

void redis_command_list(redis_command *c, const redis_keys *keys, au_slice customer_id) {
  begin_list(c, keys, customer_id);
  add_text(c, "NX");
  add_text(c, "0");
  add(c, customer_id);
}

void redis_command_ticked(redis_command *c, const redis_keys *keys, au_slice customer_id,
                          int64_t tick_ms) {
  begin_list(c, keys, customer_id);
  add_text(c, "XX");
  add_text(c, "GT");
  add_time(c, &c->numbers[0], tick_ms);
  add(c, customer_id);
}

/* Up to the keys that all scripts about a session begin with. */
static void begin_script(redis_command *c, const redis_keys *keys, const au_beat *who,
                         const char *script, const char *key_count) {
  c->count = 0;
  add_text(c, "EVAL");
  add_text(c, script);
  add_text(c, key_count);
  add(c, redis_key_presence(keys, &c->keys[0], who->customer_id, who->session_id));
  add(c, redis_key_index(keys, &c->keys[1], who->customer_id));
}

void redis_command_replay(redis_command *c, const redis_keys *keys, const au_beat *who,
                          au_slice value, int64_t left_ms, int64_t deadline_ms, int64_t until_ms,
                          int64_t over_ms) {
  begin_script(c, keys, who, REDIS_SCRIPT_REPLAY, "3");
  add(c, redis_key_left(keys, &c->keys[2], who->customer_id));
  add(c, who->session_id);
  add(c, value);
  add_time(c, &c->numbers[0], left_ms);
  add_time(c, &c->numbers[1], deadline_ms);
  add(c, who->tab_id);
  add_time(c, &c->numbers[2], until_ms);
  add_time(c, &c->numbers[3], over_ms);
  add(c, redis_number_text(&c->numbers[4], redis_score_base(who->visitor)));
}

static void add_who(redis_command *c, const au_beat *who, int64_t until_ms) {
  add(c, who->session_id);
  add(c, who->tab_id);
  add_time(c, &c->numbers[0], until_ms);
}

void redis_command_leave(redis_command *c, const redis_keys *keys, const au_beat *who,
                         int64_t until_ms, int64_t at_ms, int64_t ttl_ms, int64_t held_ms) {
  begin_script(c, keys, who, REDIS_SCRIPT_LEAVE, "3");
  add(c, redis_key_left(keys, &c->keys[2], who->customer_id));
  add_who(c, who, until_ms);
  add_time(c, &c->numbers[1], at_ms);
  add_time(c, &c->numbers[2], ttl_ms);
  add_time(c, &c->numbers[3], held_ms);
}

void redis_command_shorten(redis_command *c, const redis_keys *keys, const au_beat *who,
                           int64_t until_ms, int64_t left_ms, int64_t deadline_ms,
                           int64_t held_ms) {
  begin_script(c, keys, who, REDIS_SCRIPT_SHORTEN, "2");
  add_who(c, who, until_ms);
  add_time(c, &c->numbers[1], left_ms);
  add_time(c, &c->numbers[2], deadline_ms);
  add_time(c, &c->numbers[3], held_ms);
}

static char *put_end(char *at) {
  at[0] = '\r';
  at[1] = '\n';
  return at + 2;
}

static char *put_count(char *at, char kind, size_t n) {
  redis_number buf;
  au_slice digits = redis_number_text(&buf, (int64_t)n);
  *at = kind;
  memcpy(at + 1, digits.ptr, digits.len);
  return put_end(at + 1 + digits.len);
}

static char *put_text(char *at, au_slice text) {
  if (text.len > 0) memcpy(at, text.ptr, text.len);
  return put_end(at + text.len);
}

/* Room is asked for once. */
void redis_command_print(buffer *out, const au_slice *words, size_t n) {
  size_t most = COUNT_LINE_MAX_BYTES;
  for (size_t i = 0; i < n; i++) most += COUNT_LINE_MAX_BYTES + words[i].len + 2;
  buffer_clear(out);
  char *begin = buffer_reserve(out, most);
  if (!begin) return;
  char *at = put_count(begin, '*', n);
  for (size_t i = 0; i < n; i++) at = put_text(put_count(at, '$', words[i].len), words[i]);
  buffer_used(out, (size_t)(at - begin));
}
