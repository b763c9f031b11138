/* Reads one object of JSON. The only file that calls cJSON, and gives it single literals. */
#include "object.h"

#include <math.h>
#include <string.h>

#include "utils/text/id.h"

void wire_object_free(wire_object *o) {
  cJSON_Delete(o->items);
}

static au_status refuse(wire_error *error, const char *field, const char *message) {
  *error = (wire_error){field, message};
  return AU_EINVAL;
}

au_status wire_refuse_missing(const wire_object *o, size_t field, wire_error *error) {
  return refuse(error, o->from->fields[field].name.ptr, o->from->fields[field].missing);
}

au_status wire_refuse_odd(const wire_object *o, size_t field, wire_error *error) {
  return refuse(error, o->from->fields[field].name.ptr, o->from->fields[field].odd);
}

/* Case matters: CUSTOMERID is a stranger. Most clients send their fields in our order, so the one
 * behind the last that was found is looked at first. */
static size_t field_by_name(wire_object *o, au_slice name) {
  const wire_source *from = o->from;
  size_t at = o->next_field;
  for (size_t looked = 0; looked < from->fields_count; looked++, at++) {
    if (at == from->fields_count) at = 0;
    if (!slice_eq(from->fields[at].name, name)) continue;
    o->next_field = at + 1 < from->fields_count ? at + 1 : 0;
    return at;
  }
  return from->fields_count;
}

/* A whole number that is a double of its own. */
static bool read_whole(au_slice text, double *out) {
  bool minus = text.ptr[0] == '-';
  int64_t whole = 0;
  if (text.len > 15) return false;
  for (size_t i = minus; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
    whole = whole * 10 + (text.ptr[i] - '0');
  }
  *out = minus ? -(double)whole : (double)whole;
  return true;
}

static au_slice unquoted(au_slice literal) {
  return (au_slice){literal.ptr + 1, literal.len - 2};
}

/* A literal that takes a parser, for cJSON: the only bytes that it gets to see. */
static au_status parse_literal(wire_object *o, au_slice literal, wire_value *out) {
  cJSON *item = cJSON_ParseWithLength(literal.ptr, literal.len);
  /* The scan has vouched for the literal, so it can only be this. */
  if (!item) return AU_ENOMEM;
  item->next = o->items;
  o->items = item;
  *out = (wire_value){item->type & 0xff, slice_of(item->valuestring ? item->valuestring : ""),
                      item->valuedouble};
  return AU_OK;
}

/* Most texts have none, which is seen once for all of their literals. */
static bool has_escape(const wire_object *o, au_slice literal) {
  return o->has_escapes && memchr(literal.ptr, '\\', literal.len);
}

/* What one of our own fields says. */
static au_status read_value(wire_object *o, au_slice literal, wire_value *out) {
  *out = (wire_value){.type = cJSON_Raw}; /* what no field takes */
  switch (literal.ptr[0]) {
  case '"':
    if (has_escape(o, literal)) return parse_literal(o, literal, out);
    out->type = cJSON_String;
    out->text = unquoted(literal);
    return AU_OK;
  case 't': out->type = cJSON_True; return AU_OK;
  case 'f': out->type = cJSON_False; return AU_OK;
  case 'n': out->type = cJSON_Invalid; return AU_OK;
  case '{':
  case '[': return AU_OK;
  default:
    out->type = cJSON_Number;
    return read_whole(literal, &out->number) ? AU_OK : parse_literal(o, literal, out);
  }
}

/* A name as it was meant: `\u0061` is `a`. */
static au_status read_name(wire_object *o, au_slice literal, au_slice *out) {
  wire_value name;
  *out = unquoted(literal);
  if (!has_escape(o, literal) || o->escaped_names++ >= WIRE_MAX_MEMBERS) return AU_OK;
  au_status status = parse_literal(o, literal, &name);
  if (status == AU_OK) *out = name.text;
  return status;
}

/* A name that is none of ours, of which the caller has at most WIRE_MAX_MEMBERS. */
static au_status add_stranger(wire_object *o, au_slice name) {
  for (size_t i = 0; i < o->strangers_count; i++)
    if (slice_eq(o->strangers[i], name)) return refuse(&o->error, "", "duplicate field");
  o->strangers[o->strangers_count++] = name;
  return AU_OK;
}

/* The same name twice is refused where the source says so, whatever the name; elsewhere
 * the last one wins, as it does in JavaScript, and a name is a stranger that is spelled
 * with escapes behind WIRE_MAX_MEMBERS of them. */
