/* `active-users stat CUSTOMER`: the metrics of one customer, as the daemon prints them. */
#include "answer.h"
#include "command.h"
#include "fetch.h"

#include <string.h>

/* Ids have few characters that are not plain in a query, but `+` and `=` are two of them. */
static void print_target(char *out, size_t size, const char *customer_id) {
  size_t len = (size_t)snprintf(out, size, "/metrics?customerId=");
  for (const char *c = customer_id; *c && len + 4 < size; c++)
    len += (size_t)snprintf(out + len, size - len, strchr("+=/@", *c) ? "%%%02X" : "%c",
                            (unsigned char)*c);
}

int cli_stat(const cli_command *c) {
  fetcher *f;
  au_slice body;
  char problem[FETCH_PROBLEM_SIZE], target[4 * AU_ID_MAX], message[ANSWER_REASON_SIZE];
  if (fetcher_create(c->timeout_ms, &f) != AU_OK) {
    cli_complain(c, au_status_text(AU_ENOMEM));
    return CLI_FAILED;
  }
  print_target(target, sizeof target, c->customer_id);
  long status = fetch(f, c->public_url, target, "", &body, problem);
  if (status > 0) answer_read_message(body, message);
  int result = CLI_FAILED;
  if (status == 200 && answer_is_metrics(body)) {
    printf("%.*s\n", (int)body.len, body.ptr);
    result = CLI_DONE;
  } else if (status == 200) {
    snprintf(problem, sizeof problem, "%.256s does not answer as Active Users does", c->public_url);
  } else if (status > 0) {
    snprintf(problem, sizeof problem, "%.256s answers %ld%s%s", c->public_url, status,
             message[0] ? ": " : "", message);
  }
  if (result != CLI_DONE) cli_complain(c, problem);
  fetcher_free(f);
  return fflush(stdout) == 0 ? result : CLI_FAILED;
}
