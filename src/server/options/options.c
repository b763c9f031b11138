/* Reads the settings of the daemon from flags, environment and config file. Knows neither
 * getenv nor what the server does with a setting; defaults come from au_config_init. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "private.h"
#include "utils/text/key_value.h"
#include "utils/text/secret.h"

static const option_row *const config_row = option_rows;

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

static const option_row *find_row(const char *flag, size_t len) {
  for (size_t i = 0; i < OPTION_ROWS; i++)
    if (strlen(option_rows[i].flag) == len && memcmp(option_rows[i].flag, flag, len) == 0)
      return &option_rows[i];
  return NULL;
}

static bool is_secret(const option_row *r, const char *text) {
  if (!(r->marks & OPTION_SECRET) || text[0] == '\0') return false;
  return r->marks & OPTION_OPAQUE || secret_in(text);
}

static void note_secret(options *o, size_t at_row, option_source from) {
  o->secret = true;
  if (from == FROM_FLAG || (from != FROM_ENV && o->open_to_others))
    o->exposed[at_row] |= 1u << from;
}

/* The one way of a text into a field. A text that a stronger source has overruled is
 * checked all the same: a wrong line is wrong today, not when the flag goes. */
static au_status set(options *o, const option_row *r, const char *text, option_origin at,
                     char *error) {
  setting_value value;
  char problem[SETTING_PROBLEM_SIZE], place[OPTIONS_WHERE_SIZE];
  if (!setting_parse(&r->is, text, &value, problem)) {
    options_where(o, r, at, place);
    if (at.from == FROM_FILE) return fail(error, "%s: %s: %s", place, r->flag, problem);
    return fail(error, "%s: %s", place, problem);
  }

  size_t i = (size_t)(r - option_rows);
  if (is_secret(r, text)) note_secret(o, i, at.from);
  if (at.from < o->origins[i].from) return AU_OK;
  if (r->is.type == SETTING_TEXT || r->is.type == SETTING_SHARE) {
    char *copy = strdup(value.text);
    if (!copy) return fail_memory(error);
    free(o->texts[i]);
    o->texts[i] = copy;
    value.text = copy;
  }
  setting_store(&r->is, &value, (void *)options_field(o, r));
  o->origins[i] = at;
  return AU_OK;
}

/* The text is the caller's. NULL, and *status and error that names `what`, on failure. */
static char *read_file(options *o, const char *what, const char *path, au_status *status,
                       char *error) {
  options_file file;
  char problem[OPTIONS_FILE_PROBLEM_SIZE];
  *status = options_file_read(path, &file, problem);
  if (*status == AU_EINVAL) *status = fail(error, "%s: %s", what, problem);
  if (*status == AU_ENOMEM) *status = fail_memory(error);
  if (*status != AU_OK) return NULL;
  o->open_to_others = file.open_to_others;
  return file.text;
}

static char *next_value(int argc, char *const *argv, int *i) {
  if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0) return NULL;
  return argv[++*i];
}

static au_status read_flags(options *o, int argc, char *const *argv, char *error) {
  for (int i = 1; i < argc; i++) {
    /* A stray word is not repeated: it may be a part of a secret. */
    if (strncmp(argv[i], "--", 2) != 0)
      return fail(error, "argument %d is not a flag: a setting is --name value; --help lists them",
                  i);
    const char *flag = argv[i] + 2;
    if (strcmp(flag, "print-config") == 0) {
      o->action = OPTIONS_PRINT_CONFIG;
      continue;
    }
    size_t len = strcspn(flag, "=");
    const option_row *r = find_row(flag, len);
    if (!r) {
      len = strcspn(flag, "=:/@"); /* what follows may be a secret */
      if (len > OPTIONS_NAME_MAX_BYTES) len = OPTIONS_NAME_MAX_BYTES;
      const char *similar = options_similar(flag, len, false);
      return fail(error, "--%.*s: no such flag; %s%s%s--help lists them", (int)len, flag,
                  similar ? "did you mean --" : "", similar ? similar : "", similar ? "? " : "");
    }
    const char *value = flag[len] == '=' ? flag + len + 1 : next_value(argc, argv, &i);
    if (!value && r->is.type == SETTING_BOOL) value = "true";
    if (!value) return fail(error, "--%s: a value is missing", r->flag);
    au_status status = set(o, r, value, (option_origin){FROM_FLAG, 0}, error);
    if (status != AU_OK) return status;
  }
  return AU_OK;
}

