/* What operators told all daemons of this Redis: the secret, the blocks, the notes.
 *
 * What goes wrong here is counted and tried again by who asked; it makes no node degraded, for no
 * visitor waits for it. */
#include "op.h"

#include <stdlib.h>
#include <string.h>

enum { READS = 3, WRITES = 4 };

/* Longer than any block. */
static const int64_t BLOCKS_KEPT_MS = INT64_C(31) * 24 * 60 * 60 * 1000;

typedef struct reading {
  redis_op op;
  au_board_fn cb;
  void *arg;
  int64_t now_ms;
  char secret[AU_BOARD_SECRET_BYTES];
  size_t secret_len;
  au_board_entry *entries[2]; /* blocks, notes */
  size_t n[2];
  char *texts[2];
} reading;

enum { BLOCKS, NOTES };

static void reading_free(reading *r) {
  for (int i = 0; i < 2; i++) {
    free(r->entries[i]);
    free(r->texts[i]);
  }
  free(r);
}

static void end_reading(reading *r) {
  const au_board board = {
      .secret = {r->secret, r->secret_len},
      .blocks = r->entries[BLOCKS],
      .n_blocks = r->n[BLOCKS],
      .notes = r->entries[NOTES],
      .n_notes = r->n[NOTES],
  };
  redis_op_end(&r->op);
  r->cb(r->op.status, r->op.status == AU_OK ? &board : NULL, r->arg);
  reading_free(r);
}

/* As redis_op_take, without a word to the node. */
static bool take(redis_op *op, au_status status, const redisReply *reply, redis_want want) {
  op->pending--;
  if (status == AU_OK && !redis_reply_is(reply, want)) status = AU_ESTORE;
  if (op->status == AU_OK) op->status = status;
  return status == AU_OK;
}

static void on_secret(au_status status, const redisReply *reply, void *arg) {
  reading *r = arg;
  if (take(&r->op, status, reply, REDIS_WANT_TEXT)) {
    au_slice text = redis_reply_text(reply);
    r->secret_len = text.len == sizeof r->secret ? text.len : 0;
    memcpy(r->secret, text.ptr, r->secret_len);
  }
  if (r->op.pending == 0) end_reading(r);
}

/* Copies, for the replies go one by one. */
static void keep(reading *r, int which, const redisReply *pairs) {
  size_t n = pairs->elements / 2, used = 0;
  au_board_entry *entries = calloc(n + 1, sizeof *entries);
  char *texts = calloc(n + 1, AU_BOARD_TEXT_MAX);
  r->entries[which] = entries;
  r->texts[which] = texts;
  if (!entries || !texts) {
    r->op.status = AU_ENOMEM;
    return;
  }
  for (size_t i = 0; i < n; i++) {
    au_slice text = redis_reply_text(pairs->element[2 * i]);
    double at_ms;
    if (text.len == 0 || text.len > AU_BOARD_TEXT_MAX) continue;
    if (!redis_reply_number(pairs->element[2 * i + 1], &at_ms) || at_ms > 1e15) continue;
    int64_t ahead_ms = (int64_t)at_ms - r->now_ms;
    memcpy(texts + used, text.ptr, text.len);
    entries[r->n[which]++] = (au_board_entry){
        .text = {texts + used, text.len},
        .ms = which == BLOCKS ? ahead_ms : -ahead_ms,
    };
    used += text.len;
  }
}

static void on_blocks(au_status status, const redisReply *reply, void *arg) {
  reading *r = arg;
  if (take(&r->op, status, reply, REDIS_WANT_ARRAY)) keep(r, BLOCKS, reply);
  if (r->op.pending == 0) end_reading(r);
}

static void on_notes(au_status status, const redisReply *reply, void *arg) {
  reading *r = arg;
  if (take(&r->op, status, reply, REDIS_WANT_ARRAY)) keep(r, NOTES, reply);
  if (r->op.pending == 0) end_reading(r);
}

static void read_from(reading *r, au_slice key, int64_t from_ms, int64_t most, redis_reply_fn cb) {
  redis_number from, limit;
  const au_slice args[] = {slice_of("ZRANGEBYSCORE"),
                           key,
                           redis_number_text(&from, from_ms),
                           slice_of("+inf"),
                           slice_of("WITHSCORES"),
                           slice_of("LIMIT"),
                           slice_of("0"),
                           redis_number_text(&limit, most)};
  redis_op_send(&r->op, args, 8, cb, r);
}

