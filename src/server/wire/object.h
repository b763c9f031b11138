/* An object of JSON that comes from outside, read strictly: its own fields by name, each with what
 * it says. Knows no message. */
#ifndef WIRE_OBJECT_H
#define WIRE_OBJECT_H

#include <cjson/cJSON.h>

#include "scan.h"
#include "utils/buffer.h"
#include "wire.h"

enum {
  WIRE_MAX_MEMBERS = 64, /* of an object from a client; also bounds the search for duplicates */
  WIRE_MAX_OWN_FIELDS = 24,
};

#define WIRE_NAME(text) \
  { text, sizeof(text) - 1 }

/* A field that a kind of object may have. */
typedef struct wire_field {
  au_slice name; /* ended by NUL, too */
  const char *missing, *odd;
} wire_field;

/* A kind of object: its fields and limits, and what to say of a text that is refused. */
typedef struct wire_source {
  const wire_field *fields;
  size_t fields_count; /* at most WIRE_MAX_OWN_FIELDS */
  size_t max_bytes;
  bool strict_fields; /* too many fields or the same one twice is refused */
  const char *too_large;
  const char *refusal[WIRE_SCAN_STATUSES];
} wire_source;

#define WIRE_REFUSALS(what)                                              \
  what " is too large", {                                                \
    [WIRE_SCAN_OK] = "", [WIRE_SCAN_SYNTAX] = what " is not valid JSON", \
    [WIRE_SCAN_NOT_OBJECT] = what " must be a JSON object",              \
    [WIRE_SCAN_ENCODING] = what " is not valid UTF-8",                   \
    [WIRE_SCAN_ZERO] = what " must not contain \\u0000",                 \
    [WIRE_SCAN_DEPTH] = what " is nested too deeply",                    \
    [WIRE_SCAN_NUMBER] = what " contains a number that is too long",     \
  }

/* What a member says; kept as a cJSON type, a text as it was meant. */
typedef struct wire_value {
  int type; /* cJSON_Invalid: the member is absent */
  au_slice text;
  double number;
} wire_value;

/* An object that was read. Its texts lie in what was parsed, or in what cJSON made of a
 * literal: `items` has those. Arrays of fields are in the order of its source. */
typedef struct wire_object {
  const wire_source *from;
  cJSON *items;                           /* linked by `next` */
  au_slice literals[WIRE_MAX_OWN_FIELDS]; /* the values of our own fields; ptr NULL: absent */
  wire_value field[WIRE_MAX_OWN_FIELDS];
  au_slice strangers[WIRE_MAX_MEMBERS]; /* names that are none of ours, where none may come twice */
  size_t strangers_count;
  size_t count;     /* of all members */
  bool has_escapes; /* anywhere in the text */
  size_t escaped_names;
  size_t next_field; /* where the search for a name begins */
  au_status status;  /* of the first member that was refused */
  wire_error error;
} wire_object;

/* What it reads borrows from `text`. Returns AU_OK (the caller frees), AU_EINVAL or
 * AU_ENOMEM (nothing to free). */
AU_MUST_CHECK au_status wire_object_read(const wire_source *from, au_slice text, wire_object *o,
                                         wire_error *error);
void wire_object_free(wire_object *o);

static inline bool wire_has(const wire_object *o, size_t field) {
  return o->field[field].type != cJSON_Invalid;
}

/* Sets *error to a fault of the field. Both return AU_EINVAL. */
au_status wire_refuse_missing(const wire_object *o, size_t field, wire_error *error);
au_status wire_refuse_odd(const wire_object *o, size_t field, wire_error *error);

/* The take_ functions copy a value. They return false, and leave `out` as it was, when
 * it is absent or odd. */

bool wire_take_id(const wire_value *v, char *at, au_slice *out);
/* With `cut`, a longer text is cut before the character that crosses the limit. */
bool wire_take_text(const wire_value *v, char *at, size_t max_bytes, bool cut, au_slice *out);
/* As wire_read_page. */
bool wire_take_path(const wire_value *v, char *at, au_slice *out);
bool wire_take_number(const wire_value *v, double *out);
bool wire_take_bool(const wire_value *v, bool *out);
/* Where a text lies in what was parsed; a text that is spelled with escapes is odd. */
bool wire_take_plain(const wire_object *o, size_t field, au_slice *out);

#endif
