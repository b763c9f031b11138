/* Customers with hints, in queues by their state, and a timer for the suspect ones. */
#include "hints.h"

#include "utils/id_map.h"
#include "utils/join_stop.h"
#include "utils/log.h"

#include <stdlib.h>

/* Touches and leaves apart: one tab may have taken a session over that another one ended. */
enum { TOUCHES, LEAVES, KINDS };

struct hint_customer {
  map_node node;  /* first: the customer is an entry of an id_map */
  deadline place; /* in a queue of `hints`, or in none while all of it is in flight */
  hint_queue pending[KINDS];
  unsigned turn;    /* the kind to take from next */
  uint32_t at_once; /* hints in flight at most */
  uint32_t in_flight;
  bool is_suspect;
  bool is_released; /* `drained` waits for it */
  bool failed;      /* a hint was not delivered since its turn began */
  bool progress;    /* one was */
};

struct hints {
  hints_config config;
  id_map customers;
  hint_set *sets[KINDS];
  hint_set *sent; /* leaves in flight */
  hint_queue sent_queue;
  hint_set *tombstones;
  hint_queue buried;
  size_t to_exhume;
  deadline_queue parked, due, suspect; /* customers */
  size_t to_release;
  bool drains;       /* `drained` is to follow */
  uint32_t released; /* customers that it waits for */
  uint32_t in_flight;
  bool progress;  /* a hint was delivered since the suspect ones had their turn */
  bool continues; /* the timer goes on with what is due */
  uint64_t pause_ms;

  uv_timer_t timer;
  bool stopping;
  join_stop stop;
};

static int64_t now_ms(const hints *h) {
  return clock_mono_ms(h->config.clock);
}

/* ---- customers ---------------------------------------------------------------- */

static hint_customer *customer_at(deadline *place) {
  return (hint_customer *)(void *)((char *)place - offsetof(hint_customer, place));
}

static hint_customer *customer_of(hint_queue *q, int kind) {
  return (hint_customer *)(void *)((char *)(q - kind) - offsetof(hint_customer, pending));
}

static hint_customer *find(const hints *h, au_slice customer_id) {
  if (id_map_count(&h->customers) == 0) return NULL; /* as nearly always: no need to hash */
  return id_map_find(&h->customers, customer_id);
}

static hint_customer *customer_create(hints *h, au_slice customer_id) {
  hint_customer *c = id_map_add(&h->customers, customer_id);
  for (int kind = 0; c && kind < KINDS; kind++) hint_queue_init(&c->pending[kind]);
  return c;
}

static bool has_pending(const hint_customer *c) {
  return !hint_queue_is_empty(&c->pending[TOUCHES]) || !hint_queue_is_empty(&c->pending[LEAVES]);
}

static void unrelease(hints *h, hint_customer *c) {
  h->released -= c->is_released;
  c->is_released = false;
}

/* Frees a customer without hints. */
static void drop_if_empty(hints *h, hint_customer *c) {
  if (has_pending(c)) return;
  unrelease(h, c);
  deadline_cancel(&c->place);
  if (c->in_flight > 0) return;
  id_map_drop(&h->customers, c);
}

/* ---- the states ----------------------------------------------------------------- */

static void park(hints *h, hint_customer *c) {
  unrelease(h, c);
  c->is_suspect = false;
  deadline_arm(&h->parked, &c->place, 0);
  h->config.parked(h->config.arg, id_map_id(c));
}

static void make_due(hints *h, hint_customer *c) {
  if (!c->is_suspect) c->at_once = HINTS_IN_FLIGHT;
  deadline_arm(&h->due, &c->place, 0);
}

static void suspect(hints *h, hint_customer *c) {
  unrelease(h, c);
  c->is_suspect = true;
  c->at_once = 1;
  deadline_arm(&h->suspect, &c->place, 0);
}

/* ---- sending -------------------------------------------------------------------- */

static int kind_of(const hint *what) {
  return what->kind == HINT_TOUCH ? TOUCHES : LEAVES;
}

static au_status add(hints *h, hint_customer *c, const hint *what) {
  int kind = kind_of(what);
  return hint_set_add(h->sets[kind], &c->pending[kind], what);
}

