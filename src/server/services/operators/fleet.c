/* Reads the board and writes on it. */
#include "fleet.h"

#include "utils/buffer.h"
#include "utils/join_stop.h"
#include "utils/log.h"
#include "utils/text/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  SEEN_MAX = AU_BOARD_NOTES_MAX,
  FIRST_INTERVAL_MS = 100, /* until the secret is known */
  NOTE_NAME_BYTES = 16,    /* hexadecimal digits in front of a note, which tell it from others */
};

/* An order on its way to the store. */
typedef struct note {
  struct note *next;
  fleet *owner;
  int64_t at_ms;
  bool writing;
  size_t len;
  char text[AU_BOARD_TEXT_MAX];
} note;

struct fleet {
  fleet_config config;
  uv_timer_t timer;
  bool started, stopping, reading, knows_names;
  uint32_t writes; /* in flight */
  int64_t began_ms;
  note *notes;
  unsigned note_count;
  uint64_t last_name;
  uint64_t seen[SEEN_MAX]; /* names of notes, the oldest is overwritten */
  size_t seen_at;
  char secret[AU_BOARD_SECRET_BYTES]; /* ours, while the store has none */
  join_stop stop;
};

static int64_t now_of(const fleet *f) {
  return clock_mono_ms(f->config.clock);
}

static bool has_board(const fleet *f) {
  return f->config.store->ops->board_read != NULL;
}

/* ---- writing ------------------------------------------------------------------------- */

/* A block that is being written. Its name is all that is kept of it: it may change meanwhile. */
typedef struct block_write {
  fleet *owner;
  uint64_t name;
  int64_t until_ms;
  bool lifts;
} block_write;

static void on_block_written(au_status status, void *arg) {
  block_write *w = arg;
  fleet *f = w->owner;
  address_block *b = blocks_find(f->config.blocked, w->name);
  f->writes--;
  if (status == AU_OK && b && b->until_ms == w->until_ms) {
    if (w->lifts && b->state == BLOCK_LIFTED)
      blocks_remove(f->config.blocked, (size_t)(b - blocks_at(f->config.blocked, 0)));
    else if (!w->lifts && b->state == BLOCK_NEW)
      b->state = BLOCK_SHARED;
  }
  free(w);
}

static void write_block(fleet *f, const address_block *b) {
  char text[PSEUDONYM_ADDRESS_BYTES];
  block_write *w = malloc(sizeof *w);
  if (!w) return; /* the next round tries again */
  *w = (block_write){f, b->name, b->until_ms, b->state == BLOCK_LIFTED};
  pseudonym_print(b->name, text);
  au_store *store = f->config.store;
  au_status status = store->ops->board_write(store, w->lifts ? AU_BOARD_UNBLOCK : AU_BOARD_BLOCK,
                                             (au_slice){text, sizeof text}, b->until_ms - now_of(f),
                                             on_block_written, w);
  if (status == AU_OK)
    f->writes++;
  else
    free(w);
}

static void remove_note(fleet *f, const note *n) {
  for (note **at = &f->notes; *at; at = &(*at)->next) {
    if (*at != n) continue;
    *at = n->next;
    f->note_count--;
    return;
  }
}

static void on_note_written(au_status status, void *arg) {
  note *n = arg;
  fleet *f = n->owner;
  f->writes--;
  n->writing = false;
  if (status != AU_OK && now_of(f) - n->at_ms < AU_BOARD_NOTE_MS && !f->stopping) return;
  remove_note(f, n);
  free(n);
}

static void write_note(fleet *f, note *n) {
  au_store *store = f->config.store;
  if (n->writing) return;
  au_status status = store->ops->board_write(store, AU_BOARD_NOTE, (au_slice){n->text, n->len},
                                             now_of(f) - n->at_ms, on_note_written, n);
  n->writing = status == AU_OK;
  if (n->writing) f->writes++;
}

static void read_board(fleet *f);

/* It is read again, for another daemon may have been first. */
static void on_secret_written(au_status status, void *arg) {
  fleet *f = arg;
  f->writes--;
  if (status == AU_OK) read_board(f);
}

static void write_secret(fleet *f) {
  au_store *store = f->config.store;
  if (store->ops->board_write(store, AU_BOARD_SECRET, (au_slice){f->secret, sizeof f->secret}, 0,
                              on_secret_written, f) == AU_OK)
    f->writes++;
}

