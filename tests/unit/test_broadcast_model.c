/* A random walk of subscribers, messages and slices, against a model of who is owed
 * what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/broadcast.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 6, LISTENERS = 60, STEPS = 100000 };

typedef struct listener {
  subscriber s;   /* first */
  int customer;   /* -1: not subscribed */
  uint32_t heard; /* number of the last message it got, or of the last before it came */
} listener;

static struct model {
  broadcast *broadcast;
  listener listeners[LISTENERS];
  uint32_t last[CUSTOMERS];                 /* number of the newest message */
  int64_t spoken_ms[CUSTOMERS];             /* -1: silent */
  unsigned spoken_at[CUSTOMERS], publishes; /* in which order */
  int64_t listed_ms[CUSTOMERS];             /* of the silent; 0: never since it fell silent */
  int subscribers[CUSTOMERS];
  bool watched[CUSTOMERS];
  int64_t now_ms;
  size_t delivered; /* in this run */
  unsigned deliveries, overtaken, emptied, acts, wakes;
  bool reckless; /* deliver does things */
} m;

/* The text of a message: its customer and its number. */
static frame *print(const au_metrics *metrics) {
  char text[16];
  int len = snprintf(text, sizeof text, "%c%u", metrics->customer_id.ptr[0], metrics->count);
  return frame_create((au_slice){text, (size_t)len});
}

static int customer_at(au_slice id) {
  assert_int_equal(id.len, 1);
  return id.ptr[0] - 'A';
}

/* A message began after it came, and it has not got the newest yet. */
static bool is_owed(const listener *l) {
  return l->customer >= 0 && l->heard < m.last[l->customer];
}

static size_t owed_to(int customer) {
  size_t n = 0;
  for (int i = 0; i < LISTENERS; i++)
    n += m.listeners[i].customer == customer && is_owed(&m.listeners[i]);
  return n;
}

static size_t owed(void) {
  size_t n = 0;
  for (int c = 0; c < CUSTOMERS; c++) n += owed_to(c);
  return n;
}

static void model_wake(void *arg) {
  assert_ptr_equal(arg, &m);
  m.wakes++;
}

static au_status model_subscription(void *arg, au_slice customer_id, bool on) {
  assert_ptr_equal(arg, &m);
  int c = customer_at(customer_id);
  assert_int_equal(m.watched[c], !on);
  assert_int_equal(m.subscribers[c], 0);
  m.watched[c] = on;
  return AU_OK;
}

static void model_subscribe(listener *l, int customer) {
  char id = (char)('A' + customer);
  if (m.subscribers[customer] == 0) {
    m.spoken_ms[customer] = -1;
    m.listed_ms[customer] = 0;
  }
  assert_int_equal(broadcast_subscribe(m.broadcast, (au_slice){&id, 1}, &l->s), AU_OK);
  m.subscribers[customer]++;
  assert_true(m.watched[customer]);
  l->customer = customer;
  l->heard = m.last[customer]; /* older ones are not for it */
}

static void model_unsubscribe(listener *l) {
  if (l->customer >= 0) {
    m.subscribers[l->customer]--;
    m.emptied += m.subscribers[l->customer] == 0;
  }
  broadcast_unsubscribe(m.broadcast, &l->s);
  if (l->customer >= 0) assert_int_equal(m.watched[l->customer], m.subscribers[l->customer] > 0);
  l->customer = -1;
}

/* Somebody, often `self`, comes, goes or moves. */
static void model_act(listener *self) {
  m.acts++;
  switch (rand() % 8) {
  case 0:
  case 1: model_unsubscribe(self); break;
  case 2: model_unsubscribe(&m.listeners[rand() % LISTENERS]); break;
  case 3:
    if (self->customer < 0) break;
    for (int i = 0, customer = self->customer; i < LISTENERS; i++)
      if (m.listeners[i].customer == customer) model_unsubscribe(&m.listeners[i]);
    break;
  case 4:
    model_unsubscribe(self);
    model_subscribe(self, rand() % CUSTOMERS);
    break;
  default: {
    listener *other = &m.listeners[rand() % LISTENERS];
    if (other->customer < 0) model_subscribe(other, rand() % CUSTOMERS);
    break;
  }
  }
}

static void model_deliver(subscriber *s, frame *message) {
  listener *l = (listener *)s;
  assert_true(l->customer >= 0);
  assert_int_equal(frame_text(message)[0], 'A' + l->customer);
  uint32_t number = 0;
  for (size_t i = 1; i < message->len; i++)
    number = number * 10 + (uint32_t)(frame_text(message)[i] - '0');
  assert_int_equal(number, m.last[l->customer]); /* the newest */
  assert_true(number > l->heard);                /* once, and only what began after it came */
  l->heard = number;
  m.delivered++;
  m.deliveries++;
  if (m.reckless && rand() % 4 == 0) model_act(l);
}