static uint16_t board_slot(const redis_store *s) {
  return redis_store_list_slot(s, 0); /* one tag, one slot */
}

au_status redis_board_read(shared_store *store, int64_t since_ms, au_board_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  redis_op op;
  au_status status = redis_op_init(&op, s, STATS_STORE_BOARD, board_slot(s), READS);
  if (status != AU_OK) return status;
  reading *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  *r = (reading){.op = op, .cb = cb, .arg = arg, .now_ms = redis_node_now_ms(op.node)};
  redis_key key;
  redis_op_read(&r->op, redis_key_secret(&s->keys, &key), AU_BOARD_SECRET_BYTES, on_secret, r);
  read_from(r, redis_key_blocks(&s->keys, &key), r->now_ms + 1, AU_BOARD_BLOCKS_MAX, on_blocks);
  read_from(r, redis_key_notes(&s->keys, &key), r->now_ms - since_ms, AU_BOARD_NOTES_MAX, on_notes);
  status = redis_op_begun(&r->op);
  if (status != AU_OK) reading_free(r);
  return status;
}

/* ---- writing ------------------------------------------------------------------- */

typedef struct writing {
  redis_op op;
  redis_want want;
  au_done_fn cb;
  void *arg;
} writing;

static void on_written(au_status status, const redisReply *reply, void *arg) {
  writing *w = arg;
  take(&w->op, status, reply, w->want);
  if (w->op.pending > 0) return;
  redis_op_end(&w->op);
  w->cb(w->op.status, w->arg);
  free(w);
}

static void send_one(writing *w, const au_slice *args, size_t n) {
  redis_op_send(&w->op, args, n, on_written, w);
}

/* Adds a member, and takes those off that are over or too many: the oldest first. The key goes by
 * itself when nobody adds another one. */
static void add(writing *w, au_slice key, int64_t at_ms, au_slice text, int64_t over_ms,
                int64_t kept_ms) {
  redis_number at, over, kept;
  const au_slice add[] = {slice_of("ZADD"), key, redis_number_text(&at, at_ms), text};
  const au_slice end[] = {slice_of("ZREMRANGEBYSCORE"), key, slice_of("-inf"),
                          redis_number_text(&over, over_ms)};
  const au_slice trim[] = {slice_of("ZREMRANGEBYRANK"), key, slice_of("0"), slice_of("-1001")};
  const au_slice keep[] = {slice_of("PEXPIRE"), key, redis_number_text(&kept, kept_ms)};
  w->want = REDIS_WANT_INTEGER;
  send_one(w, add, 4);
  send_one(w, end, 4);
  send_one(w, trim, 4);
  send_one(w, keep, 3);
}

_Static_assert(AU_BOARD_BLOCKS_MAX == 1000 && AU_BOARD_NOTES_MAX == 1000, "as -1001 above");

au_status redis_board_write(shared_store *store, au_board_change what, au_slice text, int64_t ms,
                            au_done_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  redis_op op;
  if (text.len > AU_BOARD_TEXT_MAX) return AU_EINVAL;
  au_status status = redis_op_init(&op, s, STATS_STORE_BOARD, board_slot(s), WRITES);
  if (status != AU_OK) return status;
  writing *w = calloc(1, sizeof *w);
  if (!w) return AU_ENOMEM;
  *w = (writing){.op = op, .cb = cb, .arg = arg};
  int64_t now_ms = redis_node_now_ms(op.node);
  redis_key room;
  au_slice blocks = redis_key_blocks(&s->keys, &room);
  switch (what) {
  case AU_BOARD_BLOCK: add(w, blocks, now_ms + ms, text, now_ms, BLOCKS_KEPT_MS); break;
  case AU_BOARD_UNBLOCK:
    w->want = REDIS_WANT_INTEGER;
    send_one(w, (const au_slice[]){slice_of("ZREM"), blocks, text}, 3);
    break;
  case AU_BOARD_NOTE:
    add(w, redis_key_notes(&s->keys, &room), now_ms - ms, text, now_ms - AU_BOARD_NOTE_MS,
        AU_BOARD_NOTE_MS);
    break;
  case AU_BOARD_SECRET:
    w->want = REDIS_WANT_OK_OR_NIL;
    send_one(w,
             (const au_slice[]){slice_of("SET"), redis_key_secret(&s->keys, &room), text,
                                slice_of("NX")},
             4);
    break;
  }
  status = redis_op_begun(&w->op);
  if (status != AU_OK) free(w);
  return status;
}
