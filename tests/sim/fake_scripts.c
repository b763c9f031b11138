/* The scripts of the Redis store, by their text: what each does, written again. A script that
 * is not known here fails the seed: write it here too. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "adapters/redis/protocol/index_score.h"
#include "adapters/redis/protocol/scripts.h"
#include "fake.h"
#include "fleet.h"
#include "model.h"
#include "report.h"

static au_slice key(const exec *x, int i) {
  return exec_arg(x, 2 + i);
}

static au_slice arg(const exec *x, int i) {
  return exec_arg(x, 2 + (int)slice_integer(exec_arg(x, 2)) + i);
}

/* redis.pcall: the script goes on. */
static void forgive(exec *x) {
  x->error = NULL;
}

/* ---- who holds a session ------------------------------------------------------- */

static au_slice json_text(au_slice json, const char *field) {
  char name[32];
  int n = snprintf(name, sizeof name, "\"%s\":\"", field);
  const char *at = memmem(json.ptr, json.len, name, (size_t)n);
  if (!at) return (au_slice){"", 0};
  at += n;
  const char *end = memchr(at, '"', (size_t)(json.ptr + json.len - at));
  return end ? (au_slice){at, (size_t)(end - at)} : (au_slice){"", 0};
}

/* NAN when there is none. */
static double json_number(au_slice json, const char *field) {
  char name[32], room[32] = "";
  int n = snprintf(name, sizeof name, "\"%s\":", field);
  const char *at = memmem(json.ptr, json.len, name, (size_t)n);
  if (!at) return NAN;
  at += n;
  size_t len = 0;
  while (at + len < json.ptr + json.len && len < sizeof room - 1 &&
         strchr("0123456789.-+e", at[len]))
    len++;
  memcpy(room, at, len);
  return len == 0 ? NAN : slice_double((au_slice){room, len});
}

typedef struct holder {
  bool there, held, has_since;
  double since;
} holder;

static holder find_holder(exec *x) {
  holder h = {false, false, arg(x, 6).len > 0, slice_double(arg(x, 6))};
  au_slice value = {"", 0};
  bool is_text = op_get(x, key(x, 1), &value);
  h.there = is_text || x->error != NULL;
  if (x->error && strncmp(x->error, "WRONGTYPE", 9) != 0) return h;
  forgive(x);
  if (!is_text || value.len == 0 || value.ptr[0] != '{') return h;
  double at = json_number(value, "updatedAt");
  if (slice_eq(json_text(value, "tabId"), arg(x, 2))) {
    h.held = arg(x, 3).len == 0 || (isnan(at) ? 0 : at) <= slice_double(arg(x, 3));
    if (!isnan(at)) {
      h.since = at;
      h.has_since = true;
    }
  } else {
    h.held = !isnan(at) && at <= (arg(x, 6).len > 0 ? slice_double(arg(x, 6)) : -1);
  }
  return h;
}

static au_slice session_and_tab(const exec *x, int session, int tab, char room[300]) {
  int n = snprintf(room, 300, "%.*s:%.*s", (int)arg(x, session).len, arg(x, session).ptr,
                   (int)arg(x, tab).len, arg(x, tab).ptr);
  return (au_slice){room, (size_t)n};
}

/* ---- sessions ------------------------------------------------------------------ */

static void leave(exec *x) {
  char room[300];
  holder h = find_holder(x);
  if (x->error) return;
  if (h.there && !h.held) {
    fake_integer(x, 0);
    return;
  }
  int64_t counted = op_zrem(x, key(x, 2), arg(x, 1));
  if (!x->error) (void)op_del(x, "DEL", key(x, 1));
  if (x->error) return;
  if (arg(x, 3).len == 0 && !h.there && counted == 0 && op_exists(x, key(x, 2)) == 0) {
    fake_integer(x, 2);
    return;
  }
  double at = slice_double(arg(x, 4)), ttl = slice_double(arg(x, 5));
  (void)op_zadd(x, key(x, 3), ZADD_GT, at, session_and_tab(x, 1, 2, room));
  forgive(x);
  if (h.has_since) (void)op_zadd(x, key(x, 3), ZADD_GT, h.since, arg(x, 1));
  forgive(x);
  db_entry *left = op_read(x, "ZREMRANGEBYSCORE", key(x, 3), DB_ZSET);
  for (size_t i = 0; left && i < left->count;)
    if (left->members[i].score <= at - ttl)
      db_member_remove(left, &left->members[i]);
    else
      i++;
  forgive(x);
  if (left && left->count == 0) db_remove(&x->f->data, left);
  (void)op_expire(x, "PEXPIRE", key(x, 3), (int64_t)ttl);
  forgive(x);
  fake_integer(x, h.held ? 1 : 2 + counted);
}

