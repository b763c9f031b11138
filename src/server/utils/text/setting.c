/* Strict parsing and printing of single values. */
#include "setting.h"

#include "utils/limits/share.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 64 }; /* bytes of a wrong value that a problem repeats */

static const struct {
  const char *word;
  bool value;
} bool_words[] = {
    {"true", true}, {"false", false}, {"1", true},  {"0", false},
    {"yes", true},  {"no", false},    {"on", true}, {"off", false},
};

static bool wrong(char *problem, const char *text, const char *what) {
  if (*text == '\0') text = "an empty text";
  snprintf(problem, SETTING_PROBLEM_SIZE, "%.*s %s", SHOWN_MAX, text, what);
  return false;
}

static bool out_of_range(const setting *s, char *problem, const char *text) {
  char range[SETTING_RANGE_SIZE], what[SETTING_RANGE_SIZE + 32];
  setting_range(s, range);
  snprintf(what, sizeof what, "is out of range (%s)", range);
  return wrong(problem, text, what);
}

static bool parse_bool(const char *text, bool *out, char *problem) {
  for (size_t i = 0; i < sizeof bool_words / sizeof bool_words[0]; i++) {
    if (strcmp(text, bool_words[i].word) != 0) continue;
    *out = bool_words[i].value;
    return true;
  }
  return wrong(problem, text, "is not true or false");
}

static bool parse_whole(const setting *s, const char *text, uint32_t *out, char *problem) {
  bool negative = *text == '-'; /* a number, though never in range */
  const char *digits = text + negative;
  if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
    return wrong(problem, text, "is not a whole number");
  uint64_t n = 0;
  for (; *digits; digits++)
    if (n <= UINT32_MAX) n = n * 10 + (uint64_t)(*digits - '0'); /* stops above every range */
  if (negative || (double)n < s->min || (double)n > s->max) return out_of_range(s, problem, text);
  *out = (uint32_t)n;
  return true;
}

/* The characters are checked first: strtod also takes blanks, hex, inf and nan. */
static bool parse_real(const setting *s, const char *text, double *out, char *problem) {
  char *end = NULL;
  bool digits = text[strspn(text, "0123456789.eE+-")] == '\0';
  double n = digits ? strtod(text, &end) : 0;
  if (!digits || end == text || *end != '\0') return wrong(problem, text, "is not a number");
  if (!(n > s->min && n <= s->max)) return out_of_range(s, problem, text);
  *out = n;
  return true;
}

static bool parse_text(const setting *s, const char *text, const char **out, char *problem) {
  size_t len = strlen(text);
  if ((double)len > s->max) {
    snprintf(problem, SETTING_PROBLEM_SIZE, "is longer than %.0f bytes", s->max);
    return false;
  }
  const char *what = NULL;
  if ((double)len < s->min) what = "must not be empty";
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) what = "has a control character";
  if (what) {
    snprintf(problem, SETTING_PROBLEM_SIZE, "%s", what);
    return false;
  }
  *out = text;
  return true;
}

static bool parse_share(const char *text, const char **out, char *problem) {
  uint32_t any;
  if (!share_parse(text, 100, &any))
    return wrong(problem, text, "is not a number, or a share up to 100%");
  *out = text;
  return true;
}

/* The word at a place, and its length; NULL behind the last. */
static const char *word_at(const char *words, unsigned at, size_t *len) {
  for (; at > 0; at--) {
    words = strchr(words, '|');
    if (!words) return NULL;
    words++;
  }
  *len = strcspn(words, "|");
  return words;
}

static bool parse_word(const setting *s, const char *text, unsigned *out, char *problem) {
  size_t len;
  const char *word;
  for (unsigned i = 0; (word = word_at(s->words, i, &len)); i++) {
    if (strlen(text) != len || memcmp(text, word, len) != 0) continue;
    *out = i;
    return true;
  }
  char range[SETTING_RANGE_SIZE], what[SETTING_RANGE_SIZE + 32];
  setting_range(s, range);
  snprintf(what, sizeof what, "is not one of %s", range);
  return wrong(problem, text, what);
}

