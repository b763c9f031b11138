/* Cuts text into keys and values, in place. */
#include "key_value.h"

#include <string.h>

#include "id.h"

static const char blanks[] = " \t\r";

/* Keys may be told in an error; with these characters a key cannot be half a URL. */
static const char key_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

static key_value_result bad(key_value *kv, const char *reason) {
  kv->reason = reason;
  return KEY_VALUE_BAD;
}

/* A comment needs a blank before it, so that `#` may stand inside a password. */
static void cut_comment(char *value) {
  for (char *c = value; *c; c++) {
    if (*c != '#' || c == value || !strchr(blanks, c[-1])) continue;
    *c = '\0';
    return;
  }
}

static void cut_blanks(char *text) {
  size_t len = strlen(text);
  while (len > 0 && strchr(blanks, text[len - 1])) len--;
  text[len] = '\0';
}

/* `text` begins behind the opening quote. NULL, or what is wrong. */
static const char *read_quoted(char *text, char quote) {
  char *to = text;
  const char *from = text;
  for (; *from != quote; from++) {
    if (*from == '\\' && quote == '"') {
      from++;
      if (*from != '"' && *from != '\\') return "only \\\" and \\\\ may follow a backslash";
    }
    if (*from == '\0') return "a quote is not closed";
    *to++ = *from;
  }
  from++;
  from += strspn(from, blanks);
  if (*from != '\0' && *from != '#') return "text follows the closing quote";
  *to = '\0'; /* last, because it may overwrite the closing quote */
  return NULL;
}

/* Where the key ends. An id in it may hold `=`, but no blank: then the one behind a blank. */
static char *find_equals(char *text) {
  char *first = strchr(text, '=');
  if (!first || !memchr(text, '.', (size_t)(first - text))) return first;
  size_t id = strcspn(text, blanks);
  char *behind = text + id + strspn(text + id, blanks);
  return *behind == '=' ? behind : first;
}

/* Whether `text` is a name, or a name and an id with a dot between. */
static bool is_key(const char *text) {
  size_t len = strspn(text, key_characters);
  if (text[len] != '.' || len == 0) return text[len] == '\0';
  do len++;
  while (id_has_character(text[len]));
  return text[len] == '\0';
}

static key_value_result read_pair(key_value *kv, char *text) {
  char *equals = find_equals(text);
  if (!equals) return bad(kv, "not a `key = value` line");
  *equals = '\0';
  cut_blanks(text);
  if (*text == '\0') return bad(kv, "a key is missing");
  if (!is_key(text)) return bad(kv, "not a `key = value` line");

  char *value = equals + 1;
  value += strspn(value, blanks);
  if (*value == '"' || *value == '\'') {
    const char *reason = read_quoted(value + 1, *value);
    if (reason) return bad(kv, reason);
    value++;
  } else {
    value = equals + 1; /* with its blanks: one of them may be what a comment needs */
    cut_comment(value);
    cut_blanks(value);
    value += strspn(value, blanks);
  }
  kv->key = text;
  kv->value = value;
  return KEY_VALUE_PAIR;
}

key_value_result key_value_next(key_value *kv) {
  while (*kv->rest) {
    char *text = kv->rest;
    size_t len = strcspn(text, "\n");
    bool last = text[len] == '\0';
    text[len] = '\0';
    kv->rest = text + len + !last;
    kv->line++;
    if (len > KEY_VALUE_LINE_MAX) return bad(kv, "the line is too long");
    text += strspn(text, blanks);
    if (*text != '\0' && *text != '#') return read_pair(kv, text);
  }
  return KEY_VALUE_END;
}