static void write_all(fleet *f) {
  for (size_t i = 0; i < blocks_count(f->config.blocked); i++)
    if (blocks_at(f->config.blocked, i)->state != BLOCK_SHARED)
      write_block(f, blocks_at(f->config.blocked, i));
  for (note *n = f->notes, *next; n; n = next) {
    next = n->next;
    write_note(f, n);
  }
}

/* ---- reading ------------------------------------------------------------------------- */

/* A store that has lost its data has lost the blocks too, and no daemon has lifted them. */
static void take_blocks(fleet *f, const au_board *board) {
  blocks *all = f->config.blocked;
  int64_t now_ms = now_of(f);
  bool lost = board->secret.len == 0;
  for (size_t i = 0; i < blocks_count(all); i++) blocks_at(all, i)->seen = false;
  for (size_t i = 0; i < board->n_blocks; i++) {
    uint64_t name;
    if (!pseudonym_parse(board->blocks[i].text, &name) || board->blocks[i].ms <= 0) continue;
    address_block *own = blocks_find(all, name);
    int64_t until_ms = now_ms + board->blocks[i].ms;
    bool changes = !own || (own->state == BLOCK_SHARED &&
                            llabs((long long)(own->until_ms - until_ms)) > FLEET_INTERVAL_MS);
    if (changes && blocks_set(all, name, until_ms, BLOCK_SHARED) != AU_OK) continue;
    own = blocks_find(all, name);
    if (own) own->seen = true;
  }
  for (size_t i = blocks_count(all); i-- > 0;) {
    address_block *own = blocks_at(all, i);
    if (own->seen || own->state != BLOCK_SHARED) continue;
    if (lost)
      own->state = BLOCK_NEW;
    else
      blocks_remove(all, i);
  }
}

static bool was_seen(fleet *f, uint64_t name) {
  for (size_t i = 0; i < SEEN_MAX; i++)
    if (f->seen[i] == name) return true;
  f->seen[f->seen_at] = name;
  f->seen_at = (f->seen_at + 1) % SEEN_MAX;
  return false;
}

/* name:kind:words; false: it is none of ours. */
static bool read_note(au_slice text, uint64_t *name, undo_order *out) {
  au_slice word, kind;
  if (!slice_next(&text, ':', &word) || !pseudonym_parse(word, name)) return false;
  if (!slice_next(&text, ':', &kind) || kind.len != 1) return false;
  *out = (undo_order){.kind = UNDO_CUSTOMER, .customer_id = {"", 0}, .session_id = {"", 0}};
  switch (kind.ptr[0]) {
  case 'a': out->kind = UNDO_ADDRESS; return pseudonym_parse(text, &out->address);
  case 'c': out->customer_id = text; return id_valid(text);
  case 's':
    out->kind = UNDO_SESSION;
    if (!slice_next(&text, ':', &out->customer_id)) return false;
    out->session_id = text;
    return id_valid(out->customer_id) && id_valid(text);
  default: return false;
  }
}

/* An order from before the start has nothing to end here. */
static void take_notes(fleet *f, const au_board *board) {
  int64_t up_ms = now_of(f) - f->began_ms;
  for (size_t i = 0; i < board->n_notes; i++) {
    const au_board_entry *entry = &board->notes[i];
    uint64_t name;
    undo_order order;
    if (entry->ms > up_ms || !read_note(entry->text, &name, &order) || was_seen(f, name)) continue;
    order.age_ms = entry->ms > 0 ? entry->ms : 0;
    if (undo_begin(f->config.undo, &order, NULL, NULL) == AU_EBUSY)
      log_warn("fleet", "an order of another daemon is left out: too many wait", LOG_NONE);
  }
}

static void take_secret(fleet *f, au_slice secret) {
  if (secret.len == 0) {
    write_secret(f);
    return;
  }
  if (!f->knows_names) uv_timer_set_repeat(&f->timer, FLEET_INTERVAL_MS);
  memcpy(f->secret, secret.ptr, sizeof f->secret);
  if (!f->config.fixed_secret) pseudonyms_set_secret(f->config.names, secret);
  f->knows_names = true;
}

static void on_board(au_status status, const au_board *board, void *arg) {
  fleet *f = arg;
  f->reading = false;
  if (status != AU_OK || f->stopping) return;
  take_secret(f, board->secret);
  take_blocks(f, board);
  take_notes(f, board);
  if (f->writes == 0) write_all(f);
}

static void read_board(fleet *f) {
  au_store *store = f->config.store;
  if (!has_board(f) || f->reading || f->stopping) return;
  f->reading = store->ops->board_read(store, FLEET_NOTES_KEPT_MS, on_board, f) == AU_OK;
}

