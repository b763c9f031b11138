/* Webhooks in the config file:
 *
 *   webhook.crowd = https://hooks.example/x customer shop above 500 until 450 for 60s
 *   webhook.empty = https://hooks.example/x customer shop below 1 for 10m
 *   webhook.redis = https://hooks.example/x store degraded for 30s
 *
 * Opens no file. What the URL says is for the server to judge. */
#ifndef OPTIONS_WEBHOOKS_H
#define OPTIONS_WEBHOOKS_H

#include <active_users/config.h>
#include <stdio.h>

enum { OPTIONS_WEBHOOKS_PROBLEM_SIZE = 256 };

/* Zero-initialised is empty. */
typedef struct options_webhooks {
  au_webhook *list; /* in the order of the file, for au_config */
  size_t count;
  unsigned *lines; /* where each was set */
} options_webhooks;

void options_webhooks_free(options_webhooks *all);

/* Whether a key is one of these. */
bool options_webhooks_has(const char *key);

/* Reads one line. Returns AU_OK, AU_ENOMEM, or AU_EINVAL with `problem` set, which quotes what is
 * wrong; never the URL, which may hold a secret. */
AU_MUST_CHECK au_status options_webhooks_set(options_webhooks *all, const char *key,
                                             const char *value, unsigned line,
                                             char problem[OPTIONS_WEBHOOKS_PROBLEM_SIZE]);

/* The line of the key that an error begins with, `webhook.NAME: …`; 0: none that was set. */
unsigned options_webhooks_line_of(const options_webhooks *all, const char *error);

/* The lines again, each with the line of `path` it came from; of a URL the scheme and host. */
void options_webhooks_print(const options_webhooks *all, const char *path, FILE *to);

/* The section of docs/reference/configuration.md about these keys. */
void options_webhooks_print_markdown(FILE *to);

#endif
