/* Shares what addresses and customers have spent between the daemons of one store: what was spent
 * here since the last exchange goes there about once a second, and what others have spent comes
 * back and is charged here. Between two exchanges each daemon goes by what it knows, and while the
 * store is lost by what is spent at itself. Knows neither windows nor limits. */
#ifndef SERVICES_BUDGETS_H
#define SERVICES_BUDGETS_H

#include <active_users/store.h>

#include "addresses.h"
#include "utils/map.h"
#include "utils/time.h"

enum {
  BUDGETS_ENTRIES_MAX = 20000, /* above it what is new is not shared */
  BUDGETS_EXCHANGE_MAX = 2000, /* entries of one exchange; the others come with the next */
  BUDGETS_KEPT_MS = 120000,    /* an entry of which nothing was spent any more */
};

typedef enum budgets_customer { BUDGETS_PRESENCE, BUDGETS_READS } budgets_customer;

typedef struct budgets budgets;

typedef struct budgets_config {
  const au_clock *clock;
  au_store *store;
  map_seed seed;
  /* Whether addresses have the same names at all daemons, and may leave this one. */
  bool (*knows_names)(void *arg);
  void *knows_arg;
  /* Others have spent so much of a customer's limit. */
  void (*charge_customer)(void *arg, budgets_customer which, au_slice customer_id, uint32_t n);
  void *arg;
} budgets_config;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status budgets_create(const budgets_config *config, budgets **out);
/* Once the store has stopped, before the addresses go. NULL is fine. */
void budgets_free(budgets *b);

/* One request was paid for here. */
void budgets_spent_address(budgets *b, address *a, address_pot pot);
void budgets_spent_customer(budgets *b, budgets_customer which, au_slice customer_id);

/* Begins an exchange, unless one is under way. Once a second, from the loop. */
void budgets_exchange(budgets *b);

#endif
