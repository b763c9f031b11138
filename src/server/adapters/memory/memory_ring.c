/* A queue of operations in one block of memory. */
#include "memory_ring.h"

#include <stdlib.h>
#include <string.h>

enum {
  RING_FIRST = 64,  /* operations there is room for at first */
  RING_KEPT = 1024, /* a larger ring is given back when it is empty */
};

void op_ring_free(op_ring *ring) {
  free(ring->ops);
  *ring = (op_ring){0};
}

au_status op_ring_reserve(op_ring *ring) {
  if (ring->count < ring->capacity) return AU_OK;
  if (ring->count == MEMORY_IN_FLIGHT_MAX) return AU_EBUSY;
  size_t capacity = ring->capacity ? ring->capacity * 2 : RING_FIRST;
  op *ops = malloc(capacity * sizeof *ops);
  if (!ops) return AU_ENOMEM;
  if (ring->count > 0) { /* full: from the head to the end, then from the start to the head */
    size_t first = ring->capacity - ring->head;
    memcpy(ops, ring->ops + ring->head, first * sizeof *ops);
    memcpy(ops + first, ring->ops, ring->head * sizeof *ops);
  }
  free(ring->ops);
  *ring = (op_ring){.ops = ops, .capacity = capacity, .count = ring->count};
  return AU_OK;
}

op *op_ring_push(op_ring *ring, op_kind kind, au_slice id, void *arg) {
  op *o = &ring->ops[(ring->head + ring->count++) & (ring->capacity - 1)];
  o->kind = kind;
  o->arg = arg;
  o->id_len = (uint8_t)id.len;
  if (id.len > 0) memcpy(o->id, id.ptr, id.len);
  return o;
}

bool op_ring_pop(op_ring *ring, op *out) {
  if (ring->count == 0) return false;
  *out = ring->ops[ring->head];
  ring->head = (ring->head + 1) & (ring->capacity - 1);
  ring->count--;
  if (ring->count == 0 && ring->capacity > RING_KEPT) op_ring_free(ring);
  return true;
}
