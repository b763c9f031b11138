/* What commands and scripts do to one key, and what may be wrong with it. */
#include <math.h>
#include <string.h>

#include "clock.h"
#include "fake.h"

static const char wrong_type[] =
    "WRONGTYPE Operation against a key holding the wrong kind of value";

static bool fail(exec *x, const char *error) {
  if (!x->error) x->error = error;
  return false;
}

bool op_may(exec *x, const char *command, au_slice key, bool writes, bool grows) {
  if (x->f->role == FAKE_REPLICA && writes)
    return fail(x, "READONLY You can't write against a read only replica.");
  for (size_t i = 0; i < x->f->rule_count; i++) {
    const fake_rule *rule = &x->f->rules[i];
    bool hit = false;
    switch (rule->scope) {
    case REFUSE_WRITES: hit = writes; break;
    case REFUSE_GROWTH: hit = grows; break;
    case REFUSE_COMMAND: hit = strcmp(rule->word, command) == 0; break;
    case REFUSE_KEY: hit = memmem(key.ptr, key.len, rule->word, strlen(rule->word)) != NULL; break;
    default: break;
    }
    if (hit) return fail(x, rule->error);
  }
  return true;
}

static db_entry *find(exec *x, au_slice key) {
  return db_find(&x->f->data, key, fake_now_ms(x->f));
}

/* Of the wanted type, or NULL. */
static db_entry *typed(exec *x, au_slice key, db_type type) {
  db_entry *e = find(x, key);
  if (e && e->type != type) fail(x, wrong_type);
  return x->error ? NULL : e;
}

db_entry *op_read(exec *x, const char *command, au_slice key, db_type type) {
  return op_may(x, command, key, false, false) ? typed(x, key, type) : NULL;
}

int64_t op_zadd(exec *x, au_slice key, unsigned flags, double score, au_slice member) {
  if (!op_may(x, "ZADD", key, true, true)) return 0;
  db_entry *e = typed(x, key, DB_ZSET);
  if (x->error) return 0;
  db_member *m = e ? db_member_find(e, member) : NULL;
  if (m) {
    bool passes = !(flags & ZADD_NX) && (!(flags & ZADD_GT) || score > m->score) &&
                  (!(flags & ZADD_LT) || score < m->score);
    if (passes) m->score = score;
    return 0;
  }
  if (flags & ZADD_XX) return 0;
  if (!e) e = db_put(&x->f->data, key, DB_ZSET);
  db_member_add(e, member, score);
  return 1;
}

int64_t op_zrem(exec *x, au_slice key, au_slice member) {
  if (!op_may(x, "ZREM", key, true, false)) return 0;
  db_entry *e = typed(x, key, DB_ZSET);
  db_member *m = e ? db_member_find(e, member) : NULL;
  if (!m) return 0;
  db_member_remove(e, m);
  if (e->count == 0) db_remove(&x->f->data, e);
  return 1;
}

bool op_zscore(exec *x, au_slice key, au_slice member, double *score) {
  const db_entry *e = op_read(x, "ZSCORE", key, DB_ZSET);
  const db_member *m = e ? db_member_find(e, member) : NULL;
  if (m) *score = m->score;
  return m != NULL;
}

bool op_get(exec *x, au_slice key, au_slice *value) {
  const db_entry *e = op_read(x, "GET", key, DB_STRING);
  if (e) *value = (au_slice){e->value, e->value_len};
  return e != NULL;
}

bool op_set(exec *x, au_slice key, au_slice value, int64_t ttl_ms) {
  if (!op_may(x, "SET", key, true, true)) return false;
  db_entry *e = db_put(&x->f->data, key, DB_STRING);
  db_set_value(e, value);
  e->expires_ms = ttl_ms > 0 ? fake_now_ms(x->f) + ttl_ms : 0;
  return true;
}

int64_t op_del(exec *x, const char *command, au_slice key) {
  if (!op_may(x, command, key, true, false)) return 0;
  db_entry *e = find(x, key);
  if (e) db_remove(&x->f->data, e);
  return e != NULL;
}

int64_t op_exists(exec *x, au_slice key) {
  return op_may(x, "EXISTS", key, false, false) && find(x, key) != NULL;
}

int64_t op_pttl(exec *x, au_slice key) {
  if (!op_may(x, "PTTL", key, false, false)) return -2;
  const db_entry *e = find(x, key);
  if (!e) return -2;
  return e->expires_ms == 0 ? -1 : e->expires_ms - fake_now_ms(x->f);
}

int64_t op_expire(exec *x, const char *command, au_slice key, int64_t ttl_ms) {
  if (!op_may(x, command, key, true, false)) return 0;
  db_entry *e = find(x, key);
  if (!e) return 0;
  e->expires_ms = fake_now_ms(x->f) + ttl_ms;
  return 1;
}
