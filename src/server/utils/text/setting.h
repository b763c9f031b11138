/* One typed setting: text to value and back, and the range in words. Knows neither
 * names nor where the text came from. */
#ifndef UTILS_SETTING_H
#define UTILS_SETTING_H

#include <active_users/types.h>

typedef enum setting_type {
  SETTING_BOOL,  /* bool: true false 1 0 yes no on off */
  SETTING_WHOLE, /* uint32_t: decimal digits and nothing else */
  SETTING_REAL,  /* double: `min` itself is out of range */
  SETTING_TEXT,  /* const char *: no control characters */
  SETTING_SHARE, /* const char *: a number, or one of percents as share.h reads it */
  SETTING_WORD,  /* an enum: one of `words`, in its order */
} setting_type;

typedef struct setting {
  setting_type type;
  double min, max;   /* of the number, or of the bytes of a text */
  const char *words; /* "error|warn|info|debug" */
} setting;

typedef struct setting_value {
  union {
    bool boolean;
    uint32_t whole;
    double real;
    const char *text; /* borrowed from what was parsed */
    unsigned word;
  };
} setting_value;

enum {
  SETTING_RANGE_SIZE = 64,
  SETTING_PROBLEM_SIZE = 256,
};

/* Reads the whole of `text`. false, and `problem` ("70000 is out of range (0 to
 * 65535)"), when it is no such value. `problem` never repeats a text, which may be
 * a secret. */
bool setting_parse(const setting *s, const char *text, setting_value *out,
                   char problem[SETTING_PROBLEM_SIZE]);

/* Writes a value to a field of the type named beside setting_type. */
void setting_store(const setting *s, const setting_value *value, void *field);

/* Whether the value of `field` is one that setting_parse could have given. */
bool setting_fits(const setting *s, const void *field);

/* The text that setting_parse would read as the value of `field`, cut at `size`. */
void setting_print(const setting *s, const void *field, char *out, size_t size);

/* "0 to 65535"; "" for a text. */
void setting_range(const setting *s, char out[SETTING_RANGE_SIZE]);

#endif
