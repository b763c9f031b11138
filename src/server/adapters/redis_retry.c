/* Customers that are owed something, and a timer. Must not know who refused, nor who waits. */
#include "redis_retry.h"

#include "../utils/log.h"
#include "redis_store.h"
#include "redis_tell.h"

#include <stdlib.h>
#include <string.h>

/* Touches and endings apart: a session may have been taken over by one tab and ended by
 * another. */
enum { TOUCHES, ENDINGS, LISTS };

/* A customer with a key at fault. It waits for its turn, or some of its acts are being told. */
typedef struct debtor {
  map_node node; /* first: a node is cast to its debtor */
  struct debtor *next;
  redis_retry *retry;
  redis_acts *owed[LISTS];
  unsigned turn;    /* the list to take from next */
  uint32_t at_once; /* how many are told at once */
  uint32_t pending; /* answers that are missing */
  bool in_vain;     /* something was, since its turn began */
  uint8_t id_len;
  char id[];
} debtor;

typedef struct queue {
  debtor *first, *last;
} queue;

struct redis_retry {
  redis_store *store;
  map *debtors;
  size_t owed[LISTS]; /* by all of them */
  queue due;          /* whose turn has come */
  queue waiting;      /* for the timer */
  uint32_t pending;
  bool taken; /* something was, since the timer ran */
  uint64_t pause_ms;

  uv_timer_t timer;
  bool stopping;
  void (*stopped)(void *arg);
  void *stopped_arg;
};

static int64_t now_ms(const redis_retry *r) {
  return redis_store_mono_ms(r->store);
}

/* ---- debtors ---------------------------------------------------------------- */

static au_slice id_of(const debtor *d) {
  return (au_slice){d->id, d->id_len};
}

static bool debtor_eq(const map_node *node, const void *key) {
  return slice_eq(id_of((const debtor *)node), *(const au_slice *)key);
}

static debtor *find(const redis_retry *r, au_slice customer_id) {
  if (map_count(r->debtors) == 0) return NULL; /* as nearly always: no need to hash */
  uint32_t hash = map_hash(r->debtors, customer_id.ptr, customer_id.len, 0);
  return (debtor *)map_find(r->debtors, hash, debtor_eq, &customer_id);
}

static void debtor_free(debtor *d) {
  for (int list = 0; list < LISTS; list++) redis_acts_free(d->owed[list]);
  free(d);
}

static debtor *debtor_create(redis_retry *r, au_slice customer_id) {
  const redis_store *s = r->store;
  debtor *d = calloc(1, sizeof *d + customer_id.len);
  if (!d) return NULL;
  au_status status = AU_OK;
  for (int list = 0; status == AU_OK && list < LISTS; list++)
    status =
        redis_acts_create(s->seed, s->config->max_sessions, redis_store_ttl_ms(s), &d->owed[list]);
  if (status != AU_OK) {
    debtor_free(d);
    return NULL;
  }
  d->retry = r;
  d->at_once = 1;
  d->id_len = (uint8_t)customer_id.len;
  memcpy(d->id, customer_id.ptr, customer_id.len);
  map_insert(r->debtors, &d->node, map_hash(r->debtors, d->id, d->id_len, 0));
  return d;
}

static void push(queue *q, debtor *d) {
  d->next = NULL;
  if (q->first)
    q->last->next = d;
  else
    q->first = d;
  q->last = d;
}

static debtor *pop(queue *q) {
  debtor *d = q->first;
  if (d) q->first = d->next;
  return d;
}

/* ---- what one owes ---------------------------------------------------------- */

static au_status add(debtor *d, const redis_act *act) {
  redis_retry *r = d->retry;
  int list = act->kind == REDIS_ACT_TOUCH ? TOUCHES : ENDINGS;
  if (r->owed[list] >= r->store->config->max_sessions &&
      !redis_acts_has(d->owed[list], act->who.customer_id, act->who.session_id))
    return AU_EBUSY;
  size_t before = redis_acts_count(d->owed[list]);
  au_status status = redis_acts_add(d->owed[list], act);
  r->owed[list] += redis_acts_count(d->owed[list]) - before;
  return status;
}

static void note_gone(redis_retry *r, const debtor *d, int list, size_t before) {
  r->owed[list] -= before - redis_acts_count(d->owed[list]);
}

static bool take_from(debtor *d, int list, redis_act *act) {
  size_t before = redis_acts_count(d->owed[list]);
  bool taken = redis_acts_take(d->owed[list], now_ms(d->retry), act);
  note_gone(d->retry, d, list, before);
  return taken;
}

/* By turns, so that neither list waits for the other. */
static bool take(debtor *d, redis_act *act) {
  d->turn++;
  return take_from(d, d->turn % LISTS, act) || take_from(d, (d->turn + 1) % LISTS, act);
}

static bool owes_nothing(const debtor *d) {
  return redis_acts_count(d->owed[TOUCHES]) + redis_acts_count(d->owed[ENDINGS]) == 0;
}

/* ---- its turn --------------------------------------------------------------- */

static void put_back(debtor *d, const redis_act *act) {
  d->in_vain = true;
  if (act->kind != REDIS_ACT_TOUCH && redis_store_revived(d->retry->store, act)) return;
  if (add(d, act) != AU_OK) log_warn("redis", "what a key refused is forgotten", LOG_NONE);
}

static void on_told(redis_told told, const redis_act *act, void *arg);

/* True when it is on its way. A touch of a session that has ended since is owed no more; a node
 * that is not whole does not know all that came before, and is waited for. */