static void put_back(hints *h, hint_customer *c, const hint *what) {
  c->failed = true;
  if (what->kind != HINT_TOUCH && h->config.is_revived(h->config.arg, what)) return;
  if (add(h, c, what) != AU_OK)
    log_warn("fallback", "a hint is dropped: its session lives out its time", LOG_NONE);
}

/* Touches and leaves by turns, so that neither waits for the other. */
static bool take(hints *h, hint_customer *c, hint *out) {
  int first = (int)(++c->turn % KINDS), second = (first + 1) % KINDS;
  int64_t now = now_ms(h);
  return hint_set_take(h->sets[first], &c->pending[first], now, out) ||
         hint_set_take(h->sets[second], &c->pending[second], now, out);
}

/* A touch that began before a leave is over while that is in flight, too. */
static void note_sent(hints *h, const hint *what) {
  if (what->kind == HINT_TOUCH) return;
  if (hint_set_add(h->sent, &h->sent_queue, what) != AU_OK)
    log_debug("fallback", "a hint in flight is not noted", LOG_NONE);
}

/* Sends hints until enough are in flight or one fails. */
static void send_some(hints *h, hint_customer *c) {
  hint what;
  c->failed = c->progress = false;
  for (int i = 0; i < HINTS_LOOK_MAX && !c->failed; i++) {
    if (c->in_flight >= c->at_once || h->in_flight >= HINTS_IN_FLIGHT) return;
    if (!h->config.may_deliver(h->config.arg, id_map_id(c))) {
      c->failed = true;
      return;
    }
    if (!take(h, c, &what)) return;
    au_status status = h->config.deliver(h->config.arg, &what, c);
    if (status == AU_OK) {
      note_sent(h, &what);
      c->in_flight++;
      h->in_flight++;
    } else if (status != AU_ECONFLICT) {
      put_back(h, c, &what);
    }
  }
}

/* When nothing of a customer is in flight: frees it, or decides when it is tried again. */
static void end_turn(hints *h, hint_customer *c) {
  if (!has_pending(c)) {
    drop_if_empty(h, c);
  } else if (c->failed && !h->config.may_deliver(h->config.arg, id_map_id(c))) {
    park(h, c);
  } else if (c->failed) {
    suspect(h, c);
  } else {
    if (c->progress && c->at_once < HINTS_SUSPECT_MAX) c->at_once *= 2;
    make_due(h, c);
  }
}

static void take_turn(hints *h, hint_customer *c) {
  send_some(h, c);
  if (c->in_flight == 0)
    end_turn(h, c);
  else if (!has_pending(c))
    unrelease(h, c); /* all of it was sent */
  else if (!c->is_suspect && !c->failed)
    make_due(h, c);
}

static void on_timer(uv_timer_t *timer);

static void check_drained(hints *h) {
  if (!h->drains || h->released > 0 || h->to_release > 0) return;
  h->drains = false;
  h->config.drained(h->config.arg);
}

/* Sets the timer when no answer will call `pump` again. */
static void wait(hints *h) {
  if (h->in_flight > 0) return;
  if (deadline_first(&h->due)) {
    h->continues = true;
    uv_timer_start(&h->timer, on_timer, 1, 0); /* others get their turn */
  } else if (deadline_first(&h->suspect) && !uv_is_active((uv_handle_t *)&h->timer)) {
    h->pause_ms = h->progress ? HINTS_MIN_MS : 2 * h->pause_ms;
    if (h->pause_ms < HINTS_MIN_MS) h->pause_ms = HINTS_MIN_MS;
    if (h->pause_ms > HINTS_MAX_MS) h->pause_ms = HINTS_MAX_MS;
    uv_timer_start(&h->timer, on_timer, h->pause_ms, 0);
  }
}

static void pump(hints *h) {
  deadline *d;
  if (h->stopping) return;
  for (int i = 0; i < HINTS_TURNS && h->in_flight < HINTS_IN_FLIGHT; i++) {
    if ((d = deadline_first(&h->due)) == NULL) break;
    deadline_cancel(d);
    take_turn(h, customer_at(d));
  }
  wait(h);
  check_drained(h);
}