void options_hide_secrets(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "--", 2) != 0) continue;
    char *flag = argv[i] + 2;
    size_t len = strcspn(flag, "=");
    const option_row *r = find_row(flag, len);
    if (!r) continue;
    char *value = flag[len] == '=' ? flag + len + 1 : next_value(argc, argv, &i);
    if (value && is_secret(r, value)) memset(value, '*', strlen(value));
  }
}

static au_status read_secret(options *o, const option_row *r, const char *name, const char *path,
                             char *error) {
  au_status status;
  char *text = read_file(o, name, path, &status, error);
  if (!text) return status;
  size_t len = strlen(text);
  while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) text[--len] = '\0';
  status = set(o, r, text, (option_origin){FROM_ENV_FILE, 0}, error);
  free(text);
  return status;
}

/* An empty variable counts as not set: compose files and unit files pass such on. */
static const char *look_up(options_env_fn env, const char *name) {
  const char *value = env(name);
  return value && *value ? value : NULL;
}

static au_status read_env(options *o, options_env_fn env, char *error) {
  for (size_t i = 0; i < OPTION_ROWS; i++) {
    const option_row *r = &option_rows[i];
    const char *value = look_up(env, r->env), *path = NULL;
    char name[OPTIONS_NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s_FILE", r->env);
    if (r->marks & OPTION_SECRET) path = look_up(env, name);
    if (value && path) return fail(error, "%s and %s are both set", r->env, name);
    au_status status = AU_OK;
    if (value) status = set(o, r, value, (option_origin){FROM_ENV, 0}, error);
    if (path) status = read_secret(o, r, name, path, error);
    if (status != AU_OK) return status;
  }
  return AU_OK;
}

/* Of a key that an error repeats: what stands behind a dot may be half a secret. */
static int name_len(const char *key) {
  size_t len = strcspn(key, ".");
  return len < OPTIONS_NAME_MAX_BYTES ? (int)len : OPTIONS_NAME_MAX_BYTES;
}

/* A line that holds for one customer. */
static au_status set_customer(options *o, const key_value *kv, const char *place, char *error) {
  char problem[OPTIONS_CUSTOMERS_PROBLEM_SIZE];
  au_status status = options_customers_set(&o->customers, kv->key, kv->value, kv->line, problem);
  if (status == AU_ENOMEM) return fail_memory(error);
  if (status != AU_OK) return fail(error, "%s: %s: %s", place, kv->key, problem);
  /* Known by the name of the setting for all, if it is a secret. */
  const option_row *r = find_row(kv->key, strcspn(kv->key, "."));
  if (r && is_secret(r, kv->value)) note_secret(o, (size_t)(r - option_rows), FROM_FILE);
  o->config.customers = o->customers.list;
  o->config.customers_count = o->customers.count;
  return AU_OK;
}

static au_status set_webhook(options *o, const key_value *kv, const char *place, char *error) {
  char problem[OPTIONS_WEBHOOKS_PROBLEM_SIZE];
  au_status status = options_webhooks_set(&o->webhooks, kv->key, kv->value, kv->line, problem);
  if (status == AU_ENOMEM) return fail_memory(error);
  if (status != AU_OK) return fail(error, "%s: %s: %s", place, kv->key, problem);
  o->config.webhooks = o->webhooks.list;
  o->config.webhooks_count = o->webhooks.count;
  return AU_OK;
}

static au_status fail_key(char *error, const char *place, const char *key) {
  const char *similar = options_similar(key, (size_t)name_len(key), true);
  return fail(error, "%s: %.*s: no such key%s%s%s", place, name_len(key), key,
              similar ? "; did you mean " : "", similar ? similar : "", similar ? "?" : "");
}

static au_status read_lines(options *o, char *text, char *error) {
  key_value kv = {.rest = text};
  unsigned seen[OPTION_ROWS] = {0}; /* the line of each key */
  key_value_result result;
  while ((result = key_value_next(&kv)) != KEY_VALUE_END) {
    char place[OPTIONS_WHERE_SIZE];
    options_where(o, NULL, (option_origin){FROM_FILE, kv.line}, place);
    if (result == KEY_VALUE_BAD) return fail(error, "%s: %s", place, kv.reason);
    bool is_webhook = options_webhooks_has(kv.key);
    if (is_webhook || options_customers_has(kv.key)) {
      au_status status =
          is_webhook ? set_webhook(o, &kv, place, error) : set_customer(o, &kv, place, error);
      if (status != AU_OK) return status;
      continue;
    }
    const option_row *r = find_row(kv.key, strlen(kv.key));
    if (!r || r->marks & OPTION_NOT_IN_FILE) return fail_key(error, place, kv.key);
    unsigned *line = &seen[r - option_rows];
    if (*line) return fail(error, "%s: %s is already set in line %u", place, r->flag, *line);
    *line = kv.line;
    au_status status = set(o, r, kv.value, (option_origin){FROM_FILE, kv.line}, error);
    if (status != AU_OK) return status;
  }
  return AU_OK;
}

static au_status read_config_file(options *o, char *error) {
  if (*o->config_path == '\0') return AU_OK;
  char place[OPTIONS_WHERE_SIZE];
  options_where(o, config_row, o->origins[0], place);
  au_status status;
  char *text = read_file(o, place, o->config_path, &status, error);
  if (!text) return status;
  status = read_lines(o, text, error);
  free(text);
  return status;
}

void options_set_defaults(options *o) {
  memset(o, 0, sizeof *o);
  au_config_init(&o->config);
  o->config_path = "";
}

static au_status fail_ports(const options *o, char *error) {
  char http[OPTIONS_WHERE_SIZE], ws[OPTIONS_WHERE_SIZE];
  const option_row *http_row = find_row("http-port", strlen("http-port"));
  const option_row *ws_row = find_row("ws-port", strlen("ws-port"));
  options_where(o, http_row, o->origins[http_row - option_rows], http);
  options_where(o, ws_row, o->origins[ws_row - option_rows], ws);
  return fail(error, "http-port and ws-port are both %u (%s, %s)", (unsigned)o->config.http_port,
              http, ws);
}

/* These need no settings, so a broken configuration must not keep them from working. */
static bool find_action(options *o, int argc, char *const *argv) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-h") == 0 || (i == 1 && strcmp(argv[i], "help") == 0)) {
      o->action = OPTIONS_HELP;
      return true;
    }
    for (size_t a = 0; a < OPTION_ACTIONS; a++)
      if (option_actions[a].action != OPTIONS_PRINT_CONFIG && strncmp(argv[i], "--", 2) == 0 &&
          strcmp(argv[i] + 2, option_actions[a].flag) == 0) {
        o->action = option_actions[a].action;
        return true;
      }
  }
  return false;
}

