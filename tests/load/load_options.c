/* Flags to settings. Opens nothing. */
#include "load_options.h"

#include "utils/buffer.h"
#include "utils/text/setting.h"

#include <stddef.h>
#include <string.h>

enum { DEFAULT_REQUESTS_S = 10, DEFAULT_SOCKETS_S = 60 };

static const struct {
  const char *name, *help;
  load_mode mode;
} modes[] = {
    {"beat", "POST /presence/beat for one session after the other", LOAD_BEAT},
    {"join", "POST /presence/join: fills the table", LOAD_JOIN},
    {"churn", "a join, then the leave of the same session", LOAD_CHURN},
    {"metrics", "GET /metrics?customerId=", LOAD_METRICS},
    {"health", "GET /health: with --rate, what others feel meanwhile", LOAD_HEALTH},
    {"sockets", "open sockets, hold them, measure the fan-out of changes", LOAD_SOCKETS},
    {"storm", "open sockets as fast as they come, then close them", LOAD_STORM},
};

static const struct row {
  const char *flag, *placeholder, *fallback, *help;
  setting kind;
  size_t offset;
} rows[] = {
#define ROW(flag, placeholder, fallback, type, min, max, field, help) \
  { flag, placeholder, fallback, help, {type, min, max, NULL}, offsetof(load_options, field) }
    ROW("connections", "N", "50", SETTING_WHOLE, 1, LOAD_MAX_CONNECTIONS, connections,
        "requests, or handshakes, under way at once"),
    ROW("requests", "N", "0", SETTING_WHOLE, 0, LOAD_MAX_REQUESTS, requests,
        "stop after so many; 0: when the time is over"),
    ROW("duration", "S", "0", SETTING_WHOLE, 0, LOAD_MAX_DURATION_S, duration_s,
        "stop after so many seconds; 0: 10, with sockets 60"),
    ROW("rate", "N", "0", SETTING_WHOLE, 0, 1000000, rate,
        "requests a second, evenly; 0: each when the last is answered"),
    ROW("customers", "N", "1", SETTING_WHOLE, 1, 10000000, customers,
        "that the sessions are spread over"),
    ROW("sessions", "N", "10000", SETTING_WHOLE, 1, 100000000, sessions, "before the first again"),
    ROW("first", "N", "0", SETTING_WHOLE, 0, 100000000, first, "number of the first session"),
    ROW("prefix", "TEXT", "load", SETTING_TEXT, 1, LOAD_PREFIX_MAX, prefix,
        "what the customers' ids begin with"),
    ROW("page", "PATH", "", SETTING_TEXT, 0, LOAD_PAGE_MAX, page,
        "that joins and beats tell, as visible"),
    ROW("sockets", "N", "1000", SETTING_WHOLE, 1, LOAD_MAX_SOCKETS, sockets, "to open"),
    ROW("fanouts", "N", "5", SETTING_WHOLE, 0, LOAD_MAX_FANOUTS, fanouts,
        "changes to make, each by a join"),
    ROW("changes-at", "URL", "", SETTING_TEXT, 0, 64, change_text,
        "where the joins go, if not to the target of the sockets"),
    ROW("pause", "MS", "1100", SETTING_WHOLE, 0, 60000, pause_ms,
        "silence before a change; the daemon tells one a second"),
    ROW("hold", "MS", "0", SETTING_WHOLE, 0, 600000, hold_ms,
        "a storm stays so long before it leaves"),
    ROW("watch", NULL, "false", SETTING_BOOL, 0, 1, watch,
        "sockets are dashboards, without a session"),
    ROW("no-auth", NULL, "false", SETTING_BOOL, 0, 1, no_auth,
        "sockets are ready with the handshake (other servers)"),
    ROW("stream", NULL, "false", SETTING_BOOL, 0, 1, stream,
        "streams of server-sent events in the place of sockets"),
    ROW("pid", "LIST", "", SETTING_TEXT, 0, 64, pid_list,
        "of servers, by commas: also report their CPU time and memory"),
    ROW("json", NULL, "false", SETTING_BOOL, 0, 1, json, "one JSON object on standard output"),
#undef ROW
};

enum { ROWS = sizeof rows / sizeof rows[0], MODES = sizeof modes / sizeof modes[0] };

#define REFUSE(...) (snprintf(problem, LOAD_PROBLEM_SIZE, __VA_ARGS__), AU_EINVAL)

static au_status set(load_options *out, const struct row *row, const char *text, char *problem) {
  setting_value value;
  char why[SETTING_PROBLEM_SIZE];
  if (!setting_parse(&row->kind, text, &value, why)) return REFUSE("--%s: %.180s", row->flag, why);
  setting_store(&row->kind, &value, (char *)out + row->offset);
  return AU_OK;
}