static void model_publish(int customer) {
  char id = (char)('A' + customer);
  au_metrics metrics = {.customer_id = {&id, 1}, .count = m.last[customer] + 1};
  unsigned wakes = m.wakes;
  if (m.subscribers[customer] > 0) {
    m.overtaken += owed_to(customer) > 0;
    m.last[customer]++;
    m.spoken_ms[customer] = m.now_ms;
    m.spoken_at[customer] = ++m.publishes;
  }
  broadcast_publish(m.broadcast, &metrics, m.now_ms);
  assert_int_equal(m.wakes, wakes + (m.subscribers[customer] > 0));
}

static void model_run(size_t max) {
  size_t before = owed();
  m.delivered = 0;
  bool more = broadcast_run(m.broadcast, max);
  assert_int_equal(more, owed() > 0);
  if (!m.reckless) assert_int_equal(m.delivered, before < max ? before : max);
  assert_true(m.delivered <= max);
  assert_true(m.delivered == max || !more);
}

/* The customer that was published first of those that are silent now, or -1. */
static int model_next_silent(int64_t before_ms) {
  int first = -1;
  for (int c = 0; c < CUSTOMERS; c++) {
    if (m.subscribers[c] == 0 || m.spoken_ms[c] < 0 || m.spoken_ms[c] >= before_ms) continue;
    if (first < 0 || m.spoken_at[c] < m.spoken_at[first]) first = c;
  }
  return first;
}

/* All that are silent and were not listed in this round, longest not listed first, up to
 * `max`, which also bounds how many become silent at once. */
static void model_quiet(int64_t before_ms, size_t max) {
  au_slice ids[CUSTOMERS];
  size_t n = broadcast_list_idle(m.broadcast, before_ms, m.now_ms, ids, max), want = 0;
  for (size_t i = 0; i < max; i++) {
    int c = model_next_silent(before_ms);
    if (c < 0) break;
    m.spoken_ms[c] = -1;
    m.listed_ms[c] = 0;
  }
  for (int c = 0; c < CUSTOMERS; c++)
    want += m.subscribers[c] > 0 && m.spoken_ms[c] < 0 && m.listed_ms[c] < m.now_ms;
  assert_int_equal(n, want < max ? want : max);
  int64_t last_ms = 0;
  for (size_t i = 0; i < n; i++) {
    int c = customer_at(ids[i]);
    assert_true(m.subscribers[c] > 0 && m.spoken_ms[c] < 0);
    assert_true(m.listed_ms[c] >= last_ms && m.listed_ms[c] < m.now_ms);
    last_ms = m.listed_ms[c];
    m.listed_ms[c] = m.now_ms;
  }
  for (int c = 0; c < CUSTOMERS; c++) /* whoever was left out was listed later */
    if (n == max && m.subscribers[c] > 0 && m.spoken_ms[c] < 0)
      assert_true(m.listed_ms[c] >= last_ms);
}

static void model_step(void) {
  listener *l = &m.listeners[rand() % LISTENERS];
  m.now_ms += rand() % 3;
  switch (rand() % 16) {
  case 0:
  case 1:
  case 2:
  case 3:
    if (l->customer < 0) model_subscribe(l, rand() % CUSTOMERS);
    break;
  case 4:
  case 5: model_unsubscribe(l); break;
  case 6:
  case 7:
  case 8:
  case 9: model_publish(rand() % CUSTOMERS); break;
  case 10: model_quiet(m.now_ms - rand() % 20, (size_t)rand() % CUSTOMERS); break;
  case 11: model_run(1000); break;
  case 12: /* a storm, to empty whole topics */
    if (rand() % 20 != 0) break;
    for (int i = 0; i < LISTENERS; i++)
      if (rand() % 10 != 0) model_unsubscribe(&m.listeners[i]);
    break;
  default: model_run((size_t)rand() % 12); break;
  }
}

static void a_random_walk_agrees_with_a_model(void **state) {
  (void)state;
  for (int reckless = 0; reckless < 2; reckless++) {
    unsigned random_seed = 20240613;
    printf("random walk: seed %u, %s\n", random_seed,
           reckless ? "deliver acts" : "deliver listens");
    srand(random_seed);
    memset(&m, 0, sizeof m);
    m.now_ms = 1000;
    m.reckless = reckless;
    broadcast_hooks hooks = {model_wake, model_subscription, print, &m, 0, NULL};
    assert_int_equal(broadcast_create((map_seed){5, 6}, &hooks, &m.broadcast), AU_OK);
    for (int i = 0; i < LISTENERS; i++) {
      m.listeners[i].s.deliver = model_deliver;
      m.listeners[i].customer = -1;
    }
    for (int step = 0; step < STEPS; step++) model_step();
    while (owed() > 0) model_run(7);
    assert_true(m.deliveries > STEPS / 10 && m.overtaken > 1000 && m.emptied > 100);
    assert_int_equal(m.acts > 1000, reckless);
    for (int i = 0; i < LISTENERS; i++) model_unsubscribe(&m.listeners[i]);
    for (int c = 0; c < CUSTOMERS; c++) assert_false(m.watched[c]);
    broadcast_free(m.broadcast);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_random_walk_agrees_with_a_model),
  };
  return cmocka_run_group_tests_name("broadcast model", tests, NULL, NULL);
}
