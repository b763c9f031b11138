/* Reads replies without trusting them: every type and length is checked. */
#include "reply.h"

#include "utils/buffer.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool redis_reply_is(const redisReply *reply, redis_want want) {
  switch (want) {
  case REDIS_WANT_OK: return redis_reply_is_status(reply, "OK");
  case REDIS_WANT_OK_OR_NIL:
    return redis_reply_is_status(reply, "OK") || reply->type == REDIS_REPLY_NIL;
  case REDIS_WANT_INTEGER: return reply->type == REDIS_REPLY_INTEGER;
  case REDIS_WANT_TEXT: return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL;
  case REDIS_WANT_ARRAY: return reply->type == REDIS_REPLY_ARRAY;
  }
  return false;
}

bool redis_reply_is_error(const redisReply *reply) {
  return reply->type == REDIS_REPLY_ERROR;
}

static bool begins_with(au_slice text, const char *word) {
  size_t len = strlen(word);
  return text.len >= len && memcmp(text.ptr, word, len) == 0;
}

/* The same reason in a script has no code: of Redis before 7.2, and since. */
static const char *const not_permitted[] = {"The user executing the script can't run",
                                            "ACL failure in script"};

static bool is_not_permitted(au_slice text) {
  if (begins_with(text, "ERR ")) text = (au_slice){text.ptr + 4, text.len - 4};
  return begins_with(text, not_permitted[0]) || begins_with(text, not_permitted[1]);
}

/* Before 7.0 the error of a command in a script stands behind "ERR Error running script (call to
 * f_…): @user_script:1: ". */
static au_slice script_error_of(const redisReply *reply) {
  static const char place[] = "@user_script:", mark[] = ": ";
  au_slice text = {reply->str, reply->len};
  if (!begins_with(text, "ERR Error running script")) return text;
  const char *end = text.ptr + text.len;
  const char *at = memmem(text.ptr, text.len, place, sizeof place - 1);
  if (!at) return text;
  at += sizeof place - 1;
  at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1);
  if (!at) return text;
  at += sizeof mark - 1;
  return (au_slice){at, (size_t)(end - at)};
}

static au_slice error_of(const redisReply *reply) {
  au_slice text = script_error_of(reply);
  return is_not_permitted(text) ? slice_of("NOPERM") : text;
}

bool redis_reply_is_error_code(const redisReply *reply, const char *code) {
  return redis_reply_is_error(reply) && begins_with(error_of(reply), code);
}

bool redis_reply_is_status(const redisReply *reply, const char *text) {
  return reply->type == REDIS_REPLY_STATUS &&
         slice_eq((au_slice){reply->str, reply->len}, slice_of(text));
}

au_slice redis_reply_text(const redisReply *reply) {
  if (reply->type != REDIS_REPLY_STRING) return (au_slice){"", 0};
  return (au_slice){reply->str, reply->len};
}

/* strtod also takes blanks, hexadecimals and words, and wants the decimal point of the
 * locale, which an embedder may have set. */
bool redis_reply_score(const redisReply *reply, double *out) {
  char text[REDIS_NUMBER_MAX_BYTES + 1];
  size_t len = 0;
  const char *point = localeconv()->decimal_point;
  size_t point_len = strlen(point);
  au_slice s = redis_reply_text(reply);
  if (s.len == 0) return false;
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] == '\0' || !strchr("0123456789.eE+-", s.ptr[i])) return false;
    size_t n = s.ptr[i] == '.' ? point_len : 1;
    if (len + n >= sizeof text) return false;
    memcpy(text + len, s.ptr[i] == '.' ? point : &s.ptr[i], n);
    len += n;
  }
  text[len] = '\0';
  char *end;
  double number = strtod(text, &end);
  if (*end != '\0' || !isfinite(number)) return false;
  *out = number;
  return true;
}

bool redis_reply_number(const redisReply *reply, double *out) {
  double number;
  if (!redis_reply_score(reply, &number) || number < 0) return false;
  *out = number;
  return true;
}

bool redis_reply_scan(const redisReply *reply, char cursor[REDIS_CURSOR_SIZE],
                      const redisReply **elements) {
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return false;
  au_slice next = redis_reply_text(reply->element[0]);
  if (next.len == 0 || next.len >= REDIS_CURSOR_SIZE) return false;
  for (size_t i = 0; i < next.len; i++)
    if (next.ptr[i] < '0' || next.ptr[i] > '9') return false;
  if (reply->element[1]->type != REDIS_REPLY_ARRAY) return false;
  memcpy(cursor, next.ptr, next.len);
  cursor[next.len] = '\0';
  *elements = reply->element[1];
  return true;
}

static const struct {
  const char *code, *reason;
  redis_scope scope;
} refusals[] = {
    {"OOM", "redis is out of memory", REDIS_SCOPE_ALL},
    {"READONLY", "redis is a read-only replica", REDIS_SCOPE_ALL},
    {"NOAUTH", "redis wants a password", REDIS_SCOPE_ALL},
    {"WRONGPASS", "redis refuses the user or password", REDIS_SCOPE_ALL},
    {"NOPERM", "redis does not permit a command or key", REDIS_SCOPE_COMMAND},
    {"WRONGTYPE", "a key has the wrong type", REDIS_SCOPE_KEY},
    {"LOADING", "redis is loading its data", REDIS_SCOPE_ALL},
    {"MISCONF", "redis cannot save its data", REDIS_SCOPE_ALL},
    {"MASTERDOWN", "redis has lost its master", REDIS_SCOPE_ALL},
    {"NOREPLICAS", "redis has too few replicas", REDIS_SCOPE_ALL},
    {"BUSY", "redis is busy with a script", REDIS_SCOPE_ALL},
    {"MOVED", "this redis is part of a cluster: use redis+cluster://", REDIS_SCOPE_ALL},
    {"TRYAGAIN", "a key is being moved between nodes", REDIS_SCOPE_KEY},
    {"CLUSTERDOWN", "the redis cluster is down", REDIS_SCOPE_ALL},
    {"UNKILLABLE", "redis is busy with a script", REDIS_SCOPE_ALL},
};

redis_refusal redis_reply_refusal(const redisReply *reply) {
  uint32_t n = sizeof refusals / sizeof refusals[0];
  if (!redis_reply_is_error(reply))
    return (redis_refusal){n + 1, REDIS_SCOPE_COMMAND,
                           "redis answers with something else than was asked for"};
  for (uint32_t i = 0; i < n; i++)
    if (redis_reply_is_error_code(reply, refusals[i].code))
      return (redis_refusal){i, refusals[i].scope, refusals[i].reason};
  return (redis_refusal){n, REDIS_SCOPE_COMMAND, "redis answers with an error"};
}
