/* Settings of single customers in the config file: `rate-customer.shop = 50000`,
 * `max-sessions.shop = 20000`, `token-secret.shop = …`, `allowed-origins.shop = …`. Opens no file.
 */
#ifndef OPTIONS_CUSTOMERS_H
#define OPTIONS_CUSTOMERS_H

#include <active_users/config.h>
#include <stdio.h>

enum { OPTIONS_CUSTOMERS_PROBLEM_SIZE = 256 };

/* Printed instead of a secret. */
#define OPTIONS_STARS "***"

/* Zero-initialised is empty. */
typedef struct options_customers {
  au_customer_limits *list; /* by id, for au_config */
  size_t count;
  struct options_customer_line *lines; /* where each entry was set, as `list` */
  size_t capacity;
} options_customers;

void options_customers_free(options_customers *all);

/* Whether a key is one of these: a name that is known here, and an id behind a dot. */
bool options_customers_has(const char *key);

/* Reads one line. Returns AU_OK, AU_ENOMEM, or AU_EINVAL with `problem` set: the value is out
 * of range, the id is none, or the key was set before. */
AU_MUST_CHECK au_status options_customers_set(options_customers *all, const char *key,
                                              const char *value, unsigned line,
                                              char problem[OPTIONS_CUSTOMERS_PROBLEM_SIZE]);

/* The line of the key that an error begins with, `KEY: …`; 0: none that was set. */
unsigned options_customers_line_of(const options_customers *all, const char *error);

/* The lines again, each with the line of `path` it came from; secrets are masked. */
void options_customers_print(const options_customers *all, const char *path, FILE *to);

/* The section of docs/reference/configuration.md about these keys. */
void options_customers_print_markdown(FILE *to);

#endif
