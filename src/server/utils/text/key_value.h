/* Reads `key = value` lines. Opens no file and knows no key. A key is a name, or a name and
 * an id (utils/text/id.h) as in `rate-customer.shop = 5`; behind an id that holds a `=` stands a
 * blank.
 *
 * A `#` begins a comment at the start of a line or after a blank. A value may
 * stand in single quotes (taken as it is) or in double quotes (\" and \\). */
#ifndef UTILS_KEY_VALUE_H
#define UTILS_KEY_VALUE_H

enum { KEY_VALUE_LINE_MAX = 8192 }; /* bytes of a line without its end */

typedef enum key_value_result {
  KEY_VALUE_END,
  KEY_VALUE_PAIR, /* `key` and `value` are set, NUL-ended, without quotes */
  KEY_VALUE_BAD,  /* `reason` is set, static; the line is in `line` */
} key_value_result;

/* Set `rest` to the text, the others to zero. The text is changed while it is read,
 * and keys and values point into it. */
typedef struct key_value {
  char *rest;
  unsigned line; /* of the last result, from 1 */
  const char *key, *value;
  const char *reason;
} key_value;

key_value_result key_value_next(key_value *kv);

#endif