static void on_timer(uv_timer_t *timer) {
  fleet *f = timer->data;
  pseudonyms_set_time(f->config.names, clock_wall_ms(f->config.clock));
  blocks_expire(f->config.blocked, now_of(f));
  read_board(f);
  if (f->config.exchange) f->config.exchange(f->config.arg);
}

/* ---- for operators ---------------------------------------------------------------------- */

bool fleet_knows_names(const fleet *f) {
  return f->knows_names || f->config.fixed_secret || !has_board(f);
}

au_status fleet_block(fleet *f, uint64_t name, int64_t *ms) {
  int64_t most_ms = pseudonyms_last_ms(f->config.names, clock_wall_ms(f->config.clock));
  if (*ms > most_ms) *ms = most_ms;
  block_state state = has_board(f) ? BLOCK_NEW : BLOCK_SHARED;
  au_status status = blocks_set(f->config.blocked, name, now_of(f) + *ms, state);
  if (status == AU_OK && has_board(f)) write_block(f, blocks_find(f->config.blocked, name));
  return status;
}

bool fleet_unblock(fleet *f, uint64_t name) {
  blocks *all = f->config.blocked;
  address_block *b = blocks_find(all, name);
  if (!b || b->state == BLOCK_LIFTED) return false;
  if (has_board(f)) {
    if (blocks_set(all, name, b->until_ms, BLOCK_LIFTED) == AU_OK) /* as it is there */
      write_block(f, blocks_find(all, name));
  } else {
    blocks_remove(all, (size_t)(b - blocks_at(all, 0)));
  }
  return true;
}

au_status fleet_tell(fleet *f, const undo_order *order) {
  if (!has_board(f)) return AU_OK;
  if (f->note_count == FLEET_NOTES_MAX) return AU_EBUSY;
  note *n = calloc(1, sizeof *n);
  if (!n) return AU_ENOMEM;
  n->owner = f;
  n->at_ms = now_of(f);
  uint64_t name = ++f->last_name;
  (void)was_seen(f, name); /* it has begun here */
  pseudonym_print(name, n->text);
  char *at = n->text + NOTE_NAME_BYTES;
  size_t left = sizeof n->text - NOTE_NAME_BYTES;
  int len;
  char address[PSEUDONYM_ADDRESS_BYTES];
  pseudonym_print(order->address, address);
  switch (order->kind) {
  case UNDO_ADDRESS: len = snprintf(at, left, ":a:%.16s", address); break;
  case UNDO_CUSTOMER:
    len = snprintf(at, left, ":c:%.*s", (int)order->customer_id.len, order->customer_id.ptr);
    break;
  default:
    len = snprintf(at, left, ":s:%.*s:%.*s", (int)order->customer_id.len, order->customer_id.ptr,
                   (int)order->session_id.len, order->session_id.ptr);
  }
  n->len = NOTE_NAME_BYTES + (size_t)len;
  n->next = f->notes;
  f->notes = n;
  f->note_count++;
  write_note(f, n);
  return AU_OK;
}

/* ---- life ------------------------------------------------------------------------------- */

au_status fleet_create(const fleet_config *config, fleet **out) {
  fleet *f = calloc(1, sizeof *f);
  if (!f) return AU_ENOMEM;
  f->config = *config;
  f->last_name = config->random[2];
  pseudonym_print(config->random[0], f->secret);
  pseudonym_print(config->random[1], f->secret + PSEUDONYM_ADDRESS_BYTES);
  uv_timer_init(config->loop, &f->timer);
  f->timer.data = f;
  *out = f;
  return AU_OK;
}

_Static_assert((int)AU_BOARD_SECRET_BYTES == 2 * (int)PSEUDONYM_ADDRESS_BYTES, "two halves");

void fleet_start(fleet *f) {
  f->began_ms = now_of(f);
  pseudonyms_set_time(f->config.names, clock_wall_ms(f->config.clock));
  uv_timer_start(&f->timer, on_timer, 1, has_board(f) ? FIRST_INTERVAL_MS : FLEET_INTERVAL_MS);
}

void fleet_stop(fleet *f, void (*stopped)(void *arg), void *arg) {
  f->stopping = true;
  uv_timer_stop(&f->timer);
  join_stop_begin(&f->stop, stopped, arg);
  join_stop_close(&f->stop, (uv_handle_t *)&f->timer);
  join_stop_done(&f->stop);
}

void fleet_free(fleet *f) {
  if (!f) return;
  for (note *n = f->notes, *next; n; n = next) {
    next = n->next;
    free(n);
  }
  free(f);
}
