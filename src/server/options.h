/* The option table: one row gives the flag, the environment variable, the key of
 * the config file, the default, the range and the help. A flag beats the
 * environment, which beats the file. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <active_users/config.h>
#include <stdio.h>

typedef struct options options;

typedef enum options_action {
  OPTIONS_RUN,
  OPTIONS_HELP,
  OPTIONS_VERSION,
  OPTIONS_PRINT_CONFIG,
  OPTIONS_PRINT_MARKDOWN, /* docs/configuration.md, the whole page */
} options_action;

enum { OPTIONS_ERROR_SIZE = 512 };

/* Looks up an environment variable; main passes getenv, tests a table. */
typedef const char *(*options_env_fn)(const char *name);

/* Reads flags, environment, secrets' files and the config file.
 *
 * out    owned by the caller, freed with options_free; set only on AU_OK.
 * error  one line for a person when the status is not AU_OK; never a secret.
 *
 * Returns AU_OK, AU_EINVAL or AU_ENOMEM. */
AU_MUST_CHECK au_status options_load(int argc, char *const *argv, options_env_fn env, options **out,
                                     char error[OPTIONS_ERROR_SIZE]);
void options_free(options *opts);

options_action options_what(const options *opts);

/* Valid as long as `opts`. */
const au_config *options_config(const options *opts);

void options_print_help(FILE *to);
/* `key = value  # from` lines that --config takes back; secrets are masked. */
void options_print_config(const options *opts, FILE *to);
void options_print_markdown(FILE *to);

#endif
