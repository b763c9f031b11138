/* What operators list, page by page, and the end of a session that they ask for. */
#include "adapters/redis/protocol/index_score.h"
#include "adapters/redis/protocol/scripts.h"
#include "op.h"
#include "wire/wire.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  LIST_COUNT = 100,    /* asked for in a page; a small list comes whole */
  LIST_ROWS_MAX = 512, /* of a page, which is what a small list may have by the settings of Redis */
};

/* One session of a page. */
typedef struct row {
  struct listing *owner;
  wire_beat who;
  int64_t left_ms;
  uint8_t id_len;
  char id[AU_ID_MAX];
  bool is_there; /* its key was */
} row;

typedef struct listing {
  redis_op op;
  au_page_fn cb;
  void *arg;
  row *rows;
  size_t n;
  uint64_t next;
  uint8_t customer_len;
  char customer[AU_ID_MAX];
} listing;

static au_slice customer_of(const listing *l) {
  return (au_slice){l->customer, l->customer_len};
}

static void listing_end(listing *l, const au_page *page) {
  redis_op_end(&l->op);
  l->cb(l->op.status, l->op.status == AU_OK ? page : NULL, l->arg);
  free(l->rows);
  free(l);
}

/* A session without its key is half gone: it is not listed. */
static void end_with_sessions(listing *l) {
  au_live *sessions = calloc(l->n + 1, sizeof *sessions);
  size_t n = 0;
  int64_t ttl_ms = redis_store_ttl_ms(l->op.store);
  if (!sessions && l->op.status == AU_OK) l->op.status = AU_ENOMEM;
  for (size_t i = 0; sessions && l->rows && i < l->n; i++) {
    row *r = &l->rows[i];
    if (!r->is_there) continue;
    au_live *live = &sessions[n++];
    live->beat = r->who.beat;
    live->beat.customer_id = customer_of(l);
    live->beat.session_id = (au_slice){r->id, r->id_len};
    live->left_ms = r->left_ms;
    live->renewed_ago_ms = r->left_ms <= ttl_ms ? ttl_ms - r->left_ms : -1;
  }
  listing_end(l, &(au_page){.sessions = sessions, .n = n, .next = l->next});
  free(sessions);
}

static void on_presence(au_status status, const redisReply *reply, void *arg) {
  row *r = arg;
  listing *l = r->owner;
  au_slice text;
  if (redis_op_take_text(&l->op, status, reply, &text))
    r->is_there =
        text.len > 0 && wire_parse_presence(text, redis_node_now_ms(l->op.node), &r->who) == AU_OK;
  if (l->op.pending == 0) end_with_sessions(l);
}

static void ask_row(listing *l, row *r) {
  redis_key key;
  au_slice id = {r->id, r->id_len};
  r->owner = l;
  redis_op_read(&l->op, redis_key_presence(&l->op.store->keys, &key, customer_of(l), id),
                REDIS_VALUE_MAX_BYTES, on_presence, r);
}

static int64_t left_of(double deadline_ms, int64_t now_ms) {
  double left_ms = deadline_ms - (double)now_ms;
  return left_ms > 1e12 ? (int64_t)1e12 : (int64_t)left_ms;
}

static void take_row(listing *l, au_slice id, double deadline_ms, int64_t now_ms) {
  if (!wire_valid_id(id) || !(deadline_ms >= (double)now_ms + 1) || l->n == LIST_ROWS_MAX) return;
  row *r = &l->rows[l->n++];
  memcpy(r->id, id.ptr, id.len);
  r->id_len = (uint8_t)id.len;
  r->left_ms = left_of(deadline_ms, now_ms);
}

/* Sends for the keys of all rows. */
static void ask_rows(listing *l) {
  if (l->op.status == AU_OK && l->n > 0)
    l->op.status = redis_node_admits(l->op.node, (uint32_t)l->n);
  for (size_t i = 0; l->rows && i < l->n; i++) ask_row(l, &l->rows[i]);
  if (l->op.pending == 0) end_with_sessions(l);
}

/* The pairs of a page, and its cursor; NULL when it is none. */
static const redisReply *take_page(listing *l, au_status status, const redisReply *reply) {
  char cursor[REDIS_CURSOR_SIZE];
  const redisReply *pairs;
  if (!redis_op_take(&l->op, status, reply, REDIS_WANT_ARRAY)) return NULL;
  if (!redis_reply_scan(reply, cursor, &pairs)) {
    l->op.status = AU_ESTORE;
    return NULL;
  }
  l->next = strtoull(cursor, NULL, 10);
  return pairs;
}

static void on_members(au_status status, const redisReply *reply, void *arg) {
  listing *l = arg;
  const redisReply *pairs = take_page(l, status, reply);
  size_t n = pairs ? pairs->elements / 2 : 0;
  int64_t now_ms = redis_node_now_ms(l->op.node);
  l->rows = calloc((n < LIST_ROWS_MAX ? n : LIST_ROWS_MAX) + 1, sizeof *l->rows);
  if (!l->rows && l->op.status == AU_OK) l->op.status = AU_ENOMEM;
  for (size_t i = 0; l->rows && i < n; i++) {
    double score;
    if (redis_reply_score(pairs->element[2 * i + 1], &score))
      take_row(l, redis_reply_text(pairs->element[2 * i]), redis_score_deadline(score), now_ms);
  }
  ask_rows(l);
}

