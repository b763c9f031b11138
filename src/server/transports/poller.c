/* One epoll behind one uv_poll_t, and the time of a turn. */
#include "poller.h"

#include "utils/join_stop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SLICE = 64 }; /* descriptors that the kernel names at once */

struct poller {
  int epoll;
  uv_poll_t readiness;
  uv_check_t polled;
  uv_idle_t spin; /* active while an entry waits for poller_again: the loop must not sleep */
  bool is_ready;  /* the epoll has something */
  bool served;    /* in this round of the loop */
  uint32_t turn_number;
  uint64_t until_ns; /* when this turn is over; 0 outside of one */

  /* Named by the kernel and not yet served; NULL: dropped meanwhile. */
  poller_entry *slice[SLICE];
  uint32_t slice_events[SLICE];
  unsigned slice_next, slice_count;

  poller_entry again; /* head of a ring, first come first served */
  join_stop stop;
};

/* ---- entries that wait for a turn ----------------------------------------- */

static void on_spin(uv_idle_t *idle) {
  (void)idle; /* that it is active is all that is wanted: the loop does not sleep */
}

void poller_again(poller *p, poller_entry *entry) {
  if (entry->again_next) return;
  entry->again_in = p->turn_number;
  entry->again_prev = p->again.again_prev;
  entry->again_next = &p->again;
  entry->again_prev->again_next = entry;
  p->again.again_prev = entry;
  uv_idle_start(&p->spin, on_spin);
}

static void again_cancel(poller *p, poller_entry *entry) {
  if (!entry->again_next) return;
  entry->again_prev->again_next = entry->again_next;
  entry->again_next->again_prev = entry->again_prev;
  entry->again_prev = entry->again_next = NULL;
  if (p->again.again_next == &p->again) uv_idle_stop(&p->spin);
}

/* The first that has waited since an earlier turn, or NULL. */
static poller_entry *again_first(const poller *p) {
  poller_entry *first = p->again.again_next;
  return first != &p->again && first->again_in != p->turn_number ? first : NULL;
}

/* ---- entries that are ready ------------------------------------------------- */

bool poller_watch(poller *p, poller_entry *entry, uint32_t events) {
  if (entry->watched && entry->interest == events) return true;
  struct epoll_event event = {.events = events, .data.ptr = entry};
  int operation = entry->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(p->epoll, operation, entry->fd, &event) != 0) return false;
  entry->watched = true;
  entry->interest = events;
  return true;
}

static void leave_slice(poller *p, poller_entry *entry) {
  if (entry->slice_at > 0) p->slice[entry->slice_at - 1] = NULL;
  entry->slice_at = 0;
}

void poller_drop(poller *p, poller_entry *entry) {
  if (entry->watched) (void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, entry->fd, NULL);
  entry->watched = false;
  leave_slice(p, entry);
  again_cancel(p, entry);
}

/* False when the kernel reports no more. */
static bool refill(poller *p) {
  struct epoll_event events[SLICE];
  int n = epoll_wait(p->epoll, events, SLICE, 0);
  p->slice_next = 0;
  p->slice_count = n > 0 ? (unsigned)n : 0;
  p->is_ready = p->slice_count == SLICE; /* else there is no more to ask for */
  for (unsigned i = 0; i < p->slice_count; i++) {
    p->slice[i] = events[i].data.ptr;
    p->slice[i]->slice_at = (uint8_t)(i + 1);
    p->slice_events[i] = events[i].events;
  }
  return p->slice_count > 0;
}

/* The next of those that the kernel named, or NULL. */
static poller_entry *slice_take(poller *p, uint32_t *events) {
  for (;;) {
    while (p->slice_next < p->slice_count) {
      unsigned at = p->slice_next++;
      poller_entry *entry = p->slice[at];
      if (!entry) continue;
      leave_slice(p, entry);
      /* What it asks for may have changed since. */
      *events = p->slice_events[at] & (entry->interest | EPOLLHUP | EPOLLERR);
      if (*events) return entry;
    }
    if (!p->is_ready || !refill(p)) return NULL;
  }
}

/* ---- a turn --------------------------------------------------------------- */

bool poller_turn_is_over(const poller *p) {
  return uv_hrtime() >= p->until_ns;
}

/* One of each kind in turn, so that neither starves the other. */
static void serve(poller *p) {
  p->served = true;
  p->turn_number++;
  p->until_ns = uv_hrtime() + (uint64_t)POLLER_TURN_US * 1000;
  for (bool any = true; any && !poller_turn_is_over(p);) {
    uint32_t events;
    poller_entry *waiting = again_first(p);
    if (waiting) {
      again_cancel(p, waiting);
      waiting->ready(waiting, 0);
    }
    poller_entry *ready = slice_take(p, &events);
    if (ready) ready->ready(ready, events);
    any = waiting || ready;
  }
  p->until_ns = 0;
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  poller *p = poll->data;
  (void)status;
  (void)events;
  p->is_ready = true;
  serve(p);
}

/* The loop has polled. When no descriptor was ready, entries that wait still get their turn. */
static void on_polled(uv_check_t *check) {
  poller *p = check->data;
  if (!p->served && p->again.again_next != &p->again) serve(p);
  p->served = false;
}

/* ---- life ----------------------------------------------------------------- */

au_status poller_create(uv_loop_t *loop, poller **out) {
  poller *p = calloc(1, sizeof *p);
  if (!p) return AU_ENOMEM;
  p->again.again_prev = p->again.again_next = &p->again;
  p->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (p->epoll < 0 || uv_poll_init(loop, &p->readiness, p->epoll) != 0) {
    if (p->epoll >= 0) close(p->epoll);
    free(p);
    return AU_ENOMEM;
  }
  uv_check_init(loop, &p->polled);
  uv_idle_init(loop, &p->spin);
  p->readiness.data = p->polled.data = p->spin.data = p;
  uv_poll_start(&p->readiness, UV_READABLE, on_ready);
  uv_check_start(&p->polled, on_polled);
  *out = p;
  return AU_OK;
}

void poller_close(poller *p, void (*closed)(void *arg), void *arg) {
  join_stop_begin(&p->stop, closed, arg);
  join_stop_close(&p->stop, (uv_handle_t *)&p->readiness);
  join_stop_close(&p->stop, (uv_handle_t *)&p->polled);
  join_stop_close(&p->stop, (uv_handle_t *)&p->spin);
  join_stop_done(&p->stop);
}

void poller_free(poller *p) {
  if (!p) return;
  close(p->epoll);
  free(p);
}