bool setting_parse(const setting *s, const char *text, setting_value *out,
                   char problem[SETTING_PROBLEM_SIZE]) {
  switch (s->type) {
  case SETTING_BOOL: return parse_bool(text, &out->boolean, problem);
  case SETTING_WHOLE: return parse_whole(s, text, &out->whole, problem);
  case SETTING_REAL: return parse_real(s, text, &out->real, problem);
  case SETTING_TEXT: return parse_text(s, text, &out->text, problem);
  case SETTING_SHARE: return parse_share(text, &out->text, problem);
  case SETTING_WORD: return parse_word(s, text, &out->word, problem);
  }
  return wrong(problem, "", "has no type");
}

void setting_store(const setting *s, const setting_value *value, void *field) {
  switch (s->type) {
  case SETTING_BOOL: *(bool *)field = value->boolean; break;
  case SETTING_WHOLE: *(uint32_t *)field = value->whole; break;
  case SETTING_REAL: *(double *)field = value->real; break;
  case SETTING_TEXT:
  case SETTING_SHARE: *(const char **)field = value->text; break;
  /* memcpy, because the enum has a type of its own. */
  case SETTING_WORD: memcpy(field, &value->word, sizeof value->word); break;
  }
}

bool setting_fits(const setting *s, const void *field) {
  const char *text;
  unsigned at;
  double number;
  size_t len;
  uint32_t any;
  switch (s->type) {
  case SETTING_BOOL: return true;
  case SETTING_WHOLE:
    number = *(const uint32_t *)field;
    return number >= s->min && number <= s->max;
  case SETTING_REAL: number = *(const double *)field; return number > s->min && number <= s->max;
  case SETTING_TEXT:
    text = *(const char *const *)field;
    return text && (double)strlen(text) >= s->min && (double)strlen(text) <= s->max;
  case SETTING_SHARE:
    text = *(const char *const *)field;
    return text && share_parse(text, 100, &any);
  case SETTING_WORD: memcpy(&at, field, sizeof at); return word_at(s->words, at, &len) != NULL;
  }
  return false;
}

void setting_print(const setting *s, const void *field, char *out, size_t size) {
  unsigned at;
  size_t len = 0;
  const char *word;
  switch (s->type) {
  case SETTING_BOOL: snprintf(out, size, "%s", *(const bool *)field ? "true" : "false"); break;
  case SETTING_WHOLE: snprintf(out, size, "%" PRIu32, *(const uint32_t *)field); break;
  case SETTING_REAL: snprintf(out, size, "%.15g", *(const double *)field); break;
  case SETTING_TEXT:
  case SETTING_SHARE: snprintf(out, size, "%s", *(const char *const *)field); break;
  case SETTING_WORD:
    memcpy(&at, field, sizeof at);
    word = word_at(s->words, at, &len);
    snprintf(out, size, "%.*s", (int)len, word ? word : "");
    break;
  }
}

void setting_range(const setting *s, char out[SETTING_RANGE_SIZE]) {
  out[0] = '\0';
  switch (s->type) {
  case SETTING_BOOL: snprintf(out, SETTING_RANGE_SIZE, "true or false"); break;
  case SETTING_WHOLE: snprintf(out, SETTING_RANGE_SIZE, "%.0f to %.0f", s->min, s->max); break;
  case SETTING_REAL: snprintf(out, SETTING_RANGE_SIZE, "above %g, up to %g", s->min, s->max); break;
  case SETTING_TEXT: break;
  case SETTING_SHARE: snprintf(out, SETTING_RANGE_SIZE, "N or N%%"); break;
  case SETTING_WORD: {
    size_t len = 0, used = 0;
    const char *word;
    for (unsigned i = 0; (word = word_at(s->words, i, &len)) && used < SETTING_RANGE_SIZE; i++)
      used += (size_t)snprintf(out + used, SETTING_RANGE_SIZE - used, "%s%.*s", i ? ", " : "",
                               (int)len, word);
    break;
  }
  }
}
