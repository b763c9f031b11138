/* How a command says why it failed. */
#include "command.h"

void cli_complain(const cli_command *c, const char *reason) {
  fprintf(stderr, "active-users %s: %s\n", c->name, reason);
}
