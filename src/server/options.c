/* The option table, and all that is made from it: the settings of the daemon, --help,
 * --print-config and docs/configuration.md. Must not know getenv, nor what the server
 * does with a setting; defaults come from au_config_init. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "options_table.h"
#include "utils/key_value.h"
#include "utils/setting.h"

enum {
  FILE_MAX_BYTES = 64 * 1024, /* of the config file and of a secret's file */
  ROWS_MAX = 32,
  NAME_MAX_BYTES = 64, /* of a wrong name that an error repeats */
  WHERE_SIZE = 160,
};

/* In the order of who beats whom. */
typedef enum source {
  FROM_DEFAULT,
  FROM_FILE,
  FROM_ENV,
  FROM_ENV_FILE, /* a secret: the variable's name with _FILE */
  FROM_FLAG,
} source;

typedef struct origin {
  source from;
  unsigned line; /* of the config file */
} origin;

struct options {
  options_action action;
  au_config config;
  const char *config_path;
  char *texts[ROWS_MAX]; /* owned; what the strings above point at, by row */
  origin origins[ROWS_MAX];
};

typedef struct row {
  const char *group, *flag, *env;
  size_t offset; /* of the field in struct options */
  setting is;
  unsigned marks;
  const char *arg, *help;
} row;

#define FIELD(name) offsetof(struct options, name)
#define ROW(group, flag, env, field, is, marks, arg, help) \
  {group, flag, env, FIELD(field), is, marks, arg, help},

static const row rows[] = {OPTIONS_TABLE(ROW)};

enum { ROWS = sizeof rows / sizeof rows[0] };
_Static_assert((int)ROWS <= (int)ROWS_MAX, "struct options has a place for each row");
_Static_assert(sizeof(au_log_level) == sizeof(unsigned) &&
                   sizeof(au_log_format) == sizeof(unsigned),
               "utils/setting stores a word as an unsigned");

static const struct {
  const char *flag;
  options_action action;
  const char *help;
} actions[] = {
    {"help", OPTIONS_HELP, "print this page"},
    {"version", OPTIONS_VERSION, "print the version"},
    {"print-config", OPTIONS_PRINT_CONFIG, "print the settings and where each comes from"},
    {"print-markdown", OPTIONS_PRINT_MARKDOWN, "print docs/configuration.md"},
};

enum { ACTIONS = sizeof actions / sizeof actions[0] };

/* A name or a path may come from anywhere: the error stays one line. */
__attribute__((format(printf, 2, 3))) static au_status fail(char *error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(error, OPTIONS_ERROR_SIZE, format, args);
  va_end(args);
  for (char *c = error; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
  return AU_EINVAL;
}

static au_status fail_memory(char *error) {
  fail(error, "%s", au_status_text(AU_ENOMEM));
  return AU_ENOMEM;
}

/* "--host", "AU_HOST", "AU_REDIS_URL_FILE", "/etc/au.conf:3" or "default". */
static void where(const options *o, const row *r, origin at, char out[WHERE_SIZE]) {
  switch (at.from) {
  case FROM_DEFAULT: snprintf(out, WHERE_SIZE, "default"); break;
  case FROM_FILE: snprintf(out, WHERE_SIZE, "%.128s:%u", o->config_path, at.line); break;
  case FROM_ENV: snprintf(out, WHERE_SIZE, "%s", r->env); break;
  case FROM_ENV_FILE: snprintf(out, WHERE_SIZE, "%s_FILE", r->env); break;
  case FROM_FLAG: snprintf(out, WHERE_SIZE, "--%s", r->flag); break;
  }
}

static const row *find_row(const char *flag, size_t len) {
  for (size_t i = 0; i < ROWS; i++)
    if (strlen(rows[i].flag) == len && memcmp(rows[i].flag, flag, len) == 0) return &rows[i];
  return NULL;
}

/* The one way of a text into a field. A text that a stronger source has overruled is
 * checked all the same: a wrong line is wrong today, not when the flag goes. */
static au_status set(options *o, const row *r, const char *text, origin at, char *error) {
  setting_value value;
  char problem[SETTING_PROBLEM_SIZE], place[WHERE_SIZE];
  if (!setting_parse(&r->is, text, &value, problem)) {
    where(o, r, at, place);
    if (at.from == FROM_FILE) return fail(error, "%s: %s: %s", place, r->flag, problem);
    return fail(error, "%s: %s", place, problem);
  }

  size_t i = (size_t)(r - rows);
  if (at.from < o->origins[i].from) return AU_OK;
  if (r->is.type == SETTING_TEXT) {
    char *copy = strdup(value.text);
    if (!copy) return fail_memory(error);
    free(o->texts[i]);
    o->texts[i] = copy;
    value.text = copy;
  }
  setting_store(&r->is, &value, (char *)o + r->offset);
  o->origins[i] = at;
  return AU_OK;
}

/* Reads a whole file; the text is the caller's. `what` names the file. NULL, and
 * *status and error, when it cannot. */
static char *read_file(const char *what, const char *path, au_status *status, char *error) {
  FILE *file = fopen(path, "re");
  if (!file) {
    *status = fail(error, "%s: cannot open %s: %s", what, path, strerror(errno));
    return NULL;
  }
  char *text = malloc(FILE_MAX_BYTES + 1);
  if (!text) {
    *status = fail_memory(error);
    fclose(file);
    return NULL;
  }
  *status = AU_OK;
  /* One byte more than allowed tells a full file from one that is too large. */
  size_t len = fread(text, 1, FILE_MAX_BYTES + 1, file);
  if (ferror(file))
    *status = fail(error, "%s: cannot read %s: %s", what, path, strerror(errno));
  else if (len > FILE_MAX_BYTES)
    *status = fail(error, "%s: %s is larger than %d bytes", what, path, FILE_MAX_BYTES);
  else if (memchr(text, '\0', len))
    *status = fail(error, "%s: %s is not a text file", what, path);
  fclose(file);
  if (*status != AU_OK) {
    free(text);
    return NULL;
  }
  text[len] = '\0';
  return text;
}

static const char *next_value(int argc, char *const *argv, int *i) {
  if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0) return NULL;
  return argv[++*i];
}