/* What was added to a deadline to make this score. */
static double base_of(double score) {
  return (double)redis_score_base(redis_score_visitor(score));
}

static double base_of_value(au_slice json) {
  if (memmem(json.ptr, json.len, "\"bot\":true", 10)) return -(double)REDIS_SCORE_STEP;
  return isnan(json_number(json, "pendingSince")) ? 0 : -2 * (double)REDIS_SCORE_STEP;
}

static void shorten(exec *x) {
  bool held = find_holder(x).held;
  if (x->error) return;
  if (!held) {
    fake_integer(x, 0);
    return;
  }
  int64_t ttl = op_pttl(x, key(x, 1)), grace = slice_integer(arg(x, 4));
  if (x->error) return;
  if (ttl >= 0 && ttl <= grace) {
    fake_integer(x, 0);
    return;
  }
  double score;
  if (op_zscore(x, key(x, 2), arg(x, 1), &score))
    (void)op_zadd(x, key(x, 2), ZADD_XX | ZADD_LT, slice_double(arg(x, 5)) + base_of(score),
                  arg(x, 1));
  if (!x->error) (void)op_expire(x, "PEXPIRE", key(x, 1), grace);
  fake_integer(x, 1);
}

/* NAN when nothing is there, or no time in it. */
static double updated_at(exec *x, au_slice presence, double *base) {
  au_slice value;
  bool is_text = op_get(x, presence, &value);
  forgive(x);
  *base = is_text ? base_of_value(value) : 0;
  return is_text ? json_number(value, "updatedAt") : NAN;
}

static void replay(exec *x) {
  char room[300];
  double left;
  bool over = op_zscore(x, key(x, 3), session_and_tab(x, 1, 5, room), &left) &&
              left > slice_double(arg(x, 6));
  forgive(x);
  over = over || (op_zscore(x, key(x, 3), arg(x, 1), &left) && left > slice_double(arg(x, 7)));
  forgive(x);
  if (over) {
    fake_integer(x, 0);
    return;
  }
  double base, at = updated_at(x, key(x, 1), &base), until = slice_double(arg(x, 6));
  int64_t ttl = op_pttl(x, key(x, 1)), left_ms = slice_integer(arg(x, 3));
  double deadline = slice_double(arg(x, 4));
  if (x->error) return;
  if (at > slice_double(arg(x, 7))) { /* NAN: false, here and below */
    if (ttl > 0)
      (void)op_zadd(x, key(x, 2), ZADD_NX, deadline - (double)left_ms + (double)ttl + base,
                    arg(x, 1));
    fake_integer(x, 0);
    return;
  }
  (void)op_zadd(x, key(x, 2), at < until ? 0 : ZADD_GT, deadline + slice_double(arg(x, 8)),
                arg(x, 1));
  if (x->error) return;
  if (!(at < until) && ttl > left_ms) {
    fake_integer(x, 0);
    return;
  }
  (void)op_set(x, key(x, 1), arg(x, 2), left_ms);
  fake_integer(x, 1);
}

static void drop(exec *x) {
  fake_integer(x, op_exists(x, key(x, 1)) ? 0 : op_zrem(x, key(x, 2), arg(x, 1)));
}

static void trim(exec *x) {
  db_entry *e = op_read(x, "ZRANGEBYSCORE", key(x, 1), DB_ZSET);
  int64_t n = 0;
  if (e && !op_may(x, "ZREM", key(x, 1), true, false)) return;
  for (size_t i = 0; e && i < e->count;) {
    if (redis_score_deadline(e->members[i].score) > slice_double(arg(x, 1))) {
      i++;
      continue;
    }
    db_member_remove(e, &e->members[i]);
    n++;
  }
  if (e && e->count == 0) db_remove(&x->f->data, e);
  fake_integer(x, n);
}

/* ---- ticks --------------------------------------------------------------------- */

