/* The limits in the order of au_config.customers, and an index of the ids. */
#include "customer_limits.h"

#include <stdlib.h>

#include "customer_index.h"

typedef struct limits {
  int64_t rate_per_min, max_sessions; /* -1: as for all */
} limits;

struct customer_limits {
  customer_index *index;
  limits of[];
};

au_status customer_limits_create(const au_config *config, customer_limits **out) {
  size_t count = config->customers_count;
  customer_limits *all = calloc(1, sizeof *all + count * sizeof all->of[0]);
  if (!all) return AU_ENOMEM;
  au_status status = customer_index_create(config, &all->index);
  if (status != AU_OK) {
    free(all);
    return status;
  }
  for (size_t i = 0; i < count; i++)
    all->of[i] = (limits){config->customers[i].rate_per_min, config->customers[i].max_sessions};
  *out = all;
  return AU_OK;
}

void customer_limits_free(customer_limits *all) {
  if (!all) return;
  customer_index_free(all->index);
  free(all);
}

static uint32_t own_or(int64_t own, uint32_t otherwise) {
  return own < 0 ? otherwise : (uint32_t)own;
}

uint32_t customer_limits_rate(const customer_limits *all, au_slice customer_id,
                              uint32_t otherwise) {
  size_t at = customer_index_find(all->index, customer_id);
  return at == SIZE_MAX ? otherwise : own_or(all->of[at].rate_per_min, otherwise);
}

uint32_t customer_limits_sessions(const customer_limits *all, au_slice customer_id,
                                  uint32_t otherwise) {
  size_t at = customer_index_find(all->index, customer_id);
  return at == SIZE_MAX ? otherwise : own_or(all->of[at].max_sessions, otherwise);
}
