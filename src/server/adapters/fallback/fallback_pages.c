/* What sessions look at, of all daemons together. Each daemon counts the pages of the sessions that
 * it touched last, in its own table, and shares the counts of a customer at most once a second
 * where they changed. A session that begins to be counted here is named to the others, and who has
 * touched it before counts it no more: so each session has one page, told by its last sign of
 * life. */
#include "fallback_private.h"
#include "page_rows.h"
#include "utils/buffer.h"
#include "utils/deadline.h"
#include "utils/id_map.h"
#include "utils/log.h"
#include "wire/wire.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
  SHARE_SLICE_MS = 250, /* between two slices */
  SHARE_SLICE = 250,    /* customers of a slice, with at most so many rows: some 2 ms */
  SHARE_SLICE_ROWS = 3000,
  SHARE_GAP_MS = 1000,          /* between two shares of a customer */
  SHARE_REFRESH_MS = 10000,     /* one that has not changed: what is older is given up */
  SHARE_CUSTOMERS_MAX = 20000,  /* above it what is new is not shared */
  MOVES_MAX_BYTES = 256 * 1024, /* that wait to be told; what does not fit is not told */
  MOVES_TOLD_MAX = 16,          /* messages of a slice */
  MOVE_TIME_DIGITS = 15,
};

/* A customer with pages here, or whose last page is gone and not told. */
typedef struct shared_customer {
  map_node node; /* first: an entry of an id_map */
  deadline due;  /* in `changed`, or in `same` */
  int64_t shared_ms;
  bool is_changed;
} shared_customer;

struct fallback_pages {
  fallback *f;
  id_map customers;
  deadline_queue changed, same;
  buffer moves; /* "customer session time" of the shared store's clock, a line each */
  buffer totals, rows;
  au_page_count *own; /* AU_PAGE_NAMES_MAX */
  bool drops_moves;
};

static shared_customer *customer_of(deadline *due) {
  return (shared_customer *)(void *)((char *)due - offsetof(shared_customer, due));
}

/* ---- what the table reports ----------------------------------------------------------- */

static void note_changed(fallback_pages *p, au_slice customer_id) {
  shared_customer *c = id_map_find(&p->customers, customer_id);
  if (!c && id_map_count(&p->customers) < SHARE_CUSTOMERS_MAX)
    c = id_map_add(&p->customers, customer_id);
  if (!c || c->is_changed) return;
  if (p->f->shared->ops->hear(p->f->shared) != AU_OK)
    log_debug("fallback", "what moves to other daemons is not heard yet", LOG_NONE);
  c->is_changed = true;
  deadline_cancel(&c->due);
  deadline_arm(&p->changed, &c->due, fallback_now_ms(p->f));
}

void fallback_pages_changed(void *arg, au_slice customer_id) {
  fallback *f = arg;
  note_changed(f->pages, customer_id);
}

static int64_t shared_clock_ms(const fallback *f, au_slice customer_id) {
  return f->shared->ops->clock_ms(f->shared, fallback_slot(f, customer_id));
}

static void note_move(fallback_pages *p, au_slice customer_id, au_slice session_id, int64_t at_ms) {
  if (p->moves.len + customer_id.len + session_id.len + MOVE_TIME_DIGITS + 3 > MOVES_MAX_BYTES) {
    if (!p->drops_moves)
      log_warn("fallback", "sessions move between daemons too fast: pages may count them twice",
               LOG_NONE);
    p->drops_moves = true;
    return;
  }
  size_t before = p->moves.len;
  buffer_append_slice(&p->moves, customer_id);
  buffer_append_text(&p->moves, " ");
  buffer_append_slice(&p->moves, session_id);
  buffer_append_format(&p->moves, " %" PRId64 "\n", at_ms);
  if (!p->moves.failed) return;
  p->moves.failed = false; /* without memory nobody is told */
  p->moves.len = before;
}

void fallback_page_seen(void *arg, au_slice customer_id, au_slice session_id) {
  fallback *f = arg;
  note_move(f->pages, customer_id, session_id, shared_clock_ms(f, customer_id));
}

