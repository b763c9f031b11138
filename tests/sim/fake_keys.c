/* Commands on keys and strings. */
#include <string.h>

#include "fake.h"
#include "fleet.h"
#include "model.h"

static void get(exec *x) {
  au_slice value;
  if (op_get(x, exec_arg(x, 1), &value))
    fake_bulk(x, value);
  else
    fake_nil(x);
}

/* The first bytes, "" of what is not there. */
static void getrange(exec *x) {
  if (!op_may(x, "GETRANGE", exec_arg(x, 1), false, false)) return;
  au_slice value = {"", 0};
  size_t max = (size_t)slice_integer(exec_arg(x, 3)) + 1;
  bool is_there = op_get(x, exec_arg(x, 1), &value);
  if (x->error) return;
  if (is_there && value.len > max) value.len = max;
  fake_bulk(x, is_there ? value : (au_slice){"", 0});
}

/* Nil for what is no string. */
static void mget(exec *x) {
  fake_array(x, (size_t)x->argc - 1);
  for (int i = 1; i < x->argc; i++) {
    if (!op_may(x, "MGET", x->argv[i], false, false)) return;
    const db_entry *e = db_find(&x->f->data, x->argv[i], fake_now_ms(x->f));
    if (e && e->type == DB_STRING)
      fake_bulk(x, (au_slice){e->value, e->value_len});
    else
      fake_nil(x);
  }
}

static void set(exec *x) {
  int64_t ttl_ms = 0;
  bool nx = false;
  for (int i = 3; i < x->argc; i++) {
    if (exec_is(x, i, "EX")) ttl_ms = slice_integer(exec_arg(x, ++i)) * 1000;
    if (exec_is(x, i, "PX")) ttl_ms = slice_integer(exec_arg(x, ++i));
    if (exec_is(x, i, "NX")) nx = true;
  }
  bool taken = nx && db_find(&x->f->data, exec_arg(x, 1), fake_now_ms(x->f)) != NULL;
  if (!op_may(x, "SET", exec_arg(x, 1), true, true)) return;
  if (taken) {
    fake_nil(x);
    return;
  }
  (void)op_set(x, exec_arg(x, 1), exec_arg(x, 2), ttl_ms);
  fake_status(x, "OK");
}

static void expire(exec *x) {
  fake_integer(x, op_expire(x, "EXPIRE", exec_arg(x, 1), slice_integer(exec_arg(x, 2)) * 1000));
}

static void pttl(exec *x) {
  fake_integer(x, op_pttl(x, exec_arg(x, 1)));
}

static void exists(exec *x) {
  int64_t there = 0;
  for (int i = 1; i < x->argc; i++) there += op_exists(x, exec_arg(x, i));
  fake_integer(x, there);
}

/* Pages go by the hash of the key, so that what is there all the time is met whatever comes and
 * goes meanwhile. The pattern is always a prefix with a star behind. */
static void scan(exec *x) {
  uint64_t from = (uint64_t)slice_integer(exec_arg(x, 1)), next = 0;
  size_t max = fleet_page_size(), n = 0;
  const db_entry *page[64];
  au_slice prefix = exec_arg(x, 3);
  if (!op_may(x, "SCAN", (au_slice){"", 0}, false, false)) return;
  for (;;) {
    const db_entry *least = NULL;
    for (size_t i = 0; i < x->f->data.count; i++) {
      const db_entry *e = x->f->data.entries[i];
      bool earlier = n > 0 && e->hash <= page[n - 1]->hash;
      if (e->hash < from || earlier || (least && e->hash >= least->hash)) continue;
      least = e;
    }
    next = least ? least->hash : 0;
    if (!least || n == max || n == 64) break;
    page[n++] = least;
  }
  char cursor[24];
  buffer text = {.ptr = cursor, .cap = sizeof cursor, .max_bytes = sizeof cursor};
  buffer_append_number(&text, next);
  fake_array(x, 2);
  fake_bulk(x, buffer_slice(&text));
  size_t matching = 0;
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 1) fake_array(x, matching);
    for (size_t i = 0; i < n; i++) {
      bool matches = page[i]->type == DB_STRING && page[i]->key_len >= prefix.len &&
                     memcmp(page[i]->key, prefix.ptr, prefix.len - 1) == 0;
      if (matches && pass == 0) matching++;
      if (matches && pass == 1) fake_bulk(x, db_key(page[i]));
    }
  }
}

fake_command fake_find_key_command(const exec *x) {
  static const struct {
    const char *name;
    fake_command run;
  } commands[] = {{"GET", get},           {"MGET", mget},     {"SET", set},   {"EXPIRE", expire},
                  {"GETRANGE", getrange}, {"EXISTS", exists}, {"PTTL", pttl}, {"SCAN", scan}};
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (exec_is(x, 0, commands[i].name)) return commands[i].run;
  return NULL;
}