static au_status read_flags(options *o, int argc, char *const *argv, char *error) {
  for (int i = 1; i < argc; i++) {
    /* A stray word is not repeated: it may be a part of a secret. */
    if (strncmp(argv[i], "--", 2) != 0)
      return fail(error, "argument %d is not a flag; --help lists them", i);
    const char *flag = argv[i] + 2;
    if (strcmp(flag, "print-config") == 0) {
      o->action = OPTIONS_PRINT_CONFIG;
      continue;
    }
    size_t len = strcspn(flag, "=");
    const row *r = find_row(flag, len);
    if (!r) {
      len = strcspn(flag, "=:/@"); /* what follows may be a secret */
      if (len > NAME_MAX_BYTES) len = NAME_MAX_BYTES;
      return fail(error, "--%.*s: no such flag; --help lists them", (int)len, flag);
    }
    const char *value = flag[len] == '=' ? flag + len + 1 : next_value(argc, argv, &i);
    if (!value && r->is.type == SETTING_BOOL) value = "true";
    if (!value) return fail(error, "--%s: a value is missing", r->flag);
    au_status status = set(o, r, value, (origin){FROM_FLAG, 0}, error);
    if (status != AU_OK) return status;
  }
  return AU_OK;
}

static au_status read_secret(options *o, const row *r, const char *name, const char *path,
                             char *error) {
  au_status status;
  char *text = read_file(name, path, &status, error);
  if (!text) return status;
  size_t len = strlen(text);
  while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) text[--len] = '\0';
  status = set(o, r, text, (origin){FROM_ENV_FILE, 0}, error);
  free(text);
  return status;
}

/* An empty variable counts as not set: that is how compose files and unit files pass
 * on what nobody gave. */
static const char *look_up(options_env_fn env, const char *name) {
  const char *value = env(name);
  return value && *value ? value : NULL;
}

static au_status read_env(options *o, options_env_fn env, char *error) {
  for (size_t i = 0; i < ROWS; i++) {
    const row *r = &rows[i];
    const char *value = look_up(env, r->env), *path = NULL;
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s_FILE", r->env);
    if (r->marks & OPTION_SECRET) path = look_up(env, name);
    if (value && path) return fail(error, "%s and %s are both set", r->env, name);
    au_status status = AU_OK;
    if (value) status = set(o, r, value, (origin){FROM_ENV, 0}, error);
    if (path) status = read_secret(o, r, name, path, error);
    if (status != AU_OK) return status;
  }
  return AU_OK;
}

