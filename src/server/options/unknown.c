/* Names that are none of the options: which one was meant, and which setting an error of the
 * server is about. */
#include <string.h>

#include "private.h"
#include "utils/buffer.h"
#include "utils/text/similar.h"

const char *options_similar(const char *name, size_t len, bool in_file) {
  const char *closest = NULL;
  uint32_t least = UINT32_MAX;
  for (size_t i = 0; i < OPTION_ROWS + OPTION_ACTIONS; i++) {
    bool is_action = i >= OPTION_ROWS;
    if (in_file && (is_action || option_rows[i].marks & OPTION_NOT_IN_FILE)) continue;
    const char *flag = is_action ? option_actions[i - OPTION_ROWS].flag : option_rows[i].flag;
    au_slice given = {name, len};
    if (slice_eq(given, slice_of(flag)) || !similar_names(given, slice_of(flag))) continue;
    uint32_t changes = similar_distance(given, slice_of(flag));
    if (changes < least) closest = flag;
    if (changes < least) least = changes;
  }
  return closest;
}

static const char *similar_variable(au_slice name) {
  const char *closest = NULL;
  uint32_t least = UINT32_MAX;
  for (size_t i = 0; i < OPTION_ROWS; i++) {
    au_slice env = slice_of(option_rows[i].env), mine = name;
    /* People leave the unit away, which is a part of the name. */
    if (mine.len < env.len && env.ptr[mine.len] == '_' && memcmp(mine.ptr, env.ptr, mine.len) == 0)
      return option_rows[i].env;
    uint32_t changes = similar_distance(mine, env);
    if (!similar_names(mine, env) || changes >= least) continue;
    least = changes;
    closest = option_rows[i].env;
  }
  return closest;
}

static bool is_variable(au_slice name) {
  static const char suffix[] = "_FILE";
  size_t len = sizeof suffix - 1;
  for (size_t i = 0; i < OPTION_ROWS; i++) {
    const option_row *r = &option_rows[i];
    size_t own = strlen(r->env);
    if (name.len < own || memcmp(name.ptr, r->env, own) != 0) continue;
    if (name.len == own) return true;
    if (r->marks & OPTION_SECRET && name.len == own + len &&
        memcmp(name.ptr + own, suffix, len) == 0)
      return true;
  }
  return false;
}

void options_each_unknown_variable(char *const *environment, options_unknown_fn fn) {
  unsigned told = 0;
  for (; *environment && told < OPTIONS_UNKNOWN_MAX; environment++) {
    size_t len = strcspn(*environment, "=");
    au_slice name = {*environment, len};
    if (len < 3 || memcmp(name.ptr, "AU_", 3) != 0 || is_variable(name)) continue;
    if (len > OPTIONS_NAME_MAX_BYTES) name.len = OPTIONS_NAME_MAX_BYTES;
    fn(name, similar_variable(name));
    told++;
  }
}

void options_locate(const options *opts, const char *error, char out[OPTIONS_ERROR_SIZE]) {
  unsigned line = options_customers_line_of(&opts->customers, error);
  if (line == 0) line = options_webhooks_line_of(&opts->webhooks, error);
  if (line > 0) {
    snprintf(out, OPTIONS_ERROR_SIZE, "%s:%u: %s", opts->config_path, line, error);
    return;
  }
  snprintf(out, OPTIONS_ERROR_SIZE, "%s", error);
  for (size_t i = 0; i < OPTION_ROWS; i++) {
    const option_row *r = &option_rows[i];
    size_t len = strlen(r->flag);
    if (strncmp(error, r->flag, len) != 0 || (error[len] != ':' && error[len] != ' ')) continue;
    char place[OPTIONS_WHERE_SIZE];
    options_where(opts, r, opts->origins[i], place);
    const char *what = error + len + (error[len] == ':');
    what += strspn(what, " ");
    switch (opts->origins[i].from) {
    case FROM_DEFAULT: return;
    case FROM_FILE: snprintf(out, OPTIONS_ERROR_SIZE, "%s: %s: %s", place, r->flag, what); break;
    default: snprintf(out, OPTIONS_ERROR_SIZE, "%s: %s", place, what); break;
    }
    return;
  }
}
