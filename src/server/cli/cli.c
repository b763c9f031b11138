/* Reads the arguments of a command. What is not its own is a setting of the daemon, read as the
 * daemon reads it: so a command beside a daemon needs no argument to find it. */
#include "command.h"

#include "utils/buffer.h"
#include "utils/text/id.h"
#include "utils/text/setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FLAGS = 4, DEFAULT_TIMEOUT_MS = 2000, DEFAULT_INTERVAL_MS = 2000 };

static const struct {
  const char *name, *synopsis, *help;
  int (*run)(const cli_command *c);
} commands[] = {
    {"check", "check [--strict] [--timeout MS] [--url URL] [setting]...",
     "Asks GET /health of a daemon and prints one line. Exits with 0 when the daemon is well, "
     "also\n"
     "when it is degraded: it counts on without its Redis. With --strict that is 1.\n",
     cli_check},
    {"stat", "stat CUSTOMER [--timeout MS] [--url URL] [setting]...",
     "Prints the metrics of a customer as JSON, as GET /metrics?customerId=CUSTOMER has them.\n",
     cli_stat},
    {"top", "top [--interval MS] [--timeout MS] [--url URL] [setting]...",
     "Shows the 100 customers with the highest counts, on a terminal anew every 2 s until q. The\n"
     "arrows, Page Up and Page Down scroll. Into a pipe it prints them once, as plain lines.\n",
     cli_top},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static size_t find_command(const char *word) {
  size_t i = 0;
  while (i < COMMANDS && strcmp(commands[i].name, word) != 0) i++;
  return i;
}

bool cli_is_command(const char *word) {
  return find_command(word) < COMMANDS;
}

static int print_help(size_t which) {
  printf("Usage: active-users %s\n\n%s\n"
         "  --url URL       the daemon to ask, as http://127.0.0.1:3001; else the one that the\n"
         "                  settings describe, on this machine\n"
         "  --timeout MS    for an answer, default %d (100 to 600000)\n",
         commands[which].synopsis, commands[which].help, DEFAULT_TIMEOUT_MS);
  if (commands[which].run == cli_check) puts("  --strict        a degraded daemon is not well");
  if (commands[which].run == cli_top)
    printf("  --interval MS   from one look to the next, default %d (100 to 600000)\n",
           DEFAULT_INTERVAL_MS);
  puts("\n"
       "A setting is a flag, a variable or a config file of the daemon: http-port, admin-port,\n"
       "admin-token and others lead to the daemon beside which the command runs.\n"
       "\n"
       "Exit status: 0 done; 1 the daemon does not answer, refuses or is not well; 2 an argument\n"
       "or the configuration is wrong.");
  return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}

/* The flags of the commands themselves; `rest` gets all others. */
typedef struct arguments {
  const char *url, *timeout, *interval;
  bool strict, help;
  char **rest;
  int rest_count;
} arguments;

/* Reads "--name value" and "--name=value". Returns whether the argument is this flag; *value stays
 * NULL when none follows. */
static bool take(const char *name, int argc, char *const *argv, int *i, const char **value) {
  size_t len = strlen(name);
  const char *word = argv[*i];
  if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, len) != 0) return false;
  if (word[2 + len] == '=') *value = word + 3 + len;
  if (word[2 + len] == '\0' && *i + 1 < argc) *value = argv[++*i];
  return word[2 + len] == '=' || word[2 + len] == '\0';
}

static bool read_arguments(size_t which, int argc, char *const *argv, int first, arguments *out,
                           char error[OPTIONS_ERROR_SIZE]) {
  static const char *const names[] = {"url", "timeout", "interval"};
  const char **const values[] = {&out->url, &out->timeout, &out->interval};
  out->rest[out->rest_count++] = argv[0];
  for (int i = first; i < argc; i++) {
    size_t at = 0;
    if (strcmp(argv[i], "--strict") == 0 && commands[which].run == cli_check) {
      out->strict = true;
      continue;
    }
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      out->help = true;
      return true;
    }
    size_t known = commands[which].run == cli_top ? 3 : 2;
    while (at < known && !take(names[at], argc, argv, &i, values[at])) at++;
    if (at == known) {
      out->rest[out->rest_count++] = argv[i];
    } else if (!*values[at]) {
      snprintf(error, OPTIONS_ERROR_SIZE, "--%s: a value is missing", names[at]);
      return false;
    }
  }
  return true;
}