/* `--flag value`, `--flag=value`, and a bare flag for what is true or false. */
static au_status set_flag(load_options *out, int argc, char *const *argv, int *at, char *problem) {
  const char *flag = argv[*at] + 2, *equals = strchr(flag, '=');
  size_t len = equals ? (size_t)(equals - flag) : strlen(flag);
  for (size_t i = 0; i < ROWS; i++) {
    if (strlen(rows[i].flag) != len || memcmp(rows[i].flag, flag, len) != 0) continue;
    const char *value = equals ? equals + 1 : NULL;
    if (!value && !rows[i].placeholder) value = "true";
    if (!value && *at + 1 < argc) value = argv[++*at];
    if (!value) return REFUSE("--%s: wants a value", rows[i].flag);
    return set(out, &rows[i], value, problem);
  }
  return REFUSE("--%.40s: no such flag; --help lists them", flag);
}

static au_status set_mode(load_options *out, const char *name, char *problem) {
  for (size_t i = 0; i < MODES; i++) {
    if (strcmp(modes[i].name, name) != 0) continue;
    out->mode = modes[i].mode;
    out->mode_name = modes[i].name;
    return AU_OK;
  }
  return REFUSE("%.40s: no such mode; --help lists them", name);
}

static au_status parse_pids(load_options *out, char *problem) {
  const setting pid = {SETTING_WHOLE, 1, INT32_MAX, NULL};
  au_slice rest = slice_of(out->pid_list), part;
  while (slice_next(&rest, ',', &part)) {
    char text[16], why[SETTING_PROBLEM_SIZE];
    setting_value value;
    snprintf(text, sizeof text, "%.*s", (int)part.len, part.ptr);
    if (out->pid_count == LOAD_MAX_PIDS) return REFUSE("--pid: at most %d", LOAD_MAX_PIDS);
    if (!setting_parse(&pid, text, &value, why)) return REFUSE("--pid: %.180s", why);
    out->pids[out->pid_count++] = (int)value.whole;
  }
  return AU_OK;
}

static bool opens_sockets(const load_options *o) {
  return o->mode == LOAD_SOCKETS || o->mode == LOAD_STORM;
}

au_status load_parse(int argc, char *const *argv, load_options *out, load_action *action,
                     char problem[LOAD_PROBLEM_SIZE]) {
  *out = (load_options){.target_text = "http://127.0.0.1:3001"};
  *action = LOAD_RUN;
  au_status status = AU_OK;
  for (size_t i = 0; i < ROWS && status == AU_OK; i++)
    status = set(out, &rows[i], rows[i].fallback, problem);
  int words = 0;
  for (int i = 1; i < argc && status == AU_OK; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--version") == 0) {
      *action = argv[i][2] == 'h' ? LOAD_HELP : LOAD_VERSION;
      return AU_OK;
    }
    if (strncmp(argv[i], "--", 2) == 0)
      status = set_flag(out, argc, argv, &i, problem);
    else if (++words == 1)
      status = set_mode(out, argv[i], problem);
    else if (words == 2)
      out->target_text = argv[i];
    else
      status = REFUSE("%.40s: one mode and one target are enough", argv[i]);
  }
  if (status == AU_OK) status = parse_pids(out, problem);
  if (status == AU_OK && !out->mode_name)
    status = REFUSE("say what to do: beat, join, churn, metrics, health, sockets or storm");
  if (status == AU_OK) status = target_parse(out->target_text, &out->target, problem);
  if (status == AU_OK)
    status = target_parse(*out->change_text ? out->change_text : out->target_text,
                          &out->change_target, problem);
  if (out->duration_s == 0)
    out->duration_s = opens_sockets(out) ? DEFAULT_SOCKETS_S : DEFAULT_REQUESTS_S;
  return status;
}

void load_print_help(FILE *to) {
  fputs("Load for a daemon on this machine, and what it took.\n\n"
        "  au-load MODE [http://127.0.0.1:3001] [--flag value ...]\n\n"
        "Modes\n",
        to);
  for (size_t i = 0; i < MODES; i++) fprintf(to, "  %-9s %s\n", modes[i].name, modes[i].help);
  fputs("\nFlags\n", to);
  for (size_t i = 0; i < ROWS; i++) {
    char flag[40], fallback[64] = "";
    const struct row *row = &rows[i];
    snprintf(flag, sizeof flag, "--%s %s", row->flag, row->placeholder ? row->placeholder : "");
    if (row->placeholder && *row->fallback)
      snprintf(fallback, sizeof fallback, " (%s)", row->fallback);
    fprintf(to, "  %-17s %s%s\n", flag, row->help, fallback);
  }
  fputs("  --help, --version\n\n"
        "The target is 127.0.0.0/8 or [::1]; any other is refused. Switch the daemon's limits off\n"
        "for it: --rate-ip 0 --rate-customer 0. More sockets than one address has ports come from\n"
        "127.0.0.2, .3 and so on; how many fit is up to `ulimit -n`, here and in the daemon.\n\n"
        "Latencies are milliseconds. With --rate they count from when a request was due, so that\n"
        "a server that stands still cannot hide it; they are then exact to a millisecond.\n\n"
        "Ctrl-C ends it with the figures so far.\n"
        "Exit status: 0 all was answered, 1 something was not, 2 the command line is wrong.\n",
        to);
}
