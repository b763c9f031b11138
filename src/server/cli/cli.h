/* The commands of operators: `active-users check`, `stat` and `top`. Each asks a daemon that runs
 * for what it serves to everybody, so it is a process of its own without a loop. */
#ifndef CLI_H
#define CLI_H

#include "options/options.h"

enum {
  CLI_DONE = 0,
  CLI_FAILED = 1, /* the daemon does not answer, refuses, or is not well */
  CLI_USAGE = 2,  /* the arguments or the configuration are wrong */
};

/* Whether the first argument of the process is one of these commands. */
bool cli_is_command(const char *word);

/* Runs argv[1] to its end and returns the status to exit with. Prints what was asked for on
 * standard output, and why there is none on standard error. */
int cli_run(int argc, char *const *argv, options_env_fn env);

#endif
