/* --help, --print-config and docs/reference/configuration.md, made from the option table. */
#include "private.h"

#include <string.h>

#include "utils/text/secret.h"

static void value_text(const options *o, const option_row *r, char out[OPTION_TEXT_MAX + 1]) {
  setting_print(&r->is, options_field(o, r), out, OPTION_TEXT_MAX + 1);
}

static const char *default_text(const options *defaults, const option_row *r,
                                char out[OPTION_TEXT_MAX + 1]) {
  value_text(defaults, r, out);
  return out[0] ? out : "none";
}

static bool begins_group(const option_row *r) {
  return r == option_rows || strcmp(r->group, r[-1].group) != 0;
}

void options_print_help(FILE *to) {
  options defaults;
  options_set_defaults(&defaults);
  fputs("Usage: active-users [--flag value | --flag=value]...\n"
        "       active-users check | stat CUSTOMER | top\n\n"
        "Counts who is active on a site, over HTTP and WebSocket. A flag beats the environment,\n"
        "which beats the config file.\n",
        to);
  for (const option_row *r = option_rows; r < option_rows + OPTION_ROWS; r++) {
    char name[OPTIONS_NAME_MAX_BYTES], value[OPTION_TEXT_MAX + 1], range[SETTING_RANGE_SIZE];
    if (begins_group(r)) fprintf(to, "\n%s\n", r->group);
    snprintf(name, sizeof name, "--%s %s", r->flag, r->arg);
    setting_range(&r->is, range);
    fprintf(to, "  %-24s %s\n", name, r->help);
    fprintf(to, "  %-24s %s, default %s", "", r->env, default_text(&defaults, r, value));
    if (range[0]) fprintf(to, " (%s)", range);
    fputc('\n', to);
  }
  fputs("\nCommands, which ask a daemon that runs; each has a --help\n"
        "  check                    exit status for HEALTHCHECK and cron\n"
        "  stat CUSTOMER            the metrics of a customer as JSON\n"
        "  top                      the customers with the highest counts, on a terminal\n",
        to);
  fputs("\nActions\n", to);
  for (size_t a = 0; a < OPTION_ACTIONS; a++)
    fprintf(to, "  --%-22s %s\n", option_actions[a].flag, option_actions[a].help);
  fputs(
      "  -h                       the same as --help\n"
      "\nRedis\n"
      "  --redis-url and AU_REDIS_URL take\n"
      "    redis://[[user]:password@]host[:port][/db]          one server\n"
      "    rediss://[[user]:password@]host[:port][/db]         one server, by TLS\n"
      "    unix:///path/of/redis.sock                          one server on this host\n"
      "    redis+sentinel://[[user]:password@]host[:port],host.../name[/db]\n"
      "    redis+cluster://[[user]:password@]host[:port],host...\n"
      "\nExamples\n"
      "  active-users                                          in memory, ports 3001 and 3003\n"
      "  active-users --host 127.0.0.1 --trusted-proxies 127.0.0.1 --redis-url redis://localhost\n"
      "  AU_ALLOWED_ORIGINS=https://shop.example active-users --config /etc/active-users.conf\n",
      to);
}

static void print_quoted(const char *text, FILE *to) {
  fputc('"', to);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', to);
    fputc(*text, to);
  }
  fputc('"', to);
}

void options_print_config(const options *opts, FILE *to) {
  for (const option_row *r = option_rows; r < option_rows + OPTION_ROWS; r++) {
    if (r->marks & OPTION_NOT_IN_FILE) continue;
    char value[OPTION_TEXT_MAX + 1], place[OPTIONS_WHERE_SIZE];
    value_text(opts, r, value);
    if (r->marks & OPTION_OPAQUE && value[0])
      snprintf(value, sizeof value, OPTIONS_STARS);
    else if (r->marks & OPTION_SECRET)
      secret_mask(value, sizeof value);
    fprintf(to, "%-16s = ", r->flag);
    if (r->is.type == SETTING_TEXT)
      print_quoted(value, to);
    else
      fputs(value, to);
    options_where(opts, r, opts->origins[r - option_rows], place);
    fprintf(to, "  # %s\n", place);
  }
  options_customers_print(&opts->customers, opts->config_path, to);
  options_webhooks_print(&opts->webhooks, opts->config_path, to);
}

