/* A queue of orders, and the walk of the first one. */
#include "undo.h"

#include "job_queue.h"
#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

typedef enum undo_step {
  STEP_STORE, /* pages of the customer's sessions, wherever they are */
  STEP_OWN,   /* pages of the own table: what the store does not have, and all of an address */
  STEP_FORGET,
} undo_step;

typedef struct job {
  queued_job queued; /* first: cast to its job */
  undo *owner;
  undo_order what;
  undo_fn cb;
  void *arg;
  undo_step step;
  uint64_t cursor; /* of the next page */
  uint32_t pending, ended;
  au_status status; /* the first failure */
  char ids[2 * AU_ID_MAX];
} job;

struct undo {
  au_store *store;
  uint64_t (*name_of)(const void *source);
  job_queue jobs;
};

static au_status start(queued_job *queued);
static void end(queued_job *queued, au_status status);

au_status undo_create(au_store *store, uint64_t (*name_of)(const void *source), undo **out) {
  undo *u = calloc(1, sizeof *u);
  if (!u) return AU_ENOMEM;
  u->store = store;
  u->name_of = name_of;
  u->jobs = (job_queue){.start = start, .end = end};
  *out = u;
  return AU_OK;
}

/* ---- the queue ------------------------------------------------------------------- */

static void end(queued_job *queued, au_status status) {
  job *j = (job *)queued;
  if (j->cb) j->cb(status, j->ended, j->arg);
  free(j);
}

static void finish(job *j, au_status status) {
  job_queue_finish(&j->owner->jobs, status);
}

void undo_free(undo *u) {
  if (!u) return;
  job_queue_cancel(&u->jobs);
  free(u);
}

/* ---- one page ----------------------------------------------------------------------- */

static au_status list(job *j);
static void go_on(job *j);

static void on_expelled(au_status status, bool ended, void *arg) {
  job *j = arg;
  if (ended) j->ended++;
  if (j->status == AU_OK) j->status = status;
  if (--j->pending == 0) go_on(j);
}

/* A session came since another daemon got the order: that was before it. */
static bool is_too_young(const job *j, const au_live *live) {
  return j->what.age_ms >= 0 && live->renewed_ago_ms < j->what.age_ms;
}

static bool is_meant(const job *j, const au_live *live) {
  if (j->step == STEP_STORE) return true;
  switch (j->what.kind) {
  case UNDO_ADDRESS:
    return live->beat.source && j->owner->name_of(live->beat.source) == j->what.address;
  case UNDO_CUSTOMER:
    return slice_eq(live->beat.customer_id, j->what.customer_id) && !is_too_young(j, live);
  default: return false;
  }
}

static void expel(job *j, au_slice customer_id, au_slice session_id) {
  au_store *store = j->owner->store;
  au_status status = store->ops->expel(store, customer_id, session_id, on_expelled, j);
  if (status == AU_OK)
    j->pending++;
  else if (j->status == AU_OK)
    j->status = status;
}

/* Ids of a page, for a session that ends takes its bytes with it. */
typedef struct doomed {
  uint8_t customer_len, session_len;
  char ids[2 * AU_ID_MAX];
} doomed;

static void keep(doomed *to, const au_beat *beat) {
  to->customer_len = (uint8_t)beat->customer_id.len;
  to->session_len = (uint8_t)beat->session_id.len;
  memcpy(to->ids, beat->customer_id.ptr, beat->customer_id.len);
  memcpy(to->ids + beat->customer_id.len, beat->session_id.ptr, beat->session_id.len);
}

static void on_page(au_status status, const au_page *page, void *arg) {
  job *j = arg;
  if (status != AU_OK) {
    finish(j, status);
    return;
  }
  j->cursor = page->next;
  size_t n = 0;
  doomed *all = page->n > 0 ? calloc(page->n, sizeof *all) : NULL;
  if (page->n > 0 && !all) {
    finish(j, AU_ENOMEM);
    return;
  }
  for (size_t i = 0; i < page->n; i++)
    if (is_meant(j, &page->sessions[i])) keep(&all[n++], &page->sessions[i].beat);
  j->pending = 1; /* this loop's own */
  for (size_t i = 0; i < n; i++)
    expel(j, (au_slice){all[i].ids, all[i].customer_len},
          (au_slice){all[i].ids + all[i].customer_len, all[i].session_len});
  free(all);
  if (--j->pending == 0) go_on(j);
}

