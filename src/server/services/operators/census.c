/* A queue of walks, and the rows that the first one has found so far. */
#include "census.h"

#include "job_queue.h"
#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

typedef struct walk {
  queued_job job; /* first: cast to its walk */
  census *owner;
  census_fn cb;
  void *arg;
  uint32_t after_count, part;
  uint64_t cursor;
  size_t max, n;
  bool more;
  uint32_t pending; /* samples */
  au_status status; /* the first failure */
  uint8_t after_len, search_len;
  char after[AU_ID_MAX], search[AU_ID_MAX];
  census_row rows[CENSUS_ROWS_MAX + 1]; /* one more, which may fall out */
} walk;

struct census {
  au_store *store;
  job_queue walks;
};

static au_status start(queued_job *job);
static void end(queued_job *job, au_status status);

au_status census_create(au_store *store, census **out) {
  census *c = calloc(1, sizeof *c);
  if (!c) return AU_ENOMEM;
  c->store = store;
  c->walks = (job_queue){.start = start, .end = end};
  *out = c;
  return AU_OK;
}

static void end(queued_job *job, au_status status) {
  walk *w = (walk *)job;
  w->cb(status, w->rows, status == AU_OK ? w->n : 0, w->more, w->arg);
  free(w);
}

static void finish(walk *w, au_status status) {
  job_queue_finish(&w->owner->walks, status);
}

void census_free(census *c) {
  if (!c) return;
  job_queue_cancel(&c->walks);
  free(c);
}

/* ---- rows ------------------------------------------------------------------------- */

/* Negative: a row of `count` and `id` stands before one of the others. */
static int order(uint32_t count, au_slice id, uint32_t other_count, au_slice other_id) {
  if (count != other_count) return count > other_count ? -1 : 1;
  return slice_compare(id, other_id);
}

/* The same customer may be met twice. */
static void add_row(walk *w, au_slice id, const au_sample *sample) {
  if (w->after_len > 0 &&
      order(sample->count, id, w->after_count, (au_slice){w->after, w->after_len}) <= 0)
    return;
  size_t at = 0;
  while (at < w->n) {
    const census_row *row = &w->rows[at];
    int sign = order(sample->count, id, row->count, (au_slice){row->id, row->id_len});
    if (sign == 0) return;
    if (sign < 0) break;
    at++;
  }
  if (at == w->max) {
    w->more = true;
    return;
  }
  memmove(w->rows + at + 1, w->rows + at, (w->n - at) * sizeof w->rows[0]);
  census_row *row = &w->rows[at];
  *row = (census_row){.count = sample->count,
                      .ema = sample->has_ema ? sample->ema : sample->count,
                      .stale = sample->stale,
                      .id_len = (uint8_t)id.len};
  memcpy(row->id, id.ptr, id.len);
  if (++w->n <= w->max) return;
  w->n = w->max;
  w->more = true;
}

/* ---- the walk ------------------------------------------------------------------------ */

typedef struct counting {
  walk *owner;
  uint8_t id_len;
  char id[AU_ID_MAX];
} counting;

static au_status list(walk *w);
static void go_on(walk *w);

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  counting *one = arg;
  walk *w = one->owner;
  if (status == AU_OK)
    add_row(w, (au_slice){one->id, one->id_len}, sample);
  else if (w->status == AU_OK)
    w->status = status;
  free(one);
  if (--w->pending == 0) go_on(w);
}

static void count_one(walk *w, au_slice id) {
  au_store *store = w->owner->store;
  counting *one = malloc(sizeof *one);
  au_status status = AU_ENOMEM;
  if (one) {
    one->owner = w;
    one->id_len = (uint8_t)id.len;
    memcpy(one->id, id.ptr, id.len);
    status = store->ops->sample(store, (au_slice){one->id, one->id_len}, on_sample, one);
  }
  if (status == AU_OK) {
    w->pending++;
    return;
  }
  free(one);
  if (w->status == AU_OK) w->status = status;
}

static bool matches(const walk *w, au_slice id) {
  au_slice search = {w->search, w->search_len};
  for (size_t at = 0; at + search.len <= id.len; at++)
    if (slice_eq_nocase((au_slice){id.ptr + at, search.len}, search)) return true;
  return false;
}

static void on_page(au_status status, const au_page *page, void *arg) {
  walk *w = arg;
  if (status != AU_OK) {
    finish(w, status);
    return;
  }
  w->cursor = page->next;
  w->pending = 1; /* this loop's own */
  for (size_t i = 0; i < page->n; i++)
    if (matches(w, page->customers[i])) count_one(w, page->customers[i]);
  if (--w->pending == 0) go_on(w);
}

static void go_on(walk *w) {
  const au_store *store = w->owner->store;
  if (w->status == AU_OK && (w->cursor != 0 || ++w->part < store->ops->partitions(store)))
    w->status = list(w);
  else {
    finish(w, w->status);
    return;
  }
  if (w->status != AU_OK) finish(w, w->status);
}

static au_status list(walk *w) {
  au_store *store = w->owner->store;
  const au_listing what = {.kind = AU_LIST_CUSTOMERS, .partition = w->part, .cursor = w->cursor};
  return store->ops->list(store, &what, on_page, w);
}

static au_status start(queued_job *job) {
  return list((walk *)job);
}

au_status census_take(census *c, const census_mark *after, au_slice search, size_t max,
                      census_fn cb, void *arg) {
  if (search.len > AU_ID_MAX) return AU_EINVAL;
  if (c->walks.count == CENSUS_WAITING_MAX) return AU_EBUSY;
  walk *w = calloc(1, sizeof *w);
  if (!w) return AU_ENOMEM;
  w->owner = c;
  w->cb = cb;
  w->arg = arg;
  w->max = max < CENSUS_ROWS_MAX ? max : CENSUS_ROWS_MAX;
  w->after_count = after->count;
  w->after_len = (uint8_t)after->id.len;
  if (after->id.len > 0) memcpy(w->after, after->id.ptr, after->id.len);
  w->search_len = (uint8_t)search.len;
  if (search.len > 0) memcpy(w->search, search.ptr, search.len);
  au_status status = job_queue_add(&c->walks, &w->job);
  if (status != AU_OK) free(w);
  return status;
}
