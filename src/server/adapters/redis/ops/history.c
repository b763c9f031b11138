/* The history of customers in Redis: records in strings of fixed size, sessions in HyperLogLogs,
 * peaks as text. Each has a TTL. What Redis answers here says nothing about the sessions: a refusal
 * ends the operation alone. */
#include "adapters/redis/protocol/command.h"
#include "adapters/redis/protocol/scripts.h"
#include "op.h"
#include "utils/log.h"

#include <stdlib.h>
#include <string.h>

enum {
  /* Redis fills a key with zeros up to what is written. Keys of a day and of a month would make two
   * requests for a customer that nobody has cost 22 KB of it. */
  KEY_MINUTES = 60,
  KEY_HOURS = 3 * 24,
  HOUR_S = 3600,
  DAY_S = 24 * HOUR_S,
  /* A key is there as long as its last record is kept or read, and begins with its first. */
  MINUTES_TTL_S = 27 * HOUR_S,
  HOURS_TTL_S = 94 * DAY_S,
  UNIQUE_TTL_S = 9 * DAY_S,
  PEAK_TTL_S = 400 * DAY_S,
  PEAK_MAX_BYTES = 63,
  WARN_EVERY_MS = 3600 * 1000,
  KEYS_OF_MINUTES = (AU_HISTORY_MINUTES + AU_HISTORY_SLACK_MINUTES) / KEY_MINUTES + 1,
  KEYS_OF_HOURS = (AU_HISTORY_HOURS + AU_HISTORY_SLACK_HOURS) / KEY_HOURS + 2,
  PARTS_MAX = KEYS_OF_MINUTES + KEYS_OF_HOURS + 1 + 2, /* the peak, and two counts */
};

static redis_store *store_of(au_history_store *history) {
  return (redis_store *)(void *)((char *)history - offsetof(redis_store, history));
}

static bool is_refused(au_status status, const redisReply *reply) {
  return status != AU_OK || redis_reply_is_error(reply);
}

/* ---- writing ------------------------------------------------------------------------- */

/* Once an hour at most: a key of another program or a missing permission would log at each write.
 */
static void warn_of_refusal(redis_store *s, const redisReply *reply) {
  int64_t now_ms = clock_mono_ms(s->clock);
  if (s->history_warned_ms > 0 && now_ms - s->history_warned_ms < WARN_EVERY_MS) return;
  s->history_warned_ms = now_ms;
  log_warn("redis", "history refused", LOG_STR("reason", redis_reply_refusal(reply).reason));
}

static void on_written(au_status status, const redisReply *reply, void *arg) {
  redis_store *s = arg;
  s->history_in_flight--;
  if (!is_refused(status, reply)) return;
  ++*s->history_failed;
  if (status == AU_OK) warn_of_refusal(s, reply);
}

static void write_to(redis_store *s, redis_node *n, const au_slice *args, size_t count,
                     uint64_t *failed) {
  s->history_failed = failed;
  if (redis_router_send(s->router, n, args, count, on_written, s) == AU_OK)
    s->history_in_flight++;
  else
    ++*failed;
}

static au_slice record_of(const unsigned char *bytes) {
  return (au_slice){(const char *)bytes, AU_RECORD_BYTES};
}

static void put(au_history_store *history, au_slice customer_id, const au_history_put *what,
                uint64_t *failed) {
  redis_store *s = store_of(history);
  redis_node *n;
  if (redis_router_admits(s->router, redis_store_slot(s, customer_id), 1, &n) != AU_OK) {
    ++*failed;
    return;
  }
  uint32_t hour = what->minute / 60;
  redis_key keys[3];
  redis_number numbers[8];
  size_t minute_at = (size_t)(what->minute % KEY_MINUTES) * AU_RECORD_BYTES;
  size_t hour_at = (size_t)(hour % KEY_HOURS) * AU_RECORD_BYTES;
  const au_slice args[] = {
      slice_of("EVAL"),
      slice_of(REDIS_SCRIPT_HISTORY),
      slice_of("3"),
      redis_key_minutes(&s->keys, &keys[0], customer_id, what->minute / KEY_MINUTES),
      redis_key_hours(&s->keys, &keys[1], customer_id, hour / KEY_HOURS),
      redis_key_peak(&s->keys, &keys[2], customer_id),
      redis_number_text(&numbers[0], (int64_t)minute_at),
      record_of(what->minute_record),
      redis_number_text(&numbers[1], (int64_t)hour_at),
      record_of(what->hour_record),
      redis_number_text(&numbers[2], MINUTES_TTL_S),
      redis_number_text(&numbers[3], HOURS_TTL_S),
      redis_number_text(&numbers[4], PEAK_TTL_S),
      redis_number_text(&numbers[5], what->peaks.ever),
      redis_number_text(&numbers[6], what->peaks.today),
      redis_number_text(&numbers[7], what->has_peaks ? what->peaks.day : 0),
  };
  write_to(s, n, args, sizeof args / sizeof args[0], failed);
}

