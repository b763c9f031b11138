/* What operators list and end. As everything else it goes to the shared store while that serves,
 * and to the table while it does not. The board has no copy here: who reads it has one. */
#include "fallback_private.h"
#include "utils/buffer.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

/* ---- list -------------------------------------------------------------------- */

typedef struct listing {
  fallback *f;
  au_page_fn cb;
  void *arg;
} listing;

/* The table knows who sent the first beat of a session to this daemon. */
static void add_sources(const fallback *f, const au_page *page, au_live *out) {
  for (size_t i = 0; i < page->n; i++) {
    presence_live own;
    out[i] = page->sessions[i];
    if (presence_table_find(f->table, out[i].beat.customer_id, out[i].beat.session_id,
                            fallback_now_ms(f), &own))
      out[i].beat.source = own.beat.source;
  }
}

static void on_page(au_status status, const au_page *page, void *arg) {
  listing *l = arg;
  au_live *sessions = NULL;
  au_page known;
  l->f->in_flight--;
  if (status == AU_OK && page->sessions) {
    sessions = calloc(page->n + 1, sizeof *sessions);
    if (sessions) {
      add_sources(l->f, page, sessions);
      known = *page;
      known.sessions = sessions;
      page = &known;
    } else {
      status = AU_ENOMEM;
    }
  }
  l->cb(status, status == AU_OK ? page : NULL, l->arg);
  free(sessions);
  free(l);
}

static uint16_t slot_of(const fallback *f, const au_listing *what) {
  if (what->kind != AU_LIST_CUSTOMERS) return fallback_slot(f, what->customer_id);
  return f->shared->ops->partition_slot(f->shared, what->partition);
}

static void no_page(au_status status, const au_sample *sample, void *arg) {
  (void)sample;
  listing *l = arg;
  l->cb(status, status == AU_OK ? &(au_page){0} : NULL, l->arg);
  free(l);
}

/* A part whose customers another part lists: an empty page, in its turn. */
static au_status list_nothing(fallback *f, au_page_fn cb, void *arg) {
  listing *l = malloc(sizeof *l);
  if (!l) return AU_ENOMEM;
  *l = (listing){f, cb, arg};
  au_status status = f->local->ops->sample(f->local, slice_of("-"), no_page, l);
  if (status != AU_OK) free(l);
  return status;
}

au_status fallback_list(au_store *store, const au_listing *what, au_page_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (what->kind == AU_LIST_OWN) return f->local->ops->list(f->local, what, cb, arg);
  if (what->kind != AU_LIST_CUSTOMERS && !wire_valid_id(what->customer_id)) return AU_EINVAL;
  au_status status = fallback_route(f, slot_of(f, what));
  if (status != AU_OK && status != AU_ESTORE) return status;
  if (status == AU_ESTORE && what->kind == AU_LIST_CUSTOMERS &&
      !fallback_lists_table(f, what->partition))
    return list_nothing(f, cb, arg);
  if (status == AU_ESTORE) return f->local->ops->list(f->local, what, cb, arg);
  listing *l = malloc(sizeof *l);
  if (!l) return AU_ENOMEM;
  *l = (listing){f, cb, arg};
  status = f->shared->ops->list(f->shared, what, on_page, l);
  if (status == AU_OK)
    f->in_flight++;
  else
    free(l);
  return status;
}

/* ---- expel ---------------------------------------------------------------------- */

typedef struct expulsion {
  fallback *f;
  au_ended_fn cb;
  void *arg;
  uint8_t customer_len, session_len;
  char ids[2 * AU_ID_MAX];
} expulsion;

static void on_expelled(au_status status, bool ended, void *arg) {
  expulsion *e = arg;
  fallback *f = e->f;
  au_slice customer_id = {e->ids, e->customer_len};
  au_slice session_id = {e->ids + e->customer_len, e->session_len};
  f->in_flight--;
  if (status == AU_OK) {
    if (ended) fallback_page_left(f, customer_id, session_id);
    /* One that is here alone was ended elsewhere, and counts no more. */
    bool here = presence_table_drop(f->table, customer_id, session_id);
    if (ended && !here) memory_store_changed(f->local, customer_id);
  }
  e->cb(status, ended, e->arg);
  free(e);
}

/* The tab that holds it here leaves, as far as the shared store will be told. */
static au_status expel_here(fallback *f, au_slice customer_id, au_slice session_id, au_ended_fn cb,
                            void *arg) {
  presence_live own;
  if (presence_table_find(f->table, customer_id, session_id, fallback_now_ms(f), &own)) {
    au_status status = fallback_note_leave(f, &own.beat);
    if (status != AU_OK) return status;
  }
  return f->local->ops->expel(f->local, customer_id, session_id, cb, arg);
}

au_status fallback_expel(au_store *store, au_slice customer_id, au_slice session_id, au_ended_fn cb,
                         void *arg) {
  fallback *f = fallback_of(store);
  if (!wire_valid_id(customer_id) || !wire_valid_id(session_id)) return AU_EINVAL;
  au_status status = fallback_route(f, fallback_slot(f, customer_id));
  if (status == AU_ESTORE) return expel_here(f, customer_id, session_id, cb, arg);
  if (status != AU_OK) return status;
  expulsion *e = calloc(1, sizeof *e);
  if (!e) return AU_ENOMEM;
  *e = (expulsion){.f = f,
                   .cb = cb,
                   .arg = arg,
                   .customer_len = (uint8_t)customer_id.len,
                   .session_len = (uint8_t)session_id.len};
  memcpy(e->ids, customer_id.ptr, customer_id.len);
  memcpy(e->ids + customer_id.len, session_id.ptr, session_id.len);
  status = f->shared->ops->expel(f->shared, customer_id, session_id, on_expelled, e);
  if (status == AU_OK)
    f->in_flight++;
  else
    free(e);
  return status;
}

/* ---- the board ---------------------------------------------------------------------- */

au_status fallback_board_read(au_store *store, int64_t since_ms, au_board_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (f->stopping) return AU_ECANCELED;
  return f->shared->ops->board_read(f->shared, since_ms, cb, arg);
}

au_status fallback_board_write(au_store *store, au_board_change what, au_slice text, int64_t ms,
                               au_done_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (f->stopping) return AU_ECANCELED;
  return f->shared->ops->board_write(f->shared, what, text, ms, cb, arg);
}

au_status fallback_share_spent(au_store *store, au_spent *rows, size_t n, au_spent_fn cb,
                               void *arg) {
  fallback *f = fallback_of(store);
  if (f->stopping) return AU_ECANCELED;
  return f->shared->ops->share_spent(f->shared, rows, n, cb, arg);
}