static void print_tables(FILE *to) {
  options defaults;
  options_set_defaults(&defaults);
  for (const option_row *r = option_rows; r < option_rows + OPTION_ROWS; r++) {
    char value[OPTION_TEXT_MAX + 1], range[SETTING_RANGE_SIZE];
    if (begins_group(r))
      fprintf(to,
              "\n### %s\n\n"
              "| flag | environment | default | range | SIGHUP | meaning |\n"
              "|---|---|---|---|---|---|\n",
              r->group);
    const char *text = default_text(&defaults, r, value);
    const char *tick = text == value ? "`" : "";
    setting_range(&r->is, range);
    fprintf(to, "| `--%s %s` | `%s` | %s%s%s | %s | %s | %s |\n", r->flag, r->arg, r->env, tick,
            text, tick, range, r->marks & OPTION_RELOADABLE ? "yes" : "", r->help);
  }
}

void options_print_markdown(FILE *to) {
  fputs("# Configuration\n\n"
        "<!-- Written by `make docs` from src/server/options/table.h; do not edit. -->\n\n"
        "A setting has three names: a flag, an environment variable, and a key of the config\n"
        "file, which is the flag without its dashes. `--flag value` and `--flag=value` are the\n"
        "same; a flag given twice counts as given last; a bare `--enable-websocket` means true.\n"
        "An environment variable that is empty counts as not set.\n\n"
        "**A flag beats the environment, which beats the config file, which beats the default.**\n"
        "Every value is checked, also one that another overrules. `active-users --print-config`\n"
        "shows what is in force and where each value comes from.\n\n"
        "## Settings\n\n"
        "Times are in milliseconds where the placeholder is `MS`, in seconds where it is `S`.\n",
        to);
  print_tables(to);
  fputs("\n## The config file\n\n"
        "`--config FILE` or `AU_CONFIG` names it; nothing is read by default. A line is\n"
        "`key = value`; a `#` at the start of a line or after a blank begins a comment. A value\n"
        "may stand in single quotes, or in double quotes with `\\\"` and `\\\\`.\n"
        "A key that does not exist, a key given twice and a value out of range stop the start.\n"
        "The error names the file and the line. The file has at most 64 KiB, a line 8 KiB.\n\n"
        "```ini\n"
        "# /etc/active-users.conf\n"
        "http-port       = 8080\n"
        "presence-ttl    = 120\n"
        "allowed-origins = https://shop.example, https://www.shop.example\n"
        "trusted-proxies = 10.0.0.0/8\n"
        "log-format      = json      # one object a line\n"
        "```\n\n",
        to);
  options_customers_print_markdown(to);
  options_webhooks_print_markdown(to);
  fputs(
      "## Secrets\n\n"
      "`AU_REDIS_URL` may hold a password, `AU_ADMIN_TOKEN` is one. `AU_REDIS_URL_FILE` and\n"
      "`AU_ADMIN_TOKEN_FILE` name a file that holds the value instead (a Docker or Kubernetes\n"
      "secret); newlines at its end are dropped. Setting\n"
      "both is an error. A secret is in no error and no log, and `--print-config` shows `***`\n"
      "in its place. `AU_TOKEN_SECRET` and its file hold the secrets of "
      "[tokens](../howto/tokens.md),\n"
      "`AU_WEBHOOK_SECRET` and its file those of [webhooks](../howto/webhooks.md). Of a webhook's "
      "URL\n"
      "`--print-config` shows the host alone.\n\n"
      "Other users of the machine can read flags: the daemon overwrites a\n"
      "secret there, and says at its start that it was one; so it does of a file with a secret\n"
      "that its group or others may read, also after SIGHUP. While it has a secret it leaves\n"
      "no core dump.\n\n"
      "## A running daemon\n\n"
      "`SIGHUP` opens the log file again (after it was rotated away). It reads the config file\n"
      "and the files of secrets anew, and takes over the settings with *yes* under SIGHUP. The\n"
      "others wait for a restart, and so do variables: a process keeps the environment that it\n"
      "began with. When something is wrong the daemon logs it and goes on with all that it had.\n\n"
      "`SIGTERM` and `SIGINT` stop it. It lets nobody new in, finishes requests in flight, and\n"
      "closes sockets over `drain`. Until then an open connection gets one more answer, so it\n"
      "can ask `/health`. Idle connections do not delay the stop. Two seconds after `drain` no\n"
      "request is waited for. A second signal stops it at once.\n\n"
      "## Exit status\n\n"
      "| status | meaning |\n"
      "|---|---|\n"
      "| 0 | stopped as asked, or an action such as `--help` is done |\n"
      "| 1 | could not start, and may the next time: no memory |\n"
      "| 2 | there is something to mend: a wrong configuration, a port in use, a log file that "
      "cannot be opened. The unit does not start it again |\n"
      "| 130, 143 | a second `SIGINT`, `SIGTERM` ended it at once |\n\n"
      "With 1 and 2 one line on standard error says why.\n",
      to);
}