static void seen(au_history_store *history, au_slice customer_id, au_slice session_id, uint32_t day,
                 uint64_t *failed) {
  redis_store *s = store_of(history);
  redis_node *n;
  if (redis_router_admits(s->router, redis_store_slot(s, customer_id), 2, &n) != AU_OK) {
    ++*failed;
    return;
  }
  redis_key key;
  redis_number ttl;
  au_slice name = redis_key_unique(&s->keys, &key, customer_id, day);
  const au_slice add[] = {slice_of("PFADD"), name, session_id};
  const au_slice expire[] = {slice_of("EXPIRE"), name, redis_number_text(&ttl, UNIQUE_TTL_S)};
  write_to(s, n, add, 3, failed);
  write_to(s, n, expire, 3, failed);
}

/* ---- reading --------------------------------------------------------------------------- */

typedef struct history_read history_read;

/* One command of a read: bytes go to `to`, a number to `number`, the peaks to the answer. */
typedef struct read_part {
  history_read *read;
  unsigned char *to;
  size_t len;
  uint64_t *number;
} read_part;

struct history_read {
  au_history_fn cb;
  void *arg;
  au_status status;
  uint32_t pending, count;
  au_history_answer answer;
  read_part parts[PARTS_MAX];
  unsigned char records[]; /* zeros: what Redis does not have */
};

static void end_read(history_read *read) {
  read->cb(read->status, read->status == AU_OK ? &read->answer : NULL, read->arg);
  free(read);
}

/* "ever today day" */
static void take_peaks(au_slice text, au_peaks *out) {
  au_slice words[3];
  uint64_t numbers[3];
  for (int i = 0; i < 3; i++)
    if (!slice_next(&text, ' ', &words[i]) || !slice_digits(words[i], 10, &numbers[i]) ||
        numbers[i] > UINT32_MAX)
      return;
  if (text.len > 0) return;
  *out = (au_peaks){(uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2]};
}

/* A key of the wrong type is another program's: it counts as none. */
static void on_part(au_status status, const redisReply *reply, void *arg) {
  const read_part *part = arg;
  history_read *read = part->read;
  bool is_foreign = status == AU_OK && redis_reply_is_error_code(reply, "WRONGTYPE");
  if (is_refused(status, reply) && !is_foreign) {
    if (read->status == AU_OK) read->status = status == AU_OK ? AU_ESTORE : status;
  } else if (part->number) {
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
      *part->number = (uint64_t)reply->integer;
  } else {
    au_slice text = redis_reply_text(reply);
    if (part->to && text.len > 0)
      memcpy(part->to, text.ptr, text.len < part->len ? text.len : part->len);
    if (!part->to) take_peaks(text, &read->answer.peaks);
  }
  if (--read->pending == 0) end_read(read);
}

static void ask_part(redis_store *s, redis_node *n, history_read *read, const au_slice *args,
                     size_t count, read_part part) {
  if (read->status != AU_OK) return;
  read_part *p = &read->parts[read->count++];
  *p = part;
  p->read = read;
  read->status = redis_router_send(s->router, n, args, count, on_part, p);
  if (read->status == AU_OK) read->pending++;
}

static void ask_bytes(redis_store *s, redis_node *n, history_read *read, au_slice key, size_t at,
                      size_t len, unsigned char *to) {
  redis_number first, last;
  const au_slice args[] = {slice_of("GETRANGE"), key, redis_number_text(&first, (int64_t)at),
                           redis_number_text(&last, (int64_t)(at + len) - 1)};
  ask_part(s, n, read, args, 4, (read_part){.to = to, .len = len});
}

