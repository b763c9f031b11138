/* `active-users check`: is the daemon well? For HEALTHCHECK and cron. */
#include "answer.h"
#include "command.h"
#include "fetch.h"

#include <string.h>

/* One line for whoever reads the log of an orchestrator. */
static int judge(const cli_command *c, long status, au_slice body) {
  answer_health health;
  if (!answer_read_health(body, &health)) {
    printf("not ok: %.256s answers /health with %ld, and not as Active Users does\n", c->public_url,
           status);
    return CLI_FAILED;
  }
  bool degraded = strcmp(health.status, "degraded") == 0;
  bool well = status == 200 && (strcmp(health.status, "ok") == 0 || (degraded && !c->strict));
  printf("%s: %.256s is %s", well ? "ok" : "not ok", c->public_url, health.status);
  if (health.reason[0]) printf(": %s", health.reason);
  if (well && degraded) printf("; it counts on from its own table");
  putchar('\n');
  return well ? CLI_DONE : CLI_FAILED;
}

int cli_check(const cli_command *c) {
  fetcher *f;
  au_slice body;
  char problem[FETCH_PROBLEM_SIZE];
  if (fetcher_create(c->timeout_ms, &f) != AU_OK) {
    cli_complain(c, au_status_text(AU_ENOMEM));
    return CLI_FAILED;
  }
  long status = fetch(f, c->public_url, "/health", c->admin_token, &body, problem);
  int result = CLI_FAILED;
  if (status > 0)
    result = judge(c, status, body);
  else
    printf("not ok: %s\n", problem);
  fetcher_free(f);
  return fflush(stdout) == 0 ? result : CLI_FAILED;
}
