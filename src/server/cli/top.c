/* `active-users top`: who has most people now. A page that is drawn anew on a terminal, plain lines
 * once elsewhere. */
#include "answer.h"
#include "command.h"
#include "fetch.h"
#include "terminal.h"
#include "utils/time.h"

#include <string.h>

enum { HEAD_LINES = 3, PAGE_MAX_BYTES = 60 * 1024, ID_COLUMNS_MIN = 12, NUMBER_COLUMNS = 24 };

/* What was seen last. A look that fails leaves the customers as they were. */
typedef struct view {
  const cli_command *command;
  fetcher *fetcher;
  answer_health health;
  answer_customers customers;
  size_t first;                     /* customer on the screen */
  char problem[FETCH_PROBLEM_SIZE]; /* of the last look; "": none */
} view;

static void explain(view *v, long status, au_slice body) {
  char message[ANSWER_REASON_SIZE];
  answer_read_message(body, message);
  const char *advice = "";
  if (status == 401) advice = "; give the token as AU_ADMIN_TOKEN_FILE or --admin-token";
  if (status == 404) advice = "; the operators' port may be another one: --admin-port or --url";
  snprintf(v->problem, sizeof v->problem, "%.128s answers %ld%s%s%s", v->command->admin_url, status,
           message[0] ? ": " : "", message, advice);
}

static bool get(view *v, const char *target, au_slice *body) {
  const cli_command *c = v->command;
  long status = fetch(v->fetcher, c->admin_url, target, c->admin_token, body, v->problem);
  if (status > 0 && status != 200) explain(v, status, *body);
  return status == 200;
}

static bool look(view *v) {
  au_slice body;
  answer_health health;
  answer_customers customers;
  v->problem[0] = '\0';
  bool odd = !get(v, "/admin/customers?limit=100", &body);
  if (odd) return false;
  odd = !answer_read_customers(body, &customers);
  if (!odd && !get(v, "/health", &body)) return false;
  if (odd || !answer_read_health(body, &health)) {
    snprintf(v->problem, sizeof v->problem, "%.256s does not answer as Active Users does",
             v->command->admin_url);
    return false;
  }
  v->health = health;
  v->customers = customers;
  return true;
}

/* A longer id is cut, so that a row is a line. */
static void print_row(buffer *out, unsigned columns, const char *id, const char *count,
                      const char *ema) {
  buffer_append_format(out, "%-*.*s %11s %11s\n", (int)columns, (int)columns, id, count, ema);
}

static void print_customer(buffer *out, unsigned columns, const answer_customer *c) {
  char count[32], ema[32];
  snprintf(count, sizeof count, "%.0f", c->count);
  snprintf(ema, sizeof ema, "%.1f", c->ema);
  print_row(out, columns, c->id, count, ema);
}

static void print_line(buffer *out, const view *v, const char *colour, const char *text,
                       unsigned columns) {
  if (v->command->colour_wanted) buffer_append_text(out, colour);
  buffer_append_format(out, "%.*s\n", (int)columns, text);
}

static void print_head(buffer *out, const view *v, unsigned columns) {
  const answer_health *h = &v->health;
  char text[FETCH_PROBLEM_SIZE + 64];
  snprintf(text, sizeof text, "active-users at %.200s: %s%s%s", v->command->admin_url, h->status,
           h->reason[0] ? ": " : "", h->reason);
  const char *colour = strcmp(h->status, "ok") == 0 ? "\033[1;32m" : "\033[1;33m";
  if (v->problem[0]) snprintf(text, sizeof text, "%s", v->problem);
  print_line(out, v, v->problem[0] ? "\033[1;31m" : colour, text, columns);
  snprintf(text, sizeof text,
           "%.0f customers, %.0f sessions, %.0f connections, %.0f sockets; store %s, up %.0f s",
           h->customers, h->sessions, h->connections, h->sockets, h->store, h->uptime_s);
  print_line(out, v, "", h->has_details ? text : "", columns);
}

static void draw(view *v) {
  unsigned rows, columns;
  buffer out;
  buffer_init(&out, PAGE_MAX_BYTES);
  terminal_size(&rows, &columns);
  unsigned id_columns =
      columns > NUMBER_COLUMNS + ID_COLUMNS_MIN ? columns - NUMBER_COLUMNS : ID_COLUMNS_MIN;
  if (id_columns > AU_ID_MAX) id_columns = AU_ID_MAX;
  print_head(&out, v, columns);
  if (v->command->colour_wanted) buffer_append_text(&out, "\033[7m");
  print_row(&out, id_columns, "CUSTOMER", "COUNT", "EMA");
  size_t shown = rows > HEAD_LINES ? rows - HEAD_LINES : 0;
  if (v->first + shown > v->customers.count)
    v->first = v->customers.count > shown ? v->customers.count - shown : 0;
  for (size_t i = v->first; i < v->customers.count && i < v->first + shown; i++)
    print_customer(&out, id_columns, &v->customers.list[i]);
  if (!out.failed) terminal_draw(buffer_slice(&out));
  buffer_free(&out);
}

static void scroll(view *v, terminal_key key) {
  unsigned rows, columns;
  terminal_size(&rows, &columns);
  size_t page = rows > HEAD_LINES ? rows - HEAD_LINES : 1;
  size_t by = key == KEY_PAGE_UP || key == KEY_PAGE_DOWN ? page : 1;
  if (key == KEY_UP || key == KEY_PAGE_UP) v->first -= v->first < by ? v->first : by;
  if (key == KEY_DOWN || key == KEY_PAGE_DOWN) v->first += by; /* draw sees to the end */
}

static int watch(view *v) {
  const au_clock *clock = clock_system();
  int64_t next_ms = clock_mono_ms(clock) + v->command->interval_ms;
  if (!terminal_open()) {
    cli_complain(v->command, "the terminal cannot be set up");
    return CLI_FAILED;
  }
  for (;;) {
    draw(v);
    int64_t left_ms = next_ms - clock_mono_ms(clock);
    if (left_ms <= 0) {
      look(v);
      next_ms = clock_mono_ms(clock) + v->command->interval_ms;
      continue;
    }
    terminal_key key = terminal_wait((uint32_t)left_ms);
    if (key == KEY_QUIT) break;
    scroll(v, key);
  }
  terminal_close();
  return CLI_DONE;
}

static int print_once(const view *v) {
  buffer out;
  buffer_init(&out, PAGE_MAX_BYTES);
  unsigned columns = ID_COLUMNS_MIN;
  for (size_t i = 0; i < v->customers.count; i++) {
    size_t len = strlen(v->customers.list[i].id);
    if (len > columns) columns = (unsigned)len;
  }
  print_row(&out, columns, "CUSTOMER", "COUNT", "EMA");
  for (size_t i = 0; i < v->customers.count; i++)
    print_customer(&out, columns, &v->customers.list[i]);
  bool whole = !out.failed && fwrite(out.ptr, 1, out.len, stdout) == out.len;
  buffer_free(&out);
  return whole && fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}

int cli_top(const cli_command *c) {
  static view v;
  v.command = c;
  if (fetcher_create(c->timeout_ms, &v.fetcher) != AU_OK) {
    cli_complain(c, au_status_text(AU_ENOMEM));
    return CLI_FAILED;
  }
  int result = CLI_FAILED;
  if (!look(&v))
    cli_complain(c, v.problem);
  else
    result = terminal_is_here() && c->terminal_known ? watch(&v) : print_once(&v);
  fetcher_free(v.fetcher);
  return result;
}
