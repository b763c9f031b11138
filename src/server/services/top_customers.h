/* The customers with the highest counts of the last whole tick, and the sum of all others. Knows
 * nothing of who reads it. Its memory is that of the N it was made for, whatever the number of
 * customers. */
#ifndef SERVICES_TOP_CUSTOMERS_H
#define SERVICES_TOP_CUSTOMERS_H

#include <active_users/types.h>

#include <stddef.h>

enum { TOP_CUSTOMERS_MAX = 1000 };

#define TOP_CUSTOMERS_OTHER "other" /* stands for all that are not named */

typedef struct top_customer {
  uint32_t count;
  double ema;
  uint8_t id_len;
  char id[AU_ID_MAX];
} top_customer;

typedef struct top_customers top_customers;

/* n  1 to TOP_CUSTOMERS_MAX. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status top_customers_create(size_t n, top_customers **out);
void top_customers_free(top_customers *t);

/* A round of customers begins; what was noted since the last end is dropped. */
void top_customers_begin(top_customers *t);
/* One customer of the round; once each. One that is called TOP_CUSTOMERS_OTHER is among the others.
 * O(log n), and a comparison for most. */
void top_customers_note(top_customers *t, au_slice customer_id, uint32_t count, double ema);
/* The round is whole: from now on it is what is read. */
void top_customers_end(top_customers *t);

/* Those of the last whole round, in no order; valid until the next end.
 * others  the sums of the counts and averages of all customers that are not among them. */
const top_customer *top_customers_list(const top_customers *t, size_t *n, top_customer *others);

#endif