static void restore(exec *x) {
  au_slice ticked;
  bool later = op_get(x, key(x, 2), &ticked) && slice_double(ticked) >= slice_double(arg(x, 2));
  forgive(x);
  if (later) {
    fake_integer(x, 0);
    return;
  }
  (void)op_set(x, key(x, 1), arg(x, 1), 0);
  if (!x->error) (void)op_set(x, key(x, 2), arg(x, 2), 0);
  fake_integer(x, 1);
  if (!x->error) model_restored(key(x, 1), arg(x, 1), slice_integer(arg(x, 2)));
}

static void due(exec *x) {
  au_slice name;
  bool other = op_get(x, key(x, 1), &name) && !slice_eq(name, arg(x, 1));
  forgive(x);
  if (other) {
    int64_t left = op_pttl(x, key(x, 1));
    if (x->error) return;
    if (left > 0) {
      fake_integer(x, left);
      return;
    }
  }
  (void)op_set(x, key(x, 1), arg(x, 1), slice_integer(arg(x, 2)));
  db_entry *list = x->error ? NULL : op_read(x, "ZRANGEBYSCORE", key(x, 2), DB_ZSET);
  if (x->error) return;
  int64_t skip = slice_integer(arg(x, 4)), max = slice_integer(arg(x, 5));
  size_t n = 0, from = 0;
  if (list) db_sort(list);
  for (size_t i = 0; list && i < list->count; i++) {
    if (list->members[i].score > slice_double(arg(x, 3))) break;
    if (skip > 0) {
      skip--;
      from++;
    } else if ((int64_t)n < max) {
      n++;
    }
  }
  fake_array(x, n);
  for (size_t i = from; i < from + n; i++)
    fake_bulk(x, (au_slice){list->members[i].name, list->members[i].len});
}

/* Whether there was no tick since the one that was sampled. */
static bool is_next(exec *x) {
  au_slice tick;
  bool there = op_get(x, key(x, 2), &tick) && tick.len <= 15 && slice_integer(tick) > 0;
  forgive(x);
  return slice_eq(there ? tick : slice_of("0"), arg(x, 1));
}

static void save(exec *x) {
  if (!is_next(x)) {
    fake_integer(x, 0);
    return;
  }
  (void)op_set(x, key(x, 2), arg(x, 2), 0);
  if (!x->error) (void)op_set(x, key(x, 1), arg(x, 3), 0);
  fake_integer(x, 1);
  if (!x->error)
    model_saved(x->from->host, key(x, 1), slice_integer(arg(x, 1)), slice_integer(arg(x, 2)),
                arg(x, 3));
}

static void forget(exec *x) {
  if (!is_next(x)) {
    fake_integer(x, 0);
    return;
  }
  const db_entry *index = op_read(x, "ZCOUNT", key(x, 3), DB_ZSET);
  if (x->error) return;
  for (size_t i = 0; index && i < index->count; i++) {
    double score = index->members[i].score;
    if (redis_score_deadline(score) <= slice_double(arg(x, 2)) ||
        redis_score_visitor(score) == AU_VISITOR_PENDING)
      continue;
    fake_integer(x, 2);
    return;
  }
  for (int i = 1; i <= 3 && !x->error; i++) (void)op_del(x, "UNLINK", key(x, i));
  fake_integer(x, 1);
  if (!x->error) model_forgotten(key(x, 1));
}

void fake_eval(exec *x) {
  static const struct {
    const char *text;
    fake_command run;
  } scripts[] = {
      {REDIS_SCRIPT_LEAVE, leave}, {REDIS_SCRIPT_SHORTEN, shorten}, {REDIS_SCRIPT_REPLAY, replay},
      {REDIS_SCRIPT_DROP, drop},   {REDIS_SCRIPT_TRIM, trim},       {REDIS_SCRIPT_RESTORE, restore},
      {REDIS_SCRIPT_DUE, due},     {REDIS_SCRIPT_SAVE, save},       {REDIS_SCRIPT_EVICT, forget}};
  x->in_script = true;
  for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
    if (!slice_eq(exec_arg(x, 1), slice_of(scripts[i].text))) continue;
    scripts[i].run(x);
    return;
  }
  report_failure("a script that the scripted Redis does not know", "%.60s", exec_arg(x, 1).ptr);
}