static au_status read_lines(options *o, char *text, char *error) {
  key_value kv = {.rest = text};
  unsigned seen[ROWS] = {0}; /* the line of each key */
  key_value_result result;
  while ((result = key_value_next(&kv)) != KEY_VALUE_END) {
    char place[WHERE_SIZE];
    where(o, NULL, (origin){FROM_FILE, kv.line}, place);
    if (result == KEY_VALUE_BAD) return fail(error, "%s: %s", place, kv.reason);
    const row *r = find_row(kv.key, strlen(kv.key));
    if (!r || r->marks & OPTION_NOT_IN_FILE)
      return fail(error, "%s: %.*s: no such key", place, NAME_MAX_BYTES, kv.key);
    unsigned *line = &seen[r - rows];
    if (*line) return fail(error, "%s: %s is already set in line %u", place, r->flag, *line);
    *line = kv.line;
    au_status status = set(o, r, kv.value, (origin){FROM_FILE, kv.line}, error);
    if (status != AU_OK) return status;
  }
  return AU_OK;
}

static au_status read_config_file(options *o, char *error) {
  if (*o->config_path == '\0') return AU_OK;
  char place[WHERE_SIZE];
  const row *r = find_row("config", strlen("config"));
  where(o, r, o->origins[r - rows], place);
  au_status status;
  char *text = read_file(place, o->config_path, &status, error);
  if (!text) return status;
  status = read_lines(o, text, error);
  free(text);
  return status;
}

static void set_defaults(options *o) {
  memset(o, 0, sizeof *o);
  au_config_init(&o->config);
  o->config_path = "";
}

/* These need no settings, so a broken configuration must not keep them from working. */
static bool find_action(options *o, int argc, char *const *argv) {
  for (int i = 1; i < argc; i++)
    for (size_t a = 0; a < ACTIONS; a++)
      if (actions[a].action != OPTIONS_PRINT_CONFIG && strncmp(argv[i], "--", 2) == 0 &&
          strcmp(argv[i] + 2, actions[a].flag) == 0) {
        o->action = actions[a].action;
        return true;
      }
  return false;
}

au_status options_load(int argc, char *const *argv, options_env_fn env, options **out,
                       char error[OPTIONS_ERROR_SIZE]) {
  options *o = malloc(sizeof *o);
  if (!o) return fail_memory(error);
  set_defaults(o);
  if (find_action(o, argc, argv)) {
    *out = o;
    return AU_OK;
  }

  au_status status = read_flags(o, argc, argv, error);
  if (status == AU_OK) status = read_env(o, env, error);
  if (status == AU_OK) status = read_config_file(o, error); /* both may have named it */
  const au_config *c = &o->config;
  if (status == AU_OK && c->enable_websocket && c->http_port != 0 && c->http_port == c->ws_port)
    status = fail(error, "http-port and ws-port are both %u", (unsigned)c->http_port);
  if (status != AU_OK) {
    options_free(o);
    return status;
  }
  *out = o;
  return AU_OK;
}

void options_free(options *opts) {
  if (!opts) return;
  for (size_t i = 0; i < ROWS; i++) free(opts->texts[i]);
  free(opts);
}

options_action options_what(const options *opts) {
  return opts->action;
}

const au_config *options_config(const options *opts) {
  return &opts->config;
}

static void value_text(const options *o, const row *r, char out[OPTION_TEXT_MAX + 1]) {
  setting_print(&r->is, (const char *)o + r->offset, out, OPTION_TEXT_MAX + 1);
}

static const char *default_text(const options *defaults, const row *r,
                                char out[OPTION_TEXT_MAX + 1]) {
  value_text(defaults, r, out);
  return out[0] ? out : "none";
}

static bool begins_group(const row *r) {
  return r == rows || strcmp(r->group, r[-1].group) != 0;
}

void options_print_help(FILE *to) {
  options defaults;
  set_defaults(&defaults);
  fputs("Usage: active-users [--flag value | --flag=value]...\n\n"
        "Counts who is active on a site, over HTTP and WebSocket. A flag beats the environment,\n"
        "which beats the config file.\n",
        to);
  for (const row *r = rows; r < rows + ROWS; r++) {
    char name[NAME_MAX_BYTES], value[OPTION_TEXT_MAX + 1], range[SETTING_RANGE_SIZE];
    if (begins_group(r)) fprintf(to, "\n%s\n", r->group);
    snprintf(name, sizeof name, "--%s %s", r->flag, r->arg);
    setting_range(&r->is, range);
    fprintf(to, "  %-24s %s\n", name, r->help);
    fprintf(to, "  %-24s %s, default %s", "", r->env, default_text(&defaults, r, value));
    if (range[0]) fprintf(to, " (%s)", range);
    fputc('\n', to);
  }
  fputs("\nActions\n", to);
  for (size_t a = 0; a < ACTIONS; a++)
    fprintf(to, "  --%-22s %s\n", actions[a].flag, actions[a].help);
}

