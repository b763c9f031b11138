/* Keeps the highest of a round in a heap whose root is the lowest of them. */
#include "top_customers.h"

#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

typedef struct ranking {
  top_customer *heap;
  size_t n;
  uint64_t others; /* sum of counts */
  double others_ema;
} ranking;

struct top_customers {
  size_t max;
  ranking now, last; /* the round under way, and the last whole one */
};

au_status top_customers_create(size_t n, top_customers **out) {
  top_customers *t = calloc(1, sizeof *t);
  if (!t) return AU_ENOMEM;
  t->max = n;
  t->now.heap = calloc(n, sizeof(top_customer));
  t->last.heap = calloc(n, sizeof(top_customer));
  if (!t->now.heap || !t->last.heap) {
    top_customers_free(t);
    return AU_ENOMEM;
  }
  *out = t;
  return AU_OK;
}

void top_customers_free(top_customers *t) {
  if (!t) return;
  free(t->now.heap);
  free(t->last.heap);
  free(t);
}

void top_customers_begin(top_customers *t) {
  t->now = (ranking){.heap = t->now.heap};
}

static void swap(top_customer *a, top_customer *b) {
  top_customer other = *a;
  *a = *b;
  *b = other;
}

static void sift_up(ranking *r, size_t at) {
  for (; at > 0 && r->heap[at].count < r->heap[(at - 1) / 2].count; at = (at - 1) / 2)
    swap(&r->heap[at], &r->heap[(at - 1) / 2]);
}

static void sift_down(ranking *r) {
  for (size_t at = 0, child; (child = 2 * at + 1) < r->n; at = child) {
    if (child + 1 < r->n && r->heap[child + 1].count < r->heap[child].count) child++;
    if (r->heap[at].count <= r->heap[child].count) return;
    swap(&r->heap[at], &r->heap[child]);
  }
}

static void add_to_others(ranking *r, uint32_t count, double ema) {
  r->others += count;
  r->others_ema += ema;
}

static void put(top_customer *at, au_slice id, uint32_t count, double ema) {
  at->count = count;
  at->ema = ema;
  at->id_len = (uint8_t)id.len;
  memcpy(at->id, id.ptr, id.len);
}

void top_customers_note(top_customers *t, au_slice customer_id, uint32_t count, double ema) {
  ranking *r = &t->now;
  if (slice_eq(customer_id, slice_of(TOP_CUSTOMERS_OTHER))) {
    add_to_others(r, count, ema);
  } else if (r->n < t->max) {
    put(&r->heap[r->n], customer_id, count, ema);
    sift_up(r, r->n++);
  } else if (count > r->heap[0].count) {
    add_to_others(r, r->heap[0].count, r->heap[0].ema);
    put(&r->heap[0], customer_id, count, ema);
    sift_down(r);
  } else {
    add_to_others(r, count, ema);
  }
}

void top_customers_end(top_customers *t) {
  ranking whole = t->now;
  t->now = (ranking){.heap = t->last.heap};
  t->last = whole;
}

const top_customer *top_customers_list(const top_customers *t, size_t *n, top_customer *others) {
  const ranking *r = &t->last;
  *n = r->n;
  *others = (top_customer){.count = r->others > UINT32_MAX ? UINT32_MAX : (uint32_t)r->others,
                           .ema = r->others_ema};
  return r->heap;
}
