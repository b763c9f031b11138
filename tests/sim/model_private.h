/* What the two files of the model share. */
#ifndef SIM_MODEL_PRIVATE_H
#define SIM_MODEL_PRIVATE_H

#include "model.h"

enum { MODEL_TICKS = 64, MODEL_LOCAL = 64, MODEL_HOSTS = 64 };

typedef struct model_tick {
  int64_t at_ms; /* on Redis's clock, as written there */
  double ema;
} model_tick;

typedef struct model_customer {
  char id[32];
  bool troubled;
  int64_t trouble_began_ms, trouble_until_ms, calm_from_ms;
  unsigned version; /* changes with all that changes its bounds */

  model_tick ticks[MODEL_TICKS]; /* the newest, in a ring */
  unsigned tick_count;
  double local[MODEL_LOCAL]; /* averages that daemons made without Redis */
  unsigned local_count;
  int64_t ticked_true_ms; /* the last tick in true time */
  bool ticked_calmly;
} model_customer;

typedef struct model_state {
  model_config config;
  model_customer customers[CUSTOMERS_MAX];
  model_session sessions[SESSIONS_MAX];
  uint64_t operations;
  int64_t clocks_doubted_until_ms;
  int64_t right_from_ms[MODEL_HOSTS]; /* of hosts, by their numbers; 0: not yet */
} model_state;

extern model_state model;

bool model_clocks_are_doubted(void);

#endif
