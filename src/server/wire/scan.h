/* Looks at raw JSON before a parser does, for all that cJSON lets through. Knows
 * no field names and allocates nothing. */
#ifndef WIRE_SCAN_H
#define WIRE_SCAN_H

#include <active_users/types.h>

enum {
  /* cJSON up to 1.7.18 reads this many characters of a number and drops the rest. */
  WIRE_SCAN_MAX_NUMBER_CHARS = 63,
};

typedef enum wire_scan_status {
  WIRE_SCAN_OK = 0,
  WIRE_SCAN_SYNTAX,     /* not RFC 8259: a control byte, a BOM, a lone surrogate, a rest … */
  WIRE_SCAN_NOT_OBJECT, /* JSON, but no object; or nothing but white space */
  WIRE_SCAN_ENCODING,   /* a string that is not UTF-8 */
  WIRE_SCAN_ZERO,       /* a NUL character in a string, which would end a C string early */
  WIRE_SCAN_DEPTH,      /* more than max_depth levels, the outermost object being one */
  WIRE_SCAN_NUMBER,     /* a number longer than WIRE_SCAN_MAX_NUMBER_CHARS */
  WIRE_SCAN_STATUSES,
} wire_scan_status;

/* Gets a member of the outermost object as it stands in the text: both slices are JSON
 * values themselves, a string with its quotes and escapes. */
typedef void (*wire_member_fn)(void *arg, au_slice name, au_slice value);

/* Checks the whole of `text` and calls on_member for each member of the outermost object,
 * in order and before what follows the member is checked. What was called is of use when
 * the answer is WIRE_SCAN_OK only; then any conforming parser takes the text, and its
 * refusal can only be for want of memory. */
AU_MUST_CHECK wire_scan_status wire_scan(au_slice text, unsigned max_depth,
                                         wire_member_fn on_member, void *arg);

/* Whether any text at all is UTF-8. */
bool wire_scan_utf8(au_slice text);

#endif