static void print_quoted(const char *text, FILE *to) {
  fputc('"', to);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', to);
    fputc(*text, to);
  }
  fputc('"', to);
}

/* Hides who logs in to a URL and how, and all of what does not look like a URL. A
 * password may hold any character, so it ends at the last `@`. */
static void mask(char text[OPTION_TEXT_MAX + 1]) {
  char *user = strstr(text, "://"), *at = strrchr(text, '@');
  if (text[0] == '\0' || (user && !at)) return;
  char rest[OPTION_TEXT_MAX + 1];
  snprintf(rest, sizeof rest, "%s", user && at > user ? at : "");
  size_t kept = rest[0] ? (size_t)(user + 3 - text) : 0;
  snprintf(text + kept, OPTION_TEXT_MAX + 1 - kept, "***%s", rest);
}

void options_print_config(const options *opts, FILE *to) {
  for (const row *r = rows; r < rows + ROWS; r++) {
    if (r->marks & OPTION_NOT_IN_FILE) continue;
    char value[OPTION_TEXT_MAX + 1], place[WHERE_SIZE];
    value_text(opts, r, value);
    if (r->marks & OPTION_SECRET) mask(value);
    fprintf(to, "%-16s = ", r->flag);
    if (r->is.type == SETTING_TEXT)
      print_quoted(value, to);
    else
      fputs(value, to);
    where(opts, r, opts->origins[r - rows], place);
    fprintf(to, "  # %s\n", place);
  }
}

static void print_tables(FILE *to) {
  options defaults;
  set_defaults(&defaults);
  for (const row *r = rows; r < rows + ROWS; r++) {
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
        "<!-- Written by `make docs` from src/server/options_table.h; do not edit. -->\n\n"
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
        "may stand in single quotes, or in double quotes with `\\\"` and `\\\\`. A key that does "
        "not\n"
        "exist, a key given twice and a value out of range stop the start, and the error names\n"
        "the file and the line. The file has at most 64 KiB, a line 8 KiB.\n\n"
        "```ini\n"
        "# /etc/active-users.conf\n"
        "http-port       = 8080\n"
        "presence-ttl    = 120\n"
        "allowed-origins = https://shop.example, https://www.shop.example\n"
        "trusted-proxies = 10.0.0.0/8\n"
        "log-format      = json      # one object a line\n"
        "```\n\n"
        "## Secrets\n\n"
        "`AU_REDIS_URL` may hold a password. `AU_REDIS_URL_FILE` names a file that holds the\n"
        "value instead (a Docker or Kubernetes secret); newlines at its end are dropped. Setting\n"
        "both is an error. Other users of the machine can read flags, so give a password in the\n"
        "file or in the environment. A secret is in no error and no log, and `--print-config`\n"
        "shows `***` in its place.\n\n"
        "## A running daemon\n\n"
        "`SIGHUP` opens the log file again (after it was rotated away) and reads flags,\n"
        "environment and config file anew. The settings with *yes* under SIGHUP are taken over;\n"
        "the others wait for a restart. When something is wrong the daemon logs it and goes on\n"
        "with what it had. `SIGTERM` and `SIGINT` stop it: nobody new is let in, requests in\n"
        "flight finish, sockets are closed over `drain`. Until both have ended a kept connection\n"
        "is answered once more and then closed, so it can ask `/health`; idle ones make no stop\n"
        "longer. Two seconds after `drain` no request is waited for. A second signal stops it at\n"
        "once.\n\n"
        "## Exit status\n\n"
        "| status | meaning |\n"
        "|---|---|\n"
        "| 0 | stopped as asked, or an action such as `--help` is done |\n"
        "| 1 | could not start: a port in use, a log file that cannot be opened, no memory |\n"
        "| 2 | the configuration is wrong |\n"
        "| 130, 143 | a second `SIGINT`, `SIGTERM` ended it at once |\n\n"
        "With 1 and 2 one line on standard error says why.\n",
        to);
}
