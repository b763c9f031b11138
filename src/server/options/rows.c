/* The rows of the option table: what each sets, and where its value came from. Reads nothing. */
#include <stdio.h>

#include "private.h"

#define ROW(group, flag, env, field, is, marks, arg, help) \
  {group, flag, env, offsetof(au_config, field), is, marks, arg, help},

/* The first is the only one whose value is not a setting of the server. */
const option_row option_rows[OPTION_ROWS] = {
    {"General", "config", "AU_CONFIG", 0, IS_TEXT(0, 4095), OPTION_NOT_IN_FILE, "FILE",
     "file of `key = value` lines; a key is a flag without its dashes"},
    OPTIONS_TABLE(ROW)};

const void *options_field(const options *o, const option_row *r) {
  if (r == &option_rows[0]) return &o->config_path;
  return (const char *)&o->config + r->offset;
}

_Static_assert(sizeof(au_log_level) == sizeof(unsigned) && sizeof(au_privacy) == sizeof(unsigned) &&
                   sizeof(au_log_format) == sizeof(unsigned),
               "utils/text/setting stores a word as an unsigned");

const struct option_action option_actions[OPTION_ACTIONS] = {
    {"help", OPTIONS_HELP, "print this page"},
    {"version", OPTIONS_VERSION, "print the version"},
    {"print-config", OPTIONS_PRINT_CONFIG, "print the settings and where each comes from"},
    {"print-markdown", OPTIONS_PRINT_MARKDOWN, "print docs/reference/configuration.md"},
};

void options_where(const options *o, const option_row *r, option_origin at,
                   char out[OPTIONS_WHERE_SIZE]) {
  switch (at.from) {
  case FROM_DEFAULT: snprintf(out, OPTIONS_WHERE_SIZE, "default"); break;
  case FROM_FILE: snprintf(out, OPTIONS_WHERE_SIZE, "%.128s:%u", o->config_path, at.line); break;
  case FROM_ENV: snprintf(out, OPTIONS_WHERE_SIZE, "%s", r->env); break;
  case FROM_ENV_FILE: snprintf(out, OPTIONS_WHERE_SIZE, "%s_FILE", r->env); break;
  case FROM_FLAG: snprintf(out, OPTIONS_WHERE_SIZE, "--%s", r->flag); break;
  }
}