void fallback_page_left(fallback *f, au_slice customer_id, au_slice session_id) {
  presence_live own;
  if (!id_map_find(&f->pages->customers, customer_id)) return;
  bool is_here = presence_table_find(f->table, customer_id, session_id, fallback_now_ms(f), &own);
  if (is_here && (own.beat.page.len > 0 || own.beat.visibility != AU_VISIBILITY_UNKNOWN)) return;
  note_move(f->pages, customer_id, session_id, shared_clock_ms(f, customer_id));
}

/* ---- what daemons tell each other -------------------------------------------------------- */

static void take_move(fallback_pages *p, au_slice line) {
  fallback *f = p->f;
  au_slice customer_id, session_id;
  uint64_t at_ms;
  if (!slice_next(&line, ' ', &customer_id) || !slice_next(&line, ' ', &session_id) ||
      !slice_digits(line, MOVE_TIME_DIGITS, &at_ms))
    return;
  int64_t ahead_ms = shared_clock_ms(f, customer_id) - fallback_now_ms(f), renewed_ms;
  if (presence_table_moved(f->table, customer_id, session_id, (int64_t)at_ms - ahead_ms,
                           &renewed_ms) == PRESENCE_MOVED_BACK)
    note_move(p, customer_id, session_id, renewed_ms + ahead_ms);
}

void fallback_pages_told(void *arg, au_slice text) {
  fallback *f = arg;
  au_slice line;
  while (slice_next(&text, '\n', &line)) take_move(f->pages, line);
}

/* As many whole lines as a message holds. */
static size_t message_bytes(const buffer *moves) {
  size_t len = moves->len < SHARED_TEXT_MAX ? moves->len : SHARED_TEXT_MAX;
  while (len > 0 && moves->ptr[len - 1] != '\n') len--;
  return len;
}

static void tell_moves(fallback_pages *p) {
  shared_store *shared = p->f->shared;
  for (int i = 0; i < MOVES_TOLD_MAX && p->moves.len > 0; i++) {
    size_t len = message_bytes(&p->moves);
    if (shared->ops->tell(shared, (au_slice){p->moves.ptr, len}) != AU_OK) return;
    buffer_consume(&p->moves, len);
    p->drops_moves = false;
  }
}

/* ---- sharing counts ------------------------------------------------------------------------ */

/* Returns how many rows it took, 0 when the customer's server cannot be told now. */
static size_t share(fallback_pages *p, shared_customer *c, int64_t now_ms) {
  fallback *f = p->f;
  au_slice id = id_map_id(c);
  au_breakdown own;
  if (fallback_route(f, fallback_slot(f, id)) != AU_OK) return 0;
  presence_table_breakdown(f->table, id, now_ms, p->own, &own);
  bool has_some = own.n > 0 || own.other > 0 || own.visible > 0 || own.hidden > 0;
  buffer_clear(&p->totals);
  buffer_clear(&p->rows);
  if (has_some) {
    page_rows_print_totals(&p->totals, &own);
    page_rows_print(&p->rows, &own, p->own);
  }
  if (!p->totals.failed && !p->rows.failed)
    f->shared->ops->share_pages(f->shared, id, buffer_slice(&p->totals), buffer_slice(&p->rows));
  deadline_cancel(&c->due);
  if (has_some) {
    c->is_changed = false;
    c->shared_ms = now_ms;
    deadline_arm(&p->same, &c->due, now_ms);
  } else {
    id_map_drop(&p->customers, c);
  }
  return own.n + 1;
}

/* The one whose turn it is; NULL: none. */
static shared_customer *next_due(const fallback_pages *p, int64_t now_ms) {
  deadline *d = deadline_first(&p->changed);
  if (d && (customer_of(d)->shared_ms == 0 || now_ms - customer_of(d)->shared_ms >= SHARE_GAP_MS))
    return customer_of(d);
  d = deadline_first(&p->same);
  return d && d->at_ms <= now_ms ? customer_of(d) : NULL;
}

