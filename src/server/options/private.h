/* What options.c (reads the settings), rows.c (the table), print.c (prints them) and unknown.c
 * (names that are none) share. Private to this folder. */
#ifndef OPTIONS_PRIVATE_H
#define OPTIONS_PRIVATE_H

#include "customers.h"
#include "options.h"
#include "table.h"
#include "webhooks.h"

/* A term of a sum. NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define OPTIONS_COUNT_ROW(group, flag, env, field, is, marks, arg, help) +1

enum {
  OPTION_ROWS = 1 OPTIONS_TABLE(OPTIONS_COUNT_ROW), /* the first is --config */
  OPTION_ACTIONS = 4,
  OPTIONS_NAME_MAX_BYTES = 64, /* of a wrong name that an error repeats */
  OPTIONS_WHERE_SIZE = 160,
};

/* A source overrules those before it. */
typedef enum option_source {
  FROM_DEFAULT,
  FROM_FILE,
  FROM_ENV,
  FROM_ENV_FILE, /* a secret: the variable's name with _FILE */
  FROM_FLAG,
} option_source;

typedef struct option_origin {
  option_source from;
  unsigned line; /* of the config file */
} option_origin;

struct options {
  options_action action;
  au_config config;
  const char *config_path;
  char *texts[OPTION_ROWS]; /* owned; what the strings above point at, by row */
  option_origin origins[OPTION_ROWS];
  bool open_to_others;           /* the file that was read last */
  bool secret;                   /* there is one */
  unsigned exposed[OPTION_ROWS]; /* a bit for each source that gave a secret to others, too */
  options_customers customers;
  options_webhooks webhooks;
};

typedef struct option_row {
  const char *group, *flag, *env;
  size_t offset; /* of the field in au_config; --config has none there */
  setting is;
  unsigned marks;
  const char *arg, *help;
} option_row;

extern const option_row option_rows[OPTION_ROWS];

extern const struct option_action {
  const char *flag;
  options_action action;
  const char *help;
} option_actions[OPTION_ACTIONS];

/* The flag, or with `in_file` the key, that was probably meant; NULL: none is close. */
const char *options_similar(const char *name, size_t len, bool in_file);

/* Every setting as it is without flags, environment and file. */
void options_set_defaults(options *o);

/* The field that a row is for. */
const void *options_field(const options *o, const option_row *r);

/* "--host", "AU_HOST", "AU_REDIS_URL_FILE", "/etc/au.conf:3" or "default". */
void options_where(const options *o, const option_row *r, option_origin at,
                   char out[OPTIONS_WHERE_SIZE]);

#endif