au_status options_load(int argc, char *const *argv, options_env_fn env, options **out,
                       char error[OPTIONS_ERROR_SIZE]) {
  options *o = malloc(sizeof *o);
  if (!o) return fail_memory(error);
  options_set_defaults(o);
  if (find_action(o, argc, argv)) {
    *out = o;
    return AU_OK;
  }

  au_status status = read_flags(o, argc, argv, error);
  if (status == AU_OK) status = read_env(o, env, error);
  if (status == AU_OK) status = read_config_file(o, error); /* both may have named it */
  const au_config *c = &o->config;
  if (status == AU_OK && c->enable_websocket && c->http_port != 0 && c->http_port == c->ws_port)
    status = fail_ports(o, error);
  if (status != AU_OK) {
    options_free(o);
    return status;
  }
  *out = o;
  return AU_OK;
}

bool options_have_secret(const options *opts) {
  return opts->secret;
}

void options_each_exposed(const options *opts, options_exposed_fn fn) {
  char place[OPTIONS_WHERE_SIZE];
  for (size_t i = 0; i < OPTION_ROWS; i++)
    for (option_source from = FROM_FILE; from <= FROM_FLAG; from++) {
      if (!(opts->exposed[i] & 1u << from)) continue;
      options_where(opts, &option_rows[i], (option_origin){from, 0}, place);
      fn(option_rows[i].flag, from == FROM_FILE ? opts->config_path : place, from != FROM_FLAG);
    }
}

void options_free(options *opts) {
  if (!opts) return;
  for (size_t i = 0; i < OPTION_ROWS; i++) free(opts->texts[i]);
  options_customers_free(&opts->customers);
  options_webhooks_free(&opts->webhooks);
  free(opts);
}

options_action options_what(const options *opts) {
  return opts->action;
}

const au_config *options_config(const options *opts) {
  return &opts->config;
}