static void on_timer(uv_timer_t *timer) {
  hints *h = timer->data;
  deadline *d;
  if (!h->continues) {
    h->progress = false;
    for (int i = 0; i < HINTS_SUSPECTS && (d = deadline_first(&h->suspect)) != NULL; i++)
      deadline_arm(&h->due, d, 0);
  }
  h->continues = false;
  pump(h);
}

void hints_delivered(hints *h, hint_customer *c, const hint *what, hint_outcome outcome) {
  h->in_flight--;
  c->in_flight--;
  if (what->kind != HINT_TOUCH)
    (void)hint_set_remove(h->sent, what->who.customer_id, what->who.session_id);
  if (outcome == HINT_DELIVERED) {
    h->progress = c->progress = true;
  } else {
    put_back(h, c, what);
    unrelease(h, c);
    deadline_cancel(&c->place); /* until all answers are there */
  }
  if (c->in_flight == 0 && !deadline_armed(&c->place)) end_turn(h, c);
  pump(h);
}

/* ---- hints ----------------------------------------------------------------------- */

/* Puts a customer that is in no queue, and of which nothing is in flight, into the right one. */
static void place(hints *h, hint_customer *c, bool refused) {
  if (refused)
    suspect(h, c);
  else if (!h->config.may_deliver(h->config.arg, id_map_id(c)))
    park(h, c);
  else
    make_due(h, c);
}

au_status hints_add(hints *h, const hint *what, bool refused) {
  hint_customer *c = find(h, what->who.customer_id);
  if (!c) c = customer_create(h, what->who.customer_id);
  if (!c) return AU_ENOMEM;
  au_status status = add(h, c, what);
  bool waits = deadline_armed(&c->place) || c->in_flight > 0;
  if (!waits) {
    if (has_pending(c))
      place(h, c, refused);
    else
      drop_if_empty(h, c);
  }
  bool idle = h->in_flight == 0 && !uv_is_active((uv_handle_t *)&h->timer);
  if (idle) h->pause_ms = 0; /* the first suspect one */
  if (!waits) pump(h);
  return status;
}

void hints_revive(hints *h, au_slice customer_id, au_slice session_id) {
  (void)hint_set_remove(h->tombstones, customer_id, session_id);
  hint_queue *q = hint_set_remove(h->sets[LEAVES], customer_id, session_id);
  if (!q) return;
  drop_if_empty(h, customer_of(q, LEAVES));
  check_drained(h);
}

bool hints_has_ended(const hints *h, const au_beat *beat, op_seq since, hint *out) {
  return hint_set_find(h->sets[LEAVES], beat, since, out) ||
         hint_set_find(h->sent, beat, since, out);
}

/* `drained` waits for what is not sent at once. */
static void wait_for(hints *h, hint_customer *c) {
  if (!c || c->is_suspect || c->is_released || !deadline_armed(&c->place)) return;
  c->is_released = true;
  h->released++;
}

void hints_release(hints *h) {
  h->drains = true;
  h->to_release = id_map_count(&h->customers);
}

/* One that cannot be sent goes to the end of the queue. */
bool hints_release_some(hints *h) {
  deadline *d;
  for (int i = 0; i < HINTS_PORTION && h->to_release > 0; i++, h->to_release--) {
    if ((d = deadline_first(&h->parked)) == NULL) {
      h->to_release = 0;
      break;
    }
    hint_customer *c = customer_at(d);
    if (h->config.may_deliver(h->config.arg, id_map_id(c))) {
      make_due(h, c);
      wait_for(h, c);
    } else {
      park(h, c);
    }
  }
  bool more = h->to_release > 0;
  pump(h);
  return more;
}

/* ---- tombstones -------------------------------------------------------------------- */

/* When there are too many the oldest are dropped: such a session may come back for the rest of
 * its time. */
void hints_bury(hints *h, const hint *leave) {
  hint oldest;
  if (hint_set_count(h->tombstones) >= HINTS_TOMBSTONES_MAX)
    (void)hint_set_take(h->tombstones, &h->buried, now_ms(h), &oldest);
  if (hint_set_add(h->tombstones, &h->buried, leave) != AU_OK)
    log_debug("fallback", "a leave is not kept", LOG_NONE);
}