static bool tell(debtor *d, const redis_act *act) {
  redis_store *s = d->retry->store;
  redis_node *n = redis_store_node(s, act->who.customer_id);
  au_status status = AU_ESTORE;
  presence_live live;
  if (act->kind == REDIS_ACT_TOUCH &&
      !presence_table_find(s->table, act->who.customer_id, act->who.session_id, now_ms(d->retry),
                           &live))
    return false;
  if (redis_node_is_whole(n))
    status = act->kind == REDIS_ACT_TOUCH ? redis_tell_session(n, &live, true, on_told, d)
                                          : redis_tell_ending(n, act, on_told, d);
  if (status != AU_OK) put_back(d, act);
  return status == AU_OK;
}

static void tell_some(debtor *d) {
  redis_retry *r = d->retry;
  redis_act act;
  d->in_vain = false;
  for (int i = 0; i < REDIS_RETRY_LOOK_MAX && !d->in_vain; i++) {
    if (d->pending >= d->at_once || r->pending >= REDIS_RETRY_IN_FLIGHT || !take(d, &act)) break;
    if (!tell(d, &act)) continue;
    d->pending++;
    r->pending++;
  }
}

/* After the last answer. Where all was taken more follows; else it waits. */
static void end_turn(debtor *d) {
  redis_retry *r = d->retry;
  if (owes_nothing(d)) {
    map_remove(r->debtors, &d->node);
    debtor_free(d);
    return;
  }
  if (d->in_vain)
    d->at_once = 1;
  else if (d->at_once < REDIS_RETRY_AT_ONCE)
    d->at_once *= 2;
  push(d->in_vain ? &r->waiting : &r->due, d);
}

static void on_timer(uv_timer_t *timer);

static void wait_ms(redis_retry *r, uint64_t ms) {
  r->pause_ms = ms < REDIS_RETRY_MAX_MS ? ms : REDIS_RETRY_MAX_MS;
  uv_timer_start(&r->timer, on_timer, r->pause_ms, 0);
}

/* Goes on until enough is on its way, or has been looked at. */
static void pump(redis_retry *r) {
  debtor *d;
  for (int i = 0; i < REDIS_RETRY_TURNS && r->pending < REDIS_RETRY_IN_FLIGHT; i++) {
    if ((d = pop(&r->due)) == NULL) break;
    tell_some(d);
    if (d->pending == 0) end_turn(d);
  }
  if (r->pending > 0 || map_count(r->debtors) == 0) return;
  wait_ms(r, r->taken || r->due.first ? REDIS_RETRY_MIN_MS : 2 * r->pause_ms);
}

static void on_told(redis_told told, const redis_act *act, void *arg) {
  debtor *d = arg;
  redis_retry *r = d->retry;
  if (told == REDIS_TOLD) {
    r->taken = true;
    redis_store_changed(r->store, act->who.customer_id);
  } else {
    put_back(d, act);
  }
  r->pending--;
  if (--d->pending == 0) end_turn(d);
  if (!r->stopping) pump(r);
}

static void on_timer(uv_timer_t *timer) {
  redis_retry *r = timer->data;
  debtor *d;
  r->taken = false;
  for (int i = 0; i < REDIS_RETRY_DEBTORS && (d = pop(&r->waiting)) != NULL; i++) push(&r->due, d);
  pump(r);
}

/* ---- what is owed ------------------------------------------------------------ */

au_status redis_retry_owe(redis_retry *r, const redis_act *act) {
  debtor *d = find(r, act->who.customer_id);
  if (d) return add(d, act);
  d = debtor_create(r, act->who.customer_id);
  if (!d) return AU_ENOMEM;
  au_status status = add(d, act);
  push(&r->waiting, d); /* if it owes nothing now it goes when its turn comes */
  bool idle = r->pending == 0 && !uv_is_active((uv_handle_t *)&r->timer);
  if (idle && !r->stopping) wait_ms(r, REDIS_RETRY_MIN_MS);
  return status;
}

void redis_retry_revive(redis_retry *r, au_slice customer_id, au_slice session_id) {
  debtor *d = find(r, customer_id);
  if (!d) return;
  size_t before = redis_acts_count(d->owed[ENDINGS]);
  redis_acts_remove(d->owed[ENDINGS], customer_id, session_id);
  note_gone(r, d, ENDINGS, before);
}

bool redis_retry_has_ended(const redis_retry *r, const au_beat *beat, redis_moment since,
                           redis_act_kind *kind) {
  const debtor *d = find(r, beat->customer_id);
  return d && redis_acts_find(d->owed[ENDINGS], beat, since, kind);
}

/* ---- life -------------------------------------------------------------------- */

au_status redis_retry_create(redis_store *store, redis_retry **out) {
  redis_retry *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->store = store;
  au_status status = map_create(store->seed, &r->debtors);
  if (status != AU_OK) {
    free(r);
    return status;
  }
  *out = r;
  return AU_OK;
}

void redis_retry_start(redis_retry *r) {
  uv_timer_init(r->store->loop, &r->timer);
  r->timer.data = r;
}

static void on_closed(uv_handle_t *handle) {
  redis_retry *r = handle->data;
  r->stopped(r->stopped_arg);
}

void redis_retry_stop(redis_retry *r, void (*stopped)(void *arg), void *arg) {
  r->stopping = true;
  r->stopped = stopped;
  r->stopped_arg = arg;
  uv_close((uv_handle_t *)&r->timer, on_closed);
}

void redis_retry_free(redis_retry *r) {
  if (!r) return;
  for (map_node *node; (node = map_any(r->debtors)) != NULL;) {
    map_remove(r->debtors, node);
    debtor_free((debtor *)node);
  }
  map_free(r->debtors);
  free(r);
}