static au_status add_member(wire_object *o, au_slice literal, au_slice literal_value) {
  bool strict = o->from->strict_fields;
  size_t before = o->count++;
  au_slice name;
  /* Refused already, or about to be for their count. */
  if (o->status != AU_OK || (strict && before >= WIRE_MAX_MEMBERS)) return o->status;
  au_status status = read_name(o, literal, &name);
  if (status != AU_OK) return status;

  size_t id = field_by_name(o, name);
  if (id == o->from->fields_count) return strict ? add_stranger(o, name) : AU_OK;
  if (strict && o->literals[id].ptr)
    return refuse(&o->error, o->from->fields[id].name.ptr, "duplicate field");
  o->literals[id] = literal_value;
  return AU_OK;
}

/* A member is only noted: what follows it may not even be JSON. */
static void on_member(void *arg, au_slice name, au_slice literal_value) {
  wire_object *o = arg;
  o->status = add_member(o, name, literal_value);
}

/* The part of wire_object_read that leaves what was parsed to be freed. */
static au_status fill_object(wire_object *o, au_slice text) {
  const wire_source *from = o->from;
  if (text.len > from->max_bytes) return refuse(&o->error, "", from->too_large);
  o->has_escapes = text.len > 0 && memchr(text.ptr, '\\', text.len);
  wire_scan_status scanned = wire_scan(text, WIRE_MAX_DEPTH, on_member, o);
  if (scanned != WIRE_SCAN_OK) return refuse(&o->error, "", from->refusal[scanned]);
  if (from->strict_fields && o->count > WIRE_MAX_MEMBERS)
    return refuse(&o->error, "", "too many fields");
  for (size_t id = 0; id < from->fields_count && o->status == AU_OK; id++)
    if (o->literals[id].ptr) o->status = read_value(o, o->literals[id], &o->field[id]);
  return o->status;
}

au_status wire_object_read(const wire_source *from, au_slice text, wire_object *o,
                           wire_error *error) {
  o->from = from;
  o->items = NULL;
  memset(o->literals, 0, from->fields_count * sizeof o->literals[0]);
  memset(o->field, 0, from->fields_count * sizeof o->field[0]);
  o->count = o->escaped_names = o->next_field = o->strangers_count = 0;
  o->status = AU_OK;
  o->error = (wire_error){"", ""};
  au_status status = fill_object(o, text);
  if (status == AU_ENOMEM) o->error = (wire_error){"", "out of memory"};
  if (status != AU_OK) wire_object_free(o);
  *error = o->error;
  return status;
}

bool wire_take_id(const wire_value *v, char *at, au_slice *out) {
  if (v->type != cJSON_String || !id_valid(v->text)) return false;
  memcpy(at, v->text.ptr, v->text.len);
  *out = (au_slice){at, v->text.len};
  return true;
}

/* A longer text is cut before the character that crosses the limit. */
static void copy_cut(au_slice text, size_t max_bytes, char *at, au_slice *out) {
  if (text.len > max_bytes) {
    text.len = max_bytes;
    while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80) text.len--;
  }
  if (text.len > 0) memcpy(at, text.ptr, text.len);
  *out = (au_slice){at, text.len};
}

bool wire_take_text(const wire_value *v, char *at, size_t max_bytes, bool cut, au_slice *out) {
  if (v->type != cJSON_String || (v->text.len > max_bytes && !cut)) return false;
  copy_cut(v->text, max_bytes, at, out);
  return true;
}

/* C0, DEL and C1 (U+0080 to U+009F, of which the second byte tells). */
static bool is_control(au_slice text, size_t i) {
  unsigned char c = (unsigned char)text.ptr[i];
  if (c < 0x20 || c == 0x7F) return true;
  return c == 0xC2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xA0;
}

bool wire_read_page(au_slice text, char at[AU_PATH_MAX], au_slice *out) {
  if (text.len == 0 || text.ptr[0] != '/') return false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c > '?' && c < 0x7F) continue; /* most letters are above all that is looked for */
    if (c == '?' || c == '#')
      text.len = i;
    else if (is_control(text, i))
      return false;
  }
  copy_cut(text, AU_PATH_MAX, at, out);
  return true;
}

bool wire_take_path(const wire_value *v, char *at, au_slice *out) {
  return v->type == cJSON_String && wire_read_page(v->text, at, out);
}

bool wire_take_number(const wire_value *v, double *out) {
  if (v->type != cJSON_Number || !isfinite(v->number)) return false;
  *out = v->number;
  return true;
}

bool wire_take_bool(const wire_value *v, bool *out) {
  if (v->type != cJSON_True && v->type != cJSON_False) return false;
  *out = v->type == cJSON_True;
  return true;
}

bool wire_take_plain(const wire_object *o, size_t field, au_slice *out) {
  if (o->field[field].type != cJSON_String || has_escape(o, o->literals[field])) return false;
  *out = o->field[field].text;
  return true;
}