static au_status list(job *j) {
  au_store *store = j->owner->store;
  const au_listing what = {
      .kind = j->step == STEP_STORE ? AU_LIST_SESSIONS : AU_LIST_OWN,
      .customer_id = j->what.customer_id,
      .cursor = j->cursor,
  };
  return store->ops->list(store, &what, on_page, j);
}

/* ---- from step to step ------------------------------------------------------------------ */

static void on_forgotten(au_status status, void *arg) {
  job *j = arg;
  finish(j, status == AU_ECONFLICT ? AU_OK : status);
}

/* With nobody there its average goes as well; else it would fall for minutes. */
static void on_sample(au_status status, const au_sample *sample, void *arg) {
  job *j = arg;
  au_store *store = j->owner->store;
  if (status == AU_OK && sample->count == 0 && sample->has_ema)
    status = store->ops->evict(store, j->what.customer_id, sample, on_forgotten, j);
  else if (status == AU_OK)
    status = AU_ECONFLICT; /* nothing to forget */
  if (status == AU_OK) return;
  finish(j, status == AU_ECONFLICT ? AU_OK : status);
}

static bool has_own_table(const job *j) {
  return j->owner->store->ops->board_read != NULL;
}

static void go_on(job *j) {
  au_store *store = j->owner->store;
  au_status status = j->status;
  if (j->cursor != 0 && status == AU_OK) {
    status = list(j);
  } else if (status == AU_OK && j->step == STEP_STORE && has_own_table(j)) {
    j->step = STEP_OWN;
    status = list(j);
  } else if (status == AU_OK && j->what.kind == UNDO_CUSTOMER && j->what.age_ms < 0) {
    j->step = STEP_FORGET;
    status = store->ops->sample(store, j->what.customer_id, on_sample, j);
  } else {
    finish(j, status);
    return;
  }
  if (status != AU_OK) finish(j, status);
}

/* Of another daemon's order one session is found without a walk. */
static au_status start_session(job *j) {
  au_store *store = j->owner->store;
  int64_t ago_ms = store->ops->renewed_ago_ms(store, j->what.customer_id, j->what.session_id, NULL);
  if (j->what.age_ms >= 0 && ago_ms < j->what.age_ms) return AU_ECANCELED;
  j->pending = 1;
  au_status status =
      store->ops->expel(store, j->what.customer_id, j->what.session_id, on_expelled, j);
  if (status != AU_OK) j->pending = 0;
  return status;
}

static au_status start(queued_job *queued) {
  job *j = (job *)queued;
  au_store *store = j->owner->store;
  bool is_ours = j->what.age_ms < 0;
  if (j->what.kind == UNDO_SESSION) {
    j->step = STEP_OWN;
    return start_session(j);
  }
  j->step = j->what.kind == UNDO_CUSTOMER && is_ours ? STEP_STORE : STEP_OWN;
  if (j->what.kind == UNDO_CUSTOMER && !is_ours &&
      store->ops->sessions_of(store, j->what.customer_id) == 0)
    return AU_ECANCELED;
  return list(j);
}

au_status undo_begin(undo *u, const undo_order *order, undo_fn cb, void *arg) {
  if (u->jobs.count == UNDO_ORDERS_MAX) return AU_EBUSY;
  job *j = calloc(1, sizeof *j);
  if (!j) return AU_ENOMEM;
  *j = (job){.owner = u, .what = *order, .cb = cb, .arg = arg};
  size_t len = order->customer_id.len;
  if (len > 0) memcpy(j->ids, order->customer_id.ptr, len);
  if (order->session_id.len > 0) memcpy(j->ids + len, order->session_id.ptr, order->session_id.len);
  j->what.customer_id.ptr = j->ids;
  j->what.session_id.ptr = j->ids + len;
  au_status status = job_queue_add(&u->jobs, &j->queued);
  if (status != AU_OK) free(j);
  return status;
}