void hints_exhume(hints *h) {
  h->to_exhume = hint_set_count(h->tombstones);
}

/* A session whose grace is over has left: unlike one that is shortened it cannot be brought back by
 * a daemon that restores it later. */
static void end_grace(const hints *h, hint *leave) {
  bool over = leave->at.at_ms + leave->grace_ms <= now_ms(h);
  if (leave->kind == HINT_SHORTEN && over) leave->kind = HINT_LEAVE;
}

/* One that is not wanted goes to the end of the queue. */
bool hints_exhume_some(hints *h, bool (*wanted)(void *arg, au_slice customer_id), void *arg) {
  hint leave;
  for (int i = 0; i < HINTS_PORTION && h->to_exhume > 0; i++, h->to_exhume--) {
    if (!hint_set_take(h->tombstones, &h->buried, now_ms(h), &leave)) break;
    end_grace(h, &leave);
    if (!wanted(arg, leave.who.customer_id) || hints_add(h, &leave, false) != AU_OK)
      hints_bury(h, &leave);
    else
      wait_for(h, find(h, leave.who.customer_id));
  }
  bool more = h->to_exhume > 0 && !hint_queue_is_empty(&h->buried);
  if (!more) h->to_exhume = 0;
  return more;
}

/* ---- the rest ------------------------------------------------------------------------ */

void hints_expire(hints *h) {
  int64_t now = now_ms(h);
  hint_queue *q;
  for (int i = 0; i < HINTS_EXPIRED_MAX && hint_set_expire(h->tombstones, now); i++) {
  }
  for (int kind = 0; kind < KINDS; kind++)
    for (int i = 0; i < HINTS_EXPIRED_MAX && (q = hint_set_expire(h->sets[kind], now)); i++)
      drop_if_empty(h, customer_of(q, kind));
  check_drained(h);
}

uint32_t hints_in_flight(const hints *h) {
  return h->in_flight;
}

uint32_t hints_waiting(const hints *h) {
  uint32_t n = h->in_flight;
  for (int i = 0; i < KINDS; i++) n += (uint32_t)hint_set_count(h->sets[i]);
  return n;
}

bool hints_is_empty(const hints *h) {
  return id_map_count(&h->customers) == 0 && hint_set_count(h->tombstones) == 0;
}

/* ---- life ------------------------------------------------------------------------------ */

au_status hints_create(const hints_config *config, hints **out) {
  hints *h = calloc(1, sizeof *h);
  if (!h) return AU_ENOMEM;
  h->config = *config;
  hint_queue_init(&h->buried);
  hint_queue_init(&h->sent_queue);
  deadline_queue_init(&h->parked, 0);
  deadline_queue_init(&h->due, 0);
  deadline_queue_init(&h->suspect, 0);
  au_status status = id_map_init(&h->customers, config->seed, sizeof(hint_customer));
  for (int kind = 0; kind < KINDS && status == AU_OK; kind++)
    status = hint_set_create(config->seed, config->max, config->ttl_ms, &h->sets[kind]);
  if (status == AU_OK)
    status = hint_set_create(config->seed, HINTS_IN_FLIGHT, config->ttl_ms, &h->sent);
  if (status == AU_OK)
    status = hint_set_create(config->seed, HINTS_TOMBSTONES_MAX, config->ttl_ms, &h->tombstones);
  if (status != AU_OK) {
    hints_free(h);
    return status;
  }
  *out = h;
  return AU_OK;
}

void hints_start(hints *h) {
  uv_timer_init(h->config.loop, &h->timer);
  h->timer.data = h;
}

void hints_stop(hints *h, void (*stopped)(void *arg), void *arg) {
  h->stopping = true;
  join_stop_begin(&h->stop, stopped, arg);
  join_stop_close(&h->stop, (uv_handle_t *)&h->timer);
  join_stop_done(&h->stop);
}

void hints_free(hints *h) {
  if (!h) return;
  for (int kind = 0; kind < KINDS; kind++) hint_set_free(h->sets[kind]);
  hint_set_free(h->sent);
  hint_set_free(h->tombstones);
  id_map_free(&h->customers);
  free(h);
}
