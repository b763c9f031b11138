/* The operations of the memory store that were begun and not answered, oldest first,
 * in a ring that grows up to a limit: no allocation for each. Private to the store.
 * Knows what an operation carries, not what it does. */
#ifndef ADAPTERS_MEMORY_RING_H
#define ADAPTERS_MEMORY_RING_H

#include <active_users/store.h>

enum { MEMORY_IN_FLIGHT_MAX = 65536 };

/* What is left to do when an operation is answered. Touch, leave and shorten are
 * done when they are called. The others wait for their turn: a sample is as fresh
 * as its answer, and no list of due customers is changed under its reader. */
typedef enum op_kind {
  OP_DONE,
  OP_SAMPLE,
  OP_DUE,
  OP_SAVE,
  OP_EVICT,
  OP_PUBLISH,
  OP_LIST,
  OP_BREAKDOWN,
  OP_ENDED,
} op_kind;

typedef struct op {
  op_kind kind;
  union {
    au_done_fn done;
    au_sample_fn sample;
    au_due_fn due;
    au_page_fn page;
    au_breakdown_fn breakdown;
    au_ended_fn ended;
  } cb;
  void *arg;
  union {
    double ema;         /* OP_SAVE */
    au_metrics metrics; /* OP_PUBLISH; its customer id is `id` */
    struct {
      int64_t min_age_ms;
      size_t skip, max;
    } due;
    struct {
      au_list_kind kind;
      uint64_t cursor;
      char *session_id; /* AU_LIST_SESSION; owned by the operation, ended by NUL */
    } list;             /* its customer id is `id` */
    bool ended;
    bool with_pages; /* OP_BREAKDOWN */
  } in;
  uint8_t id_len;
  char id[AU_ID_MAX];
} op;

/* Zero-initialise. `capacity` is a power of two, or 0 before the first operation. */
typedef struct op_ring {
  op *ops;
  size_t capacity, head, count;
} op_ring;

void op_ring_free(op_ring *ring);

/* Makes room for one more. Returns AU_OK, AU_EBUSY (MEMORY_IN_FLIGHT_MAX are in
 * flight) or AU_ENOMEM. */
AU_MUST_CHECK au_status op_ring_reserve(op_ring *ring);

/* Adds one, only after op_ring_reserve. The caller fills in what its kind needs
 * before the next call. `id` may be empty; it is copied and at most AU_ID_MAX. */
op *op_ring_push(op_ring *ring, op_kind kind, au_slice id, void *arg);

/* Takes out the oldest; false when there is none. A copy, because its callback may
 * begin others. */
bool op_ring_pop(op_ring *ring, op *out);

#endif
