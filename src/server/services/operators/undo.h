/* Ends sessions that operators want ended: of a customer, one of them, or all that an address has
 * begun. Walks in pages, so that nobody else waits for it, and does one order after the other.
 * Knows no HTTP and no other daemon. */
#ifndef SERVICES_UNDO_H
#define SERVICES_UNDO_H

#include <active_users/store.h>

enum { UNDO_ORDERS_MAX = 64 /* that wait */ };

typedef enum undo_kind { UNDO_CUSTOMER, UNDO_SESSION, UNDO_ADDRESS } undo_kind;

typedef struct undo_order {
  undo_kind kind;
  au_slice customer_id, session_id; /* valid ids, of the first two kinds */
  uint64_t address;                 /* its pseudonym */
  /* Another daemon got the order so many ms ago, and has done what concerns the store: what is left
   * are sessions of this daemon's own table that were not renewed since. -1: this one got it. */
  int64_t age_ms;
} undo_order;

/* ended  how many sessions, whatever the status. */
typedef void (*undo_fn)(au_status status, uint32_t ended, void *arg);

typedef struct undo undo;

/* name_of  the pseudonym of a beat's source.
 * store is borrowed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status undo_create(au_store *store, uint64_t (*name_of)(const void *source),
                                    undo **out);

/* Begins, now or when those before it are done. `order` is copied. `cb` may be NULL. Returns AU_OK,
 * AU_EBUSY or AU_ENOMEM, and what else the store returns; then `cb` does not run. */
AU_MUST_CHECK au_status undo_begin(undo *u, const undo_order *order, undo_fn cb, void *arg);

/* Once the store has stopped: orders that wait end with AU_ECANCELED. NULL is fine. */
void undo_free(undo *u);

#endif
