/* Commands on sorted sets. */
#include "fake.h"
#include "fleet.h"

static void zadd(exec *x) {
  unsigned flags = 0;
  int i = 2;
  for (;; i++) {
    if (exec_is(x, i, "NX"))
      flags |= ZADD_NX;
    else if (exec_is(x, i, "XX"))
      flags |= ZADD_XX;
    else if (exec_is(x, i, "GT"))
      flags |= ZADD_GT;
    else if (exec_is(x, i, "LT"))
      flags |= ZADD_LT;
    else
      break;
  }
  fake_integer(x,
               op_zadd(x, exec_arg(x, 1), flags, slice_double(exec_arg(x, i)), exec_arg(x, i + 1)));
}

static void zrem(exec *x) {
  fake_integer(x, op_zrem(x, exec_arg(x, 1), exec_arg(x, 2)));
}

/* Both ends are "(…", and the upper one may be "+inf". */
static double end_of(au_slice end) {
  return end.ptr[0] == '(' ? slice_double((au_slice){end.ptr + 1, end.len - 1}) : slice_double(end);
}

static void zcount(exec *x) {
  const db_entry *e = op_read(x, "ZCOUNT", exec_arg(x, 1), DB_ZSET);
  double above = end_of(exec_arg(x, 2)), below = end_of(exec_arg(x, 3));
  int64_t n = 0;
  for (size_t i = 0; e && i < e->count; i++)
    n += e->members[i].score > above && e->members[i].score < below;
  fake_integer(x, n);
}

static void zscore(exec *x) {
  double score;
  if (op_zscore(x, exec_arg(x, 1), exec_arg(x, 2), &score))
    fake_double(x, score);
  else
    fake_nil(x);
}

static void zmscore(exec *x) {
  fake_array(x, (size_t)x->argc - 2);
  for (int i = 2; i < x->argc; i++) {
    double score;
    if (op_zscore(x, exec_arg(x, 1), exec_arg(x, i), &score))
      fake_double(x, score);
    else
      fake_nil(x);
  }
}

/* As SCAN: pages by the hash of the member. */
static void zscan(exec *x) {
  uint64_t from = (uint64_t)slice_integer(exec_arg(x, 2)), next = 0;
  const db_entry *e = op_read(x, "ZSCAN", exec_arg(x, 1), DB_ZSET);
  const db_member *page[64];
  uint32_t last = 0;
  size_t max = fleet_page_size(), n = 0;
  while (e) {
    const db_member *least = NULL;
    uint32_t least_hash = 0;
    for (size_t i = 0; i < e->count; i++) {
      const db_member *m = &e->members[i];
      uint32_t hash = db_hash((au_slice){m->name, m->len});
      if (hash < from || (n > 0 && hash <= last) || (least && hash >= least_hash)) continue;
      least = m;
      least_hash = hash;
    }
    next = least ? least_hash : 0;
    if (!least || n == max || n == 64) break;
    page[n++] = least;
    last = least_hash;
  }
  char cursor[24];
  buffer text = {.ptr = cursor, .cap = sizeof cursor, .max_bytes = sizeof cursor};
  buffer_append_number(&text, next);
  fake_array(x, 2);
  fake_bulk(x, buffer_slice(&text));
  fake_array(x, 2 * n);
  for (size_t i = 0; i < n; i++) {
    fake_bulk(x, (au_slice){page[i]->name, page[i]->len});
    fake_double(x, page[i]->score);
  }
}

fake_command fake_find_set_command(const exec *x) {
  static const struct {
    const char *name;
    fake_command run;
  } commands[] = {{"ZADD", zadd},     {"ZREM", zrem},       {"ZCOUNT", zcount},
                  {"ZSCORE", zscore}, {"ZMSCORE", zmscore}, {"ZSCAN", zscan}};
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (exec_is(x, 0, commands[i].name)) return commands[i].run;
  return NULL;
}
