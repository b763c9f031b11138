/* Reads and prints the lines of the config file that hold for one customer. */
#include "customers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "utils/buffer.h"
#include "utils/text/id.h"
#include "utils/text/setting.h"

enum { ROWS = 4, FIRST_CAPACITY = 16 };

static const struct {
  const char *name; /* before the dot */
  size_t offset;    /* in au_customer_limits: an int64_t, or a text that is owned here */
  setting is;
  unsigned marks;
} rows[ROWS] = {
    {"rate-customer", offsetof(au_customer_limits, rate_per_min), IS_WHOLE(0, OPTION_MAX_RATE), 0},
    {"max-sessions", offsetof(au_customer_limits, max_sessions), IS_WHOLE(0, OPTION_MAX_SESSIONS),
     0},
    {"token-secret", offsetof(au_customer_limits, token_secret), IS_TEXT(1, OPTION_TEXT_MAX),
     OPTION_SECRET},
    {"allowed-origins", offsetof(au_customer_limits, allowed_origins), IS_TEXT(1, OPTION_TEXT_MAX),
     0},
};

typedef struct options_customer_line {
  unsigned of[ROWS]; /* 0: not set */
} options_customer_line;

static void *field_of(const options_customers *all, size_t i, size_t which) {
  return (char *)&all->list[i] + rows[which].offset;
}

static const char **text_at(const options_customers *all, size_t i, size_t which) {
  return field_of(all, i, which);
}

void options_customers_free(options_customers *all) {
  for (size_t i = 0; i < all->count; i++) {
    free((char *)all->list[i].customer_id);
    for (size_t which = 0; which < ROWS; which++)
      if (rows[which].is.type == SETTING_TEXT) free((char *)*text_at(all, i, which));
  }
  free(all->list);
  free(all->lines);
}

/* Which row a key names, ROWS: none. */
static size_t find_row(const char *key) {
  size_t len = strcspn(key, "."), i = 0;
  if (key[len] == '\0') return ROWS;
  while (i < ROWS && (strlen(rows[i].name) != len || memcmp(rows[i].name, key, len) != 0)) i++;
  return i;
}

bool options_customers_has(const char *key) {
  return find_row(key) < ROWS;
}

static bool reserve(options_customers *all) {
  if (all->count < all->capacity) return true;
  size_t capacity = all->capacity ? 2 * all->capacity : FIRST_CAPACITY;
  au_customer_limits *list = realloc(all->list, capacity * sizeof *list);
  if (!list) return false;
  all->list = list;
  options_customer_line *lines = realloc(all->lines, capacity * sizeof *lines);
  if (!lines) return false;
  all->lines = lines;
  all->capacity = capacity;
  return true;
}

/* The place of a customer, which is created if need be; `count` without memory. A file holds
 * too few to need more than a search from the start. */
static size_t find_or_add(options_customers *all, const char *id) {
  size_t i = 0;
  while (i < all->count && strcmp(all->list[i].customer_id, id) != 0) i++;
  if (i < all->count || !reserve(all)) return i;
  char *copy = strdup(id);
  if (!copy) return i;
  all->list[i] = (au_customer_limits){.customer_id = copy, .rate_per_min = -1, .max_sessions = -1};
  all->lines[i] = (options_customer_line){{0}};
  all->count++;
  return i;
}

au_status options_customers_set(options_customers *all, const char *key, const char *value,
                                unsigned line, char problem[OPTIONS_CUSTOMERS_PROBLEM_SIZE]) {
  size_t which = find_row(key);
  const char *id = key + strlen(rows[which].name) + 1;
  setting_value parsed;
  if (!id_valid(slice_of(id))) {
    snprintf(problem, OPTIONS_CUSTOMERS_PROBLEM_SIZE,
             "behind %s. stands no customer id of 1 to %d characters", rows[which].name, AU_ID_MAX);
    return AU_EINVAL;
  }
  if (!setting_parse(&rows[which].is, value, &parsed, problem)) return AU_EINVAL;
  size_t i = find_or_add(all, id);
  if (i == all->count) return AU_ENOMEM;
  unsigned *set_in = &all->lines[i].of[which];
  if (*set_in) {
    snprintf(problem, OPTIONS_CUSTOMERS_PROBLEM_SIZE, "is already set in line %u", *set_in);
    return AU_EINVAL;
  }
  if (rows[which].is.type == SETTING_TEXT) {
    char *copy = strdup(parsed.text);
    if (!copy) return AU_ENOMEM;
    *text_at(all, i, which) = copy;
  } else {
    *(int64_t *)field_of(all, i, which) = parsed.whole;
  }
  *set_in = line;
  return AU_OK;
}

unsigned options_customers_line_of(const options_customers *all, const char *error) {
  for (size_t which = 0; which < ROWS; which++) {
    size_t len = strlen(rows[which].name);
    if (strncmp(error, rows[which].name, len) != 0 || error[len] != '.') continue;
    au_slice id = {error + len + 1, strcspn(error + len + 1, ":")};
    for (size_t i = 0; i < all->count; i++)
      if (slice_eq(id, slice_of(all->list[i].customer_id))) return all->lines[i].of[which];
  }
  return 0;
}

void options_customers_print(const options_customers *all, const char *path, FILE *to) {
  for (size_t i = 0; i < all->count; i++)
    for (size_t which = 0; which < ROWS; which++) {
      if (!all->lines[i].of[which]) continue;
      fprintf(to, "%s.%s = ", rows[which].name, all->list[i].customer_id);
      if (rows[which].marks & OPTION_SECRET)
        fputs(OPTIONS_STARS, to);
      else if (rows[which].is.type == SETTING_TEXT)
        fputs(*text_at(all, i, which), to);
      else
        fprintf(to, "%" PRId64, *(const int64_t *)field_of(all, i, which));
      fprintf(to, "  # %.128s:%u\n", path, all->lines[i].of[which]);
    }
}

void options_customers_print_markdown(FILE *to) {
  fputs("### Settings of one customer\n\n"
        "These keys of the file hold for one customer, whose id stands behind a dot; such lines\n"
        "are in the file only, and `SIGHUP` takes them over. Behind an id with a `=` in it stands\n"
        "a blank.\n\n"
        "| key | range | meaning |\n"
        "|---|---|---|\n"
        "| `rate-customer.ID` | 0 to 10000000 | requests a minute, instead of `rate-customer`; 0: "
        "no limit |\n"
        "| `max-sessions.ID` | 0 to 100000000 | live sessions, instead of "
        "`max-sessions-customer`; 0: no limit |\n"
        "| `token-secret.ID` | not empty | secrets, instead of `token-secret` "
        "([tokens](../howto/tokens.md)) "
        "|\n"
        "| `allowed-origins.ID` | not empty | origins, instead of `allowed-origins` "
        "([origins](../howto/origins.md)) |\n\n"
        "```ini\n"
        "rate-customer.shop123 = 50000\n"
        "max-sessions.shop123  = 20000\n"
        "token-secret.shop123  = 2026:9c1f0b6a52c54a1f8e0d7c3b2a190817\n"
        "allowed-origins.shop123 = https://shop.example, https://*.shop.example\n"
        "```\n\n",
        to);
}