static void on_customers(au_status status, const redisReply *reply, void *arg) {
  listing *l = arg;
  const redisReply *pairs = take_page(l, status, reply);
  size_t n = 0, most = pairs ? pairs->elements / 2 : 0;
  au_slice *ids = calloc(most + 1, sizeof *ids);
  if (!ids && l->op.status == AU_OK) l->op.status = AU_ENOMEM;
  for (size_t i = 0; ids && i < most; i++) {
    ids[n] = redis_reply_text(pairs->element[2 * i]);
    if (wire_valid_id(ids[n])) n++;
  }
  listing_end(l, &(au_page){.customers = ids, .n = n, .next = l->next});
  free(ids);
}

static void send_scan(listing *l, au_slice key, uint64_t cursor, redis_reply_fn cb) {
  char from[REDIS_CURSOR_SIZE];
  redis_number count;
  snprintf(from, sizeof from, "%" PRIu64, cursor);
  const au_slice args[] = {slice_of("ZSCAN"), key, slice_of(from), slice_of("COUNT"),
                           redis_number_text(&count, LIST_COUNT)};
  redis_op_send(&l->op, args, 5, cb, l);
}

/* Of one session: its deadline is that of the index, as for all. */
static void on_deadline(au_status status, const redisReply *reply, void *arg) {
  listing *l = arg;
  double score, deadline_ms = 0;
  int64_t now_ms = redis_node_now_ms(l->op.node);
  if (redis_op_take(&l->op, status, reply, REDIS_WANT_TEXT) && redis_reply_score(reply, &score))
    deadline_ms = redis_score_deadline(score);
  bool lives = deadline_ms >= (double)now_ms + 1;
  l->n = lives ? 1 : 0;
  if (lives) l->rows->left_ms = left_of(deadline_ms, now_ms);
  ask_rows(l);
}

static void send_deadline(listing *l, au_slice session_id) {
  redis_key index;
  l->rows = calloc(1, sizeof *l->rows);
  if (!l->rows) {
    l->op.status = AU_ENOMEM;
    return;
  }
  memcpy(l->rows->id, session_id.ptr, session_id.len);
  l->rows->id_len = (uint8_t)session_id.len;
  const au_slice args[] = {slice_of("ZSCORE"),
                           redis_key_index(&l->op.store->keys, &index, customer_of(l)), session_id};
  redis_op_send(&l->op, args, 3, on_deadline, l);
}

au_status redis_list(shared_store *store, const au_listing *what, au_page_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  bool customers = what->kind == AU_LIST_CUSTOMERS;
  uint16_t slot = customers ? redis_store_list_slot(s, what->partition)
                            : redis_store_slot(s, what->customer_id);
  redis_op op;
  redis_key key;
  au_status status = redis_op_init(&op, s, STATS_STORE_LIST, slot, 1);
  if (status != AU_OK) return status;
  listing *l = calloc(1, sizeof *l);
  if (!l) return AU_ENOMEM;
  *l = (listing){.op = op, .cb = cb, .arg = arg};
  if (!customers) {
    memcpy(l->customer, what->customer_id.ptr, what->customer_id.len);
    l->customer_len = (uint8_t)what->customer_id.len;
  }
  if (customers)
    send_scan(l, redis_key_customers(&s->keys, &key, what->partition), what->cursor, on_customers);
  else if (what->kind == AU_LIST_SESSION)
    send_deadline(l, what->session_id);
  else
    send_scan(l, redis_key_index(&s->keys, &key, what->customer_id), what->cursor, on_members);
  status = redis_op_begun(&l->op);
  if (status != AU_OK) {
    free(l->rows);
    free(l);
  }
  return status;
}

/* ---- expel ------------------------------------------------------------------- */

typedef struct expulsion {
  redis_op op;
  au_ended_fn cb;
  void *arg;
} expulsion;

static void on_expelled(au_status status, const redisReply *reply, void *arg) {
  expulsion *e = arg;
  bool ended = redis_op_take(&e->op, status, reply, REDIS_WANT_INTEGER) && reply->integer == 1;
  redis_op_end(&e->op);
  e->cb(e->op.status, ended, e->arg);
  free(e);
}

au_status redis_expel(shared_store *store, au_slice customer_id, au_slice session_id,
                      au_ended_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  redis_op op;
  au_status status = redis_op_init(&op, s, STATS_STORE_EXPEL, redis_store_slot(s, customer_id), 1);
  if (status != AU_OK) return status;
  expulsion *e = calloc(1, sizeof *e);
  if (!e) return AU_ENOMEM;
  *e = (expulsion){op, cb, arg};
  redis_key presence, index, left;
  redis_number now, ttl;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_EXPEL),
                           slice_of("3"),
                           redis_key_presence(&s->keys, &presence, customer_id, session_id),
                           redis_key_index(&s->keys, &index, customer_id),
                           redis_key_left(&s->keys, &left, customer_id),
                           session_id,
                           redis_number_text(&now, redis_node_now_ms(e->op.node)),
                           redis_number_text(&ttl, redis_store_ttl_ms(s))};
  redis_op_send(&e->op, args, 9, on_expelled, e);
  status = redis_op_begun(&e->op);
  if (status != AU_OK) free(e);
  return status;
}