static bool read_ms(const char *flag, const char *text, uint32_t *out,
                    char error[OPTIONS_ERROR_SIZE]) {
  static const setting is = {SETTING_WHOLE, 100, 600e3, NULL};
  char problem[SETTING_PROBLEM_SIZE];
  setting_value value;
  if (!text) return true;
  if (!setting_parse(&is, text, &value, problem)) {
    snprintf(error, OPTIONS_ERROR_SIZE, "--%s: %s", flag, problem);
    return false;
  }
  *out = value.whole;
  return true;
}

/* Another scheme, a query or a fragment makes no address of a daemon; libcurl judges the rest. */
static bool use_url(cli_command *c, const char *url, char error[OPTIONS_ERROR_SIZE]) {
  size_t len = strlen(url);
  while (len > 0 && url[len - 1] == '/') len--;
  if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
      strpbrk(url, "?# \t") || len >= CLI_URL_SIZE) {
    snprintf(error, OPTIONS_ERROR_SIZE,
             "--url: no address of a daemon, which is as http://127.0.0.1:3001");
    return false;
  }
  memcpy(c->public_url, url, len);
  memcpy(c->admin_url, url, len);
  return true;
}

static bool use_settings(cli_command *c, const au_config *config, char error[OPTIONS_ERROR_SIZE]) {
  char at[AUTHORITY_SIZE];
  uint64_t admin_port = config->http_port;
  bool own = config->admin_port[0] != '\0';
  if (config->http_port == 0 ||
      (own && (!slice_digits(slice_of(config->admin_port), 5, &admin_port) || admin_port == 0 ||
               admin_port > UINT16_MAX))) {
    snprintf(error, OPTIONS_ERROR_SIZE,
             "the settings leave the daemon's port open, so --url must name it");
    return false;
  }
  authority_print(at, authority_reachable(config->host), (uint16_t)config->http_port);
  snprintf(c->public_url, sizeof c->public_url, "http://%s", at);
  authority_print(at, authority_reachable(own ? config->admin_host : config->host),
                  (uint16_t)admin_port);
  snprintf(c->admin_url, sizeof c->admin_url, "http://%s", at);
  return true;
}

static bool is_set(options_env_fn env, const char *name) {
  const char *value = env(name);
  return value && *value;
}

static int run(cli_command *c, size_t which, const arguments *given, options_env_fn env,
               char error[OPTIONS_ERROR_SIZE]) {
  options *opts;
  au_status status = options_load(given->rest_count, given->rest, env, &opts, error);
  if (status != AU_OK) return status == AU_EINVAL ? CLI_USAGE : CLI_FAILED;
  const au_config *config = options_config(opts);
  const char *term = env("TERM");
  c->admin_token = config->admin_token;
  c->strict = given->strict;
  c->terminal_known = term && *term && strcmp(term, "dumb") != 0;
  c->colour_wanted = !is_set(env, "NO_COLOR");
  int result = CLI_USAGE;
  if (options_what(opts) != OPTIONS_RUN)
    snprintf(error, OPTIONS_ERROR_SIZE, "the actions of the daemon are none of its commands");
  else if (read_ms("timeout", given->timeout, &c->timeout_ms, error) &&
           read_ms("interval", given->interval, &c->interval_ms, error) &&
           (given->url ? use_url(c, given->url, error) : use_settings(c, config, error)))
    result = commands[which].run(c);
  options_free(opts);
  return result;
}

int cli_run(int argc, char *const *argv, options_env_fn env) {
  size_t which = find_command(argv[1]);
  char error[OPTIONS_ERROR_SIZE] = "";
  cli_command c = {.name = commands[which].name,
                   .timeout_ms = DEFAULT_TIMEOUT_MS,
                   .interval_ms = DEFAULT_INTERVAL_MS};
  arguments given = {.rest = calloc((size_t)argc + 1, sizeof *given.rest)};
  if (!given.rest) {
    cli_complain(&c, strerror(ENOMEM));
    return CLI_FAILED;
  }
  int first = 2, result = CLI_USAGE;
  if (commands[which].run == cli_stat && argc > 2 && argv[2][0] != '-')
    c.customer_id = argv[first++];
  if (read_arguments(which, argc, argv, first, &given, error)) {
    if (given.help)
      result = print_help(which);
    else if (commands[which].run == cli_stat && !c.customer_id)
      snprintf(error, sizeof error, "the customer is missing: active-users %s",
               commands[which].synopsis);
    else if (c.customer_id && !id_valid(slice_of(c.customer_id)))
      snprintf(error, sizeof error, "the customer is no id of 1 to %d characters", AU_ID_MAX);
    else
      result = run(&c, which, &given, env, error);
  }
  free(given.rest);
  if (error[0]) cli_complain(&c, error);
  return result;
}