/* How many keys so many records are in. */
static uint32_t keys_of(uint32_t from, uint32_t count, uint32_t per_key) {
  return count > 0 ? (from % per_key + count - 1) / per_key + 1 : 0;
}

typedef au_slice (*key_fn)(const redis_keys *, redis_key *, au_slice, uint32_t);

/* Records from several keys, of `per_key` each. */
static void ask_records(redis_store *s, redis_node *n, history_read *read, au_slice customer_id,
                        key_fn key_of, uint32_t per_key, uint32_t from, uint32_t count,
                        unsigned char *to) {
  while (count > 0) {
    redis_key key;
    uint32_t at = from % per_key, some = per_key - at < count ? per_key - at : count;
    ask_bytes(s, n, read, key_of(&s->keys, &key, customer_id, from / per_key),
              (size_t)at * AU_RECORD_BYTES, (size_t)some * AU_RECORD_BYTES, to);
    from += some;
    count -= some;
    to += (size_t)some * AU_RECORD_BYTES;
  }
}

static void ask_unique(redis_store *s, redis_node *n, history_read *read, au_slice customer_id,
                       uint32_t day) {
  redis_key keys[AU_HISTORY_UNIQUE_DAYS];
  au_slice args[1 + AU_HISTORY_UNIQUE_DAYS] = {slice_of("PFCOUNT")};
  for (uint32_t i = 0; i < AU_HISTORY_UNIQUE_DAYS; i++)
    args[1 + i] = redis_key_unique(&s->keys, &keys[i], customer_id, day - i);
  ask_part(s, n, read, args, 2, (read_part){.number = &read->answer.unique_today});
  ask_part(s, n, read, args, 1 + AU_HISTORY_UNIQUE_DAYS,
           (read_part){.number = &read->answer.unique_week});
}

static au_status get(au_history_store *history, au_slice customer_id, const au_history_ask *ask,
                     au_history_fn cb, void *arg) {
  redis_store *s = store_of(history);
  redis_node *n;
  if (ask->minutes > AU_HISTORY_MINUTES + AU_HISTORY_SLACK_MINUTES ||
      ask->hours > AU_HISTORY_HOURS + AU_HISTORY_SLACK_HOURS)
    return AU_EINVAL;
  uint32_t parts = keys_of(ask->minute, ask->minutes, KEY_MINUTES) +
                   keys_of(ask->hour, ask->hours, KEY_HOURS) + 1 + (ask->unique_day > 0 ? 2 : 0);
  au_status status = redis_router_admits(s->router, redis_store_slot(s, customer_id), parts, &n);
  if (status != AU_OK) return status;
  size_t minutes = (size_t)ask->minutes * AU_RECORD_BYTES;
  size_t hours = (size_t)ask->hours * AU_RECORD_BYTES;
  history_read *read = calloc(1, sizeof *read + minutes + hours);
  if (!read) return AU_ENOMEM;
  read->cb = cb;
  read->arg = arg;
  read->answer.minutes = read->records;
  read->answer.hours = read->records + minutes;
  redis_key peak;
  ask_records(s, n, read, customer_id, redis_key_minutes, KEY_MINUTES, ask->minute, ask->minutes,
              read->records);
  ask_records(s, n, read, customer_id, redis_key_hours, KEY_HOURS, ask->hour, ask->hours,
              read->records + minutes);
  ask_bytes(s, n, read, redis_key_peak(&s->keys, &peak, customer_id), 0, PEAK_MAX_BYTES, NULL);
  if (ask->unique_day > 0) ask_unique(s, n, read, customer_id, ask->unique_day);
  if (read->pending > 0) return AU_OK;
  status = read->status;
  free(read);
  return status;
}

static size_t bytes(const au_history_store *history) {
  (void)history;
  return 0;
}

static uint32_t in_flight(const au_history_store *history) {
  const char *store = (const char *)history - offsetof(redis_store, history);
  return ((const redis_store *)(const void *)store)->history_in_flight;
}

/* It is a part of the Redis store. */
static void free_history(au_history_store *history) {
  (void)history;
}

const au_history_store_ops redis_history_ops = {.put = put,
                                                .seen = seen,
                                                .get = get,
                                                .bytes = bytes,
                                                .in_flight = in_flight,
                                                .free = free_history};
