/* Why the last function of a server failed. */
#include "server_private.h"

#include <stdio.h>

static _Thread_local char last_error[SERVER_ERROR_SIZE] = "no error";

const char *au_server_error(void) {
  return last_error;
}

au_status server_failed(au_status status, const char *what, const char *why) {
  snprintf(last_error, sizeof last_error, "%s%s%s", what, why[0] ? ": " : "", why);
  return status;
}
