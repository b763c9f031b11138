/* All that a daemon has for operators, and shares with other daemons: pseudonyms, blocks, orders,
 * lists, budgets. Builds, joins and stops the parts; has no logic of its own. */
#ifndef SERVICES_OFFICE_H
#define SERVICES_OFFICE_H

#include <active_users/config.h>

#include "census.h"
#include "fleet.h"
#include "services/budgets.h"

enum { OFFICE_KEY_MIN = 16 /* bytes of a privacy key */ };

typedef struct office {
  pseudonyms names;
  blocks *blocked;
  undo *undo;
  census *census;
  budgets *shared;
  fleet *fleet;
} office;

typedef struct office_config {
  uv_loop_t *loop;
  const au_clock *clock;
  const au_config *config;
  au_store *store;
  map_seed seed;
  uint64_t random[3]; /* others see what is made of these, and not of the seed */
  void (*charge_customer)(void *arg, budgets_customer which, au_slice customer_id, uint32_t n);
  void *arg;
} office_config;

/* Everything in `config` is borrowed. Returns AU_OK, AU_ENOMEM, or AU_EINVAL with the setting that
 * is wrong and why, both static. */
AU_MUST_CHECK au_status office_create(const office_config *config, const char **setting,
                                      const char **reason, office **out);

/* From now on these addresses have pseudonyms, can be blocked, and share what they spend. */
void office_take_addresses(office *o, addresses *all);

void office_start(office *o);
/* `stopped` runs once, from the loop. */
void office_stop(office *o, void (*stopped)(void *arg), void *arg);
/* Once it and the store have stopped, and before the addresses go. NULL is fine. */
void office_free(office *o);

#endif
