/* Computes how much of the tables one address and one customer may take. */
#include "places.h"

#include "customer_limits.h"
#include "utils/limits/share.h"

#include <stdlib.h>

struct places {
  uint32_t max_sessions, max_customers;
  uint32_t of_address;
  uint32_t of_customer; /* without a limit of its own; 0: no limit */
  customer_limits *own;
};

static uint32_t half_of(uint32_t whole) {
  return whole > 1 ? whole / 2 : 1;
}

static au_status create(uint32_t max_sessions, uint32_t max_customers, const au_config *config,
                        places **out) {
  places *p = calloc(1, sizeof *p);
  if (!p) return AU_ENOMEM;
  au_status status = customer_limits_create(config, &p->own);
  if (status != AU_OK) {
    places_free(p);
    return status;
  }
  p->max_sessions = max_sessions;
  p->max_customers = max_customers;
  (void)share_parse(config->max_sessions_customer, max_sessions, &p->of_customer);
  uint32_t half = half_of(max_sessions);
  p->of_address = config->max_sessions_ip < half ? config->max_sessions_ip : half;
  *out = p;
  return AU_OK;
}

au_status places_create(const au_config *config, places **out) {
  return create(config->max_sessions, config->max_customers, config, out);
}

au_status places_renew(const places *p, const au_config *config, places **out) {
  return create(p->max_sessions, p->max_customers, config, out);
}

void places_free(places *p) {
  if (!p) return;
  customer_limits_free(p->own);
  free(p);
}

uint32_t places_of_customer(const places *p, au_slice customer_id) {
  uint32_t most = customer_limits_sessions(p->own, customer_id, p->of_customer);
  return most > 0 ? most : UINT32_MAX;
}

uint32_t places_of_address(const places *p) {
  return p->of_address;
}

uint32_t places_customers_of_address(const places *p) {
  return p->of_address > 0 ? half_of(p->max_customers) : 0;
}
