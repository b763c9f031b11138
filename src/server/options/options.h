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
  OPTIONS_PRINT_MARKDOWN, /* docs/reference/configuration.md, the whole page */
} options_action;

enum {
  OPTIONS_ERROR_SIZE = 512,
  OPTIONS_UNKNOWN_MAX = 16, /* variables that are warned of */
};

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

/* Overwrites with `*` the values of the secrets among the arguments, which every user of the
 * host can read. What is loaded is a copy that was taken before. */
void options_hide_secrets(int argc, char **argv);

/* Whether a setting that was read, overruled or not, holds a secret. A URL without a user
 * or a password holds none. */
bool options_have_secret(const options *opts);

/* Calls `fn` for each secret that other users of the host can read: one that was an argument,
 * or one in a file (`in_file`) whose mode lets the group or others read it. `where` is as in
 * --print-config: "--redis-url", "AU_REDIS_URL_FILE" or the path of the config file. */
typedef void (*options_exposed_fn)(const char *flag, const char *where, bool in_file);
void options_each_exposed(const options *opts, options_exposed_fn fn);

/* Calls `fn` for each variable of an environment that begins with AU_ and is no setting, at most
 * OPTIONS_UNKNOWN_MAX times. `name` is cut at 64 bytes; `similar` is the variable that was
 * probably meant, or NULL. */
typedef void (*options_unknown_fn)(au_slice name, const char *similar);
void options_each_unknown_variable(char *const *environment, options_unknown_fn fn);

/* Puts the place of a setting in front of an error of the server that begins with its name:
 * "/etc/au.conf:3: allowed-origins: …", "--allowed-origins: …". Other errors stay as they are. */
void options_locate(const options *opts, const char *error, char out[OPTIONS_ERROR_SIZE]);

options_action options_what(const options *opts);

/* Valid as long as `opts`. */
const au_config *options_config(const options *opts);

void options_print_help(FILE *to);
/* `key = value  # from` lines that --config takes back; secrets are masked. */
void options_print_config(const options *opts, FILE *to);
void options_print_markdown(FILE *to);

#endif
