/* What daemons share of the pages of customers: for each customer two hashes with a field for each
 * daemon, and one channel for all. As for the board, what goes wrong makes no node degraded: counts
 * are shared again soon, and readers go by what there is.
 *
 * A field begins with the time of Redis's clock at which it was written: that of a daemon which has
 * ended, while others keep the hash alive, is too old and counts no more. */
#include "adapters/redis/protocol/scripts.h"
#include "op.h"

#include <stdlib.h>
#include <string.h>

enum {
  PAGES_TTL_MS = 25000, /* two refreshes of the fallback store, and some time */
  TIME_DIGITS_MAX = 15,
  DAEMONS_MAX = 256, /* of one answer; others are left out */
};

/* ---- sharing -------------------------------------------------------------------------- */

void redis_share_pages(shared_store *store, au_slice customer_id, au_slice totals, au_slice rows) {
  redis_store *s = redis_store_of(store);
  redis_node *n;
  if (redis_router_admits(s->router, redis_store_slot(s, customer_id), 1, &n) != AU_OK) return;
  redis_key visible, pages;
  redis_number ttl, now;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_SHARE_PAGES),
                           slice_of("2"),
                           redis_key_visible(&s->keys, &visible, customer_id),
                           redis_key_pages(&s->keys, &pages, customer_id),
                           slice_of(s->name),
                           redis_number_text(&ttl, PAGES_TTL_MS),
                           redis_number_text(&now, redis_node_now_ms(n)),
                           totals,
                           rows};
  redis_store_send(s, n, args, sizeof args / sizeof args[0]);
}

/* ---- reading ---------------------------------------------------------------------------- */

typedef struct pages_read {
  redis_op op;
  shared_pages_fn cb;
  void *arg;
  shared_pages found;
  au_slice totals[DAEMONS_MAX], rows[DAEMONS_MAX];
  char *kept; /* the bytes of `totals`, for the time until the pages are answered */
} pages_read;

/* Whether a field is one that another daemon wrote a while ago at most; *text is what it says. */
static bool is_fresh(const redis_store *s, int64_t now_ms, au_slice daemon, au_slice *text) {
  au_slice time;
  uint64_t at_ms;
  if (slice_eq(daemon, slice_of(s->name)) || !slice_next(text, '\n', &time) ||
      !slice_digits(time, TIME_DIGITS_MAX, &at_ms))
    return false;
  return (int64_t)at_ms > now_ms - PAGES_TTL_MS;
}

/* A hash of another program's making counts as none. */
static size_t take(pages_read *r, au_status status, const redisReply *reply,
                   au_slice out[DAEMONS_MAX]) {
  size_t n = 0;
  if (status == AU_OK && redis_reply_is_error_code(reply, "WRONGTYPE")) {
    r->op.pending--;
    return 0;
  }
  if (!redis_op_take(&r->op, status, reply, REDIS_WANT_ARRAY)) return 0;
  int64_t now_ms = redis_node_now_ms(r->op.node);
  for (size_t i = 0; i + 1 < reply->elements && n < DAEMONS_MAX; i += 2) {
    au_slice text = redis_reply_text(reply->element[i + 1]);
    if (is_fresh(r->op.store, now_ms, redis_reply_text(reply->element[i]), &text)) out[n++] = text;
  }
  return n;
}

static void end_read(pages_read *r) {
  redis_op_end(&r->op);
  r->cb(r->op.status, &r->found, r->arg);
  free(r->kept);
  free(r);
}

/* Copies the totals out of their reply, which is gone when that of the pages comes. */
static void keep_totals(pages_read *r) {
  size_t bytes = 0;
  for (size_t i = 0; i < r->found.totals_n; i++) bytes += r->totals[i].len;
  r->kept = malloc(bytes + 1);
  if (!r->kept) {
    r->op.status = AU_ENOMEM;
    return;
  }
  char *at = r->kept;
  for (size_t i = 0; i < r->found.totals_n; i++) {
    au_slice *text = &r->totals[i];
    if (text->len > 0) memcpy(at, text->ptr, text->len);
    *text = (au_slice){at, text->len};
    at += text->len;
  }
}

static void on_totals(au_status status, const redisReply *reply, void *arg) {
  pages_read *r = arg;
  r->found.totals_n = take(r, status, reply, r->totals);
  if (r->op.pending == 0)
    end_read(r);
  else
    keep_totals(r);
}

/* The last answer: what it points at is valid until the callback has run. */
static void on_rows(au_status status, const redisReply *reply, void *arg) {
  pages_read *r = arg;
  r->found.rows_n = take(r, status, reply, r->rows);
  if (r->op.pending == 0) end_read(r);
}

au_status redis_read_pages(shared_store *store, au_slice customer_id, bool with_rows,
                           shared_pages_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  redis_op op;
  redis_key key;
  au_status status = redis_op_init(&op, s, STATS_STORE_BREAKDOWN, redis_store_slot(s, customer_id),
                                   with_rows ? 2 : 1);
  if (status != AU_OK) return status;
  pages_read *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->op = op;
  r->cb = cb;
  r->arg = arg;
  r->found.totals = r->totals;
  r->found.rows = r->rows;
  const au_slice totals[] = {slice_of("HGETALL"), redis_key_visible(&s->keys, &key, customer_id)};
  redis_op_send(&r->op, totals, 2, on_totals, r);
  const au_slice rows[] = {slice_of("HGETALL"), redis_key_pages(&s->keys, &key, customer_id)};
  if (with_rows) redis_op_send(&r->op, rows, 2, on_rows, r);
  status = redis_op_begun(&r->op);
  if (status != AU_OK) free(r);
  return status;
}

/* ---- the channel of the daemons ------------------------------------------------------------ */

au_status redis_hear(shared_store *store) {
  return redis_pubsub_hear(redis_store_of(store)->pubsub);
}

au_status redis_tell(shared_store *store, au_slice text) {
  redis_store *s = redis_store_of(store);
  redis_node *n;
  char message[SHARED_TEXT_MAX + sizeof s->name];
  au_status status = redis_router_admits(s->router, redis_store_list_slot(s, 0), 1, &n);
  if (status != AU_OK) return status;
  size_t name_len = strlen(s->name);
  memcpy(message, s->name, name_len);
  message[name_len] = '\n';
  memcpy(message + name_len + 1, text.ptr, text.len);
  const au_slice args[] = {
      slice_of("PUBLISH"), slice_of(REDIS_CHANNEL_DAEMONS), {message, name_len + 1 + text.len}};
  return redis_router_send(s->router, n, args, 3, redis_ignore, NULL);
}

void redis_take_told(redis_store *s, au_slice message) {
  au_slice daemon;
  if (slice_next(&message, '\n', &daemon) && !slice_eq(daemon, slice_of(s->name)))
    s->events.told(s->events.arg, message);
}