static void on_slice(uv_timer_t *timer) {
  fallback *f = timer->data;
  fallback_pages *p = f->pages;
  int64_t now_ms = fallback_now_ms(f);
  size_t rows = 0;
  tell_moves(p);
  for (int i = 0; i < SHARE_SLICE && rows < SHARE_SLICE_ROWS; i++) {
    shared_customer *c = next_due(p, now_ms);
    if (!c) break;
    /* Whose server is away waits behind the others. */
    size_t taken = share(p, c, now_ms);
    if (taken == 0) deadline_arm(c->is_changed ? &p->changed : &p->same, &c->due, now_ms);
    rows += taken > 0 ? taken : 1;
  }
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct page_read {
  fallback *f;
  au_breakdown_fn cb;
  void *arg;
  bool with_pages;
  uint8_t id_len;
  char id[AU_ID_MAX];
} page_read;

static void on_read(au_status status, const shared_pages *others, void *arg) {
  page_read *r = arg;
  fallback *f = r->f;
  fallback_pages *p = f->pages;
  page_sum sum = {.rows = NULL};
  au_breakdown own;
  const shared_pages none = {0}; /* a literal in the block below would end with it */
  if (shared_store_failed(status)) {
    others = &none;
    sum.total.stale = true;
    status = AU_OK;
  }
  if (status == AU_OK && r->with_pages) {
    sum.rows = malloc(PAGE_ROWS_SUM_MAX * sizeof *sum.rows);
    if (!sum.rows) status = AU_ENOMEM;
  }
  if (status == AU_OK) {
    presence_table_breakdown(f->table, (au_slice){r->id, r->id_len}, fallback_now_ms(f),
                             r->with_pages ? p->own : NULL, &own);
    page_sum_add(&sum, &own);
    for (size_t i = 0; i < others->totals_n; i++) page_sum_add_totals(&sum, others->totals[i]);
    for (size_t i = 0; sum.rows && i < others->rows_n; i++)
      page_sum_add_rows(&sum, others->rows[i]);
    page_sum_end(&sum);
  }
  f->in_flight--;
  r->cb(status, status == AU_OK ? &sum.total : NULL, r->arg);
  free(sum.rows);
  free(r);
}

au_status fallback_breakdown(au_store *store, au_slice customer_id, bool with_pages,
                             au_breakdown_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  if (fallback_route(f, fallback_slot(f, customer_id)) != AU_OK)
    return f->local->ops->breakdown(f->local, customer_id, with_pages, cb, arg);
  page_read *r = malloc(sizeof *r);
  if (!r) return AU_ENOMEM;
  *r = (page_read){
      .f = f, .cb = cb, .arg = arg, .with_pages = with_pages, .id_len = (uint8_t)customer_id.len};
  memcpy(r->id, customer_id.ptr, customer_id.len);
  au_status status = f->shared->ops->read_pages(f->shared, customer_id, with_pages, on_read, r);
  if (status == AU_OK)
    f->in_flight++;
  else
    free(r);
  if (shared_store_failed(status))
    return f->local->ops->breakdown(f->local, customer_id, with_pages, cb, arg);
  return status;
}

/* ---- life --------------------------------------------------------------------------------------
 */

au_status fallback_pages_create(fallback *f, map_seed seed) {
  fallback_pages *p = calloc(1, sizeof *p);
  if (!p) return AU_ENOMEM;
  f->pages = p;
  p->f = f;
  deadline_queue_init(&p->changed, 0);
  deadline_queue_init(&p->same, SHARE_REFRESH_MS);
  buffer_init(&p->moves, MOVES_MAX_BYTES);
  buffer_init(&p->totals, PAGE_ROWS_TEXT_MAX);
  buffer_init(&p->rows, PAGE_ROWS_TEXT_MAX);
  p->own = malloc(AU_PAGE_NAMES_MAX * sizeof *p->own);
  return p->own ? id_map_init(&p->customers, seed, sizeof(shared_customer)) : AU_ENOMEM;
}

void fallback_pages_start(fallback *f, uv_loop_t *loop) {
  uv_timer_init(loop, &f->pages_timer);
  f->pages_timer.data = f;
  uv_timer_start(&f->pages_timer, on_slice, SHARE_SLICE_MS, SHARE_SLICE_MS);
}

void fallback_pages_free(fallback_pages *p) {
  if (!p) return;
  id_map_free(&p->customers);
  buffer_free(&p->moves);
  buffer_free(&p->totals);
  buffer_free(&p->rows);
  free(p->own);
  free(p);
}
