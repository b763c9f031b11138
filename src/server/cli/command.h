/* What the commands share: the daemon to ask, and how a command ends. Private to this folder. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli.h"
#include "utils/net/authority.h"

enum { CLI_URL_SIZE = 2100 };

typedef struct cli_command {
  const char *name;
  char public_url[CLI_URL_SIZE]; /* "http://127.0.0.1:3001", without a slash at its end */
  char admin_url[CLI_URL_SIZE];  /* of what is for operators; mostly the same */
  const char *admin_token;       /* "": none */
  uint32_t timeout_ms;           /* for one whole answer */
  uint32_t interval_ms;          /* top: from one look to the next */
  bool strict;                   /* check: a degraded daemon is not well */
  const char *customer_id;       /* stat */
  bool terminal_known;           /* TERM names one that can be drawn on */
  bool colour_wanted;            /* NO_COLOR does not forbid it */
} cli_command;

/* Prints "active-users NAME: REASON" on standard error. */
void cli_complain(const cli_command *c, const char *reason);

/* Each returns a status to exit with. */
int cli_check(const cli_command *c);
int cli_stat(const cli_command *c);
int cli_top(const cli_command *c);

#endif
