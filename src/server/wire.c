/* Reads JSON: request bodies, messages of a socket and what Redis holds. The only
 * file that includes cJSON; must not know who sent a text or what becomes of it. */
#include "wire.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "wire_scan.h"

enum {
  MAX_FIELDS = 64, /* of an object from a client; also bounds the search for duplicates */

  /* Where a wire_beat keeps its texts. */
  AT_CUSTOMER_ID = 0,
  AT_SESSION_ID = AU_ID_MAX,
  AT_TAB_ID = 2 * AU_ID_MAX,
  AT_PLATFORM = 3 * AU_ID_MAX,
  AT_USER_AGENT = AT_PLATFORM + AU_PLATFORM_MAX,
};

/* Up to here every integer is a double of its own. */
static const double MAX_EXACT = 9007199254740992.0;

typedef enum field_id {
  FIELD_TYPE,
  FIELD_CUSTOMER_ID,
  FIELD_SESSION_ID,
  FIELD_TAB_ID,
  FIELD_TIMESTAMP,
  FIELD_PLATFORM,
  FIELD_USER_AGENT,
  FIELD_IS_LEADER,
  FIELD_COUNT,
  FIELD_EMA,
  FIELD_STALE,
  FIELDS, /* how many; also "none of them" */
} field_id;

/* The sentences below name the limits. */
static_assert(AU_ID_MAX == 128 && AU_PLATFORM_MAX == 64, "limits in the messages");
#define ID_RULE " must be a string of 1 to 128 characters of A-Z a-z 0-9 . _ ~ @ = + / -"

static const struct {
  const char *name, *missing, *odd;
} fields[FIELDS] = {
    [FIELD_TYPE] = {"type", "type must be auth or ping", "type must be auth or ping"},
    [FIELD_CUSTOMER_ID] = {"customerId", "customerId is required", "customerId" ID_RULE},
    [FIELD_SESSION_ID] = {"sessionId", "sessionId is required", "sessionId" ID_RULE},
    [FIELD_TAB_ID] = {"tabId", "tabId is required", "tabId" ID_RULE},
    [FIELD_TIMESTAMP] = {"timestamp", "", "timestamp must be a finite number"},
    [FIELD_PLATFORM] = {"platform", "", "platform must be a string of at most 64 bytes"},
    [FIELD_USER_AGENT] = {"userAgent", "", "userAgent must be a string"},
    [FIELD_IS_LEADER] = {"isLeader", "", "isLeader must be true or false"},
    [FIELD_COUNT] = {"count", "", ""},
    [FIELD_EMA] = {"ema", "", ""},
    [FIELD_STALE] = {"stale", "", ""},
};

/* A kind of text: its limits, and what to say of one that is refused. */
typedef struct source {
  size_t max_bytes;
  bool strict_fields; /* too many fields or the same one twice is refused */
  const char *too_large;
  const char *refusal[WIRE_SCAN_STATUSES];
} source;

#define REFUSALS(what)                                                   \
  what " is too large", {                                                \
    [WIRE_SCAN_OK] = "", [WIRE_SCAN_SYNTAX] = what " is not valid JSON", \
    [WIRE_SCAN_NOT_OBJECT] = what " must be a JSON object",              \
    [WIRE_SCAN_ENCODING] = what " is not valid UTF-8",                   \
    [WIRE_SCAN_ZERO] = what " must not contain \\u0000",                 \
    [WIRE_SCAN_DEPTH] = what " is nested too deeply",                    \
    [WIRE_SCAN_NUMBER] = what " contains a number that is too long",     \
  }

static const source source_body = {WIRE_MAX_BODY_BYTES, true, REFUSALS("body")};
static const source source_message = {WIRE_MAX_MESSAGE_BYTES, true, REFUSALS("message")};
static const source source_presence = {WIRE_MAX_BODY_BYTES, false, REFUSALS("value")};
static const source source_metrics = {WIRE_MAX_MESSAGE_BYTES, true, REFUSALS("value")};

/* What a member says; kept as a cJSON type, a text as it was meant. */
typedef struct value {
  int type; /* cJSON_Invalid: the member is absent */
  au_slice text;
  double number;
} value;

/* An object that was read. Its texts lie in what was parsed, or in `root`. */
typedef struct object {
  cJSON *root; /* NULL when the text could be read as it stands */
  value field[FIELDS];
  au_slice names[MAX_FIELDS]; /* of all members so far, where no name may come twice */
  size_t name_count;
} object;

static void object_free(object *o) {
  cJSON_Delete(o->root);
}

static au_status refuse(wire_error *error, const char *field, const char *message) {
  *error = (wire_error){field, message};
  return AU_EINVAL;
}

static au_status refuse_missing(wire_error *error, field_id id) {
  return refuse(error, fields[id].name, fields[id].missing);
}

static au_status refuse_odd(wire_error *error, field_id id) {
  return refuse(error, fields[id].name, fields[id].odd);
}

/* Case matters: CUSTOMERID is a stranger. */
static field_id field_by_name(au_slice name) {
  for (field_id id = 0; id < FIELDS; id++)
    if (slice_eq(slice_of(fields[id].name), name)) return id;
  return FIELDS;
}

/* The same name twice is refused where the source says so, whatever the name; elsewhere
 * the last one wins, as it does in JavaScript. Names come unescaped: `\u0061` is `a`. */
static au_status add_member(const source *from, object *o, au_slice name, value v,
                            wire_error *error) {
  field_id id = field_by_name(name);
  if (from->strict_fields) {
    for (size_t i = 0; i < o->name_count; i++)
      if (slice_eq(o->names[i], name))
        return refuse(error, id < FIELDS ? fields[id].name : "", "duplicate field");
    o->names[o->name_count++] = name;
  }
  if (id < FIELDS) o->field[id] = v;
  return AU_OK;
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

/* A value that the scan has vouched for and that has no escapes. False: it takes a
 * parser to read. */
static bool read_plain(au_slice literal, value *out) {
  *out = (value){.type = cJSON_Raw}; /* what no field takes */
  switch (literal.ptr[0]) {
  case '"':
    out->type = cJSON_String;
    out->text = unquoted(literal);
    return true;
  case 't': out->type = cJSON_True; return true;
  case 'f': out->type = cJSON_False; return true;
  case 'n':
  case '{':
  case '[': return true;
  default: out->type = cJSON_Number; return read_whole(literal, &out->number);
  }
}

/* Most texts are what they say: no escapes, whole numbers, no more than a few members.
 * True when it was one of these; *status tells then what became of it. */
static bool read_as_it_stands(const source *from, au_slice text, const wire_member *members,
                              size_t count, object *o, au_status *status, wire_error *error) {
  value values[MAX_FIELDS];
  if (count > MAX_FIELDS || memchr(text.ptr, '\\', text.len)) return false;
  for (size_t i = 0; i < count; i++)
    if (!read_plain(members[i].value, &values[i])) return false;
  *status = AU_OK;
  for (size_t i = 0; i < count && *status == AU_OK; i++)
    *status = add_member(from, o, unquoted(members[i].name), values[i], error);
  return true;
}

/* Returns AU_OK (the caller frees), AU_EINVAL or AU_ENOMEM (nothing to free). */
static au_status object_parse(const source *from, au_slice text, object *o, wire_error *error) {
  char copy[WIRE_MAX_BODY_BYTES + 1];
  /* Some cJSON versions look one byte past the end: give them a NUL to find there. */
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  o->root = cJSON_ParseWithLengthOpts(copy, text.len + 1, NULL, true);
  if (!o->root) { /* the scan has vouched for the text, so it can only be this */
    *error = (wire_error){"", "out of memory"};
    return AU_ENOMEM;
  }
  au_status status = AU_OK;
  for (const cJSON *item = o->root->child; item && status == AU_OK; item = item->next) {
    value v = {item->type & 0xff, slice_of(item->valuestring ? item->valuestring : ""),
               item->valuedouble};
    status = add_member(from, o, slice_of(item->string), v, error);
  }
  if (status != AU_OK) object_free(o);
  return status;
}

/* As object_parse; what it took borrows from `text` too. */
static au_status object_read(const source *from, au_slice text, object *o, wire_error *error) {
  wire_member members[MAX_FIELDS];
  size_t count = 0;
  au_status status;

  o->root = NULL;
  o->name_count = 0;
  memset(o->field, 0, sizeof o->field);
  *error = (wire_error){"", ""};
  if (text.len > from->max_bytes) return refuse(error, "", from->too_large);
  wire_scan_status scanned = wire_scan(text, WIRE_MAX_DEPTH, members, MAX_FIELDS, &count);
  if (scanned != WIRE_SCAN_OK) return refuse(error, "", from->refusal[scanned]);
  if (from->strict_fields && count > MAX_FIELDS) return refuse(error, "", "too many fields");
  if (read_as_it_stands(from, text, members, count, o, &status, error)) return status;
  return object_parse(from, text, o, error);
}

/* A-Z a-z 0-9 . _ ~ @ = + / - as bits. */
static bool is_id_char(unsigned char c) {
  static const uint64_t bits[2] = {
      UINT64_C(0x23ffe80000000000), /* + - . / 0-9 = */
      UINT64_C(0x47fffffe87ffffff), /* @ A-Z _ a-z ~ */
  };
  return c < 128 && bits[c / 64] >> (c % 64) & 1;
}

bool wire_valid_id(au_slice id) {
  if (id.len < 1 || id.len > AU_ID_MAX) return false;
  for (size_t i = 0; i < id.len; i++)
    if (!is_id_char((unsigned char)id.ptr[i])) return false;
  return true;
}

/* The take_ functions copy a value. They return false, and leave `out` as it was, when
 * it is absent or odd. */

static bool take_id(const value *v, char *at, au_slice *out) {
  if (v->type != cJSON_String || !wire_valid_id(v->text)) return false;
  memcpy(at, v->text.ptr, v->text.len);
  *out = (au_slice){at, v->text.len};
  return true;
}

/* With `cut`, a longer text is cut before the character that crosses the limit. */
static bool take_text(const value *v, char *at, size_t max_bytes, bool cut, au_slice *out) {
  if (v->type != cJSON_String) return false;
  au_slice text = v->text;
  if (text.len > max_bytes) {
    if (!cut) return false;
    text.len = max_bytes;
    while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80) text.len--;
  }
  if (text.len > 0) memcpy(at, text.ptr, text.len);
  *out = (au_slice){at, text.len};
  return true;
}

static bool take_number(const value *v, double *out) {
  if (v->type != cJSON_Number || !isfinite(v->number)) return false;
  *out = v->number;
  return true;
}

static bool take_bool(const value *v, bool *out) {
  if (v->type != cJSON_True && v->type != cJSON_False) return false;
  *out = v->type == cJSON_True;
  return true;
}

static bool is_there(const object *o, field_id id) {
  return o->field[id].type != cJSON_Invalid;
}

/* Fills all of `out`; what is absent or odd is left empty. Returns the first field
 * that is there and odd, or FIELDS. */
static field_id take_beat(const object *o, wire_beat *out) {
  const value *field = o->field;
  au_beat *beat = &out->beat;
  au_slice empty = {out->bytes, 0};
  bool taken[FIELDS] = {false};

  *beat = (au_beat){empty, empty, empty, empty, empty, NAN, true};
  taken[FIELD_TYPE] = true; /* not of a beat */
  taken[FIELD_CUSTOMER_ID] =
      take_id(&field[FIELD_CUSTOMER_ID], out->bytes + AT_CUSTOMER_ID, &beat->customer_id);
  taken[FIELD_SESSION_ID] =
      take_id(&field[FIELD_SESSION_ID], out->bytes + AT_SESSION_ID, &beat->session_id);
  taken[FIELD_TAB_ID] = take_id(&field[FIELD_TAB_ID], out->bytes + AT_TAB_ID, &beat->tab_id);
  taken[FIELD_TIMESTAMP] = take_number(&field[FIELD_TIMESTAMP], &beat->timestamp);
  taken[FIELD_PLATFORM] = take_text(&field[FIELD_PLATFORM], out->bytes + AT_PLATFORM,
                                    AU_PLATFORM_MAX, false, &beat->platform);
  taken[FIELD_USER_AGENT] = take_text(&field[FIELD_USER_AGENT], out->bytes + AT_USER_AGENT,
                                      AU_USER_AGENT_MAX, true, &beat->user_agent);
  taken[FIELD_IS_LEADER] = take_bool(&field[FIELD_IS_LEADER], &beat->is_leader);

  for (field_id id = 0; id <= FIELD_IS_LEADER; id++)
    if (is_there(o, id) && !taken[id]) return id;
  return FIELDS;
}

/* A beat as clients send it. With `session_optional` an object without a session is
 * a watcher, and has no tab either. */
static au_status read_beat(object *o, bool session_optional, wire_beat *out, wire_error *error) {
  if (session_optional && !is_there(o, FIELD_SESSION_ID)) {
    o->field[FIELD_TAB_ID].type = cJSON_Invalid;
  } else {
    session_optional = false;
  }
  field_id last_required = session_optional ? FIELD_CUSTOMER_ID : FIELD_TAB_ID;
  for (field_id id = FIELD_CUSTOMER_ID; id <= last_required; id++)
    if (!is_there(o, id)) return refuse_missing(error, id);
  field_id odd = take_beat(o, out);
  return odd == FIELDS ? AU_OK : refuse_odd(error, odd);
}

au_status wire_parse_beat(au_slice body, wire_beat *out, wire_error *error) {
  object o;
  au_status status = object_read(&source_body, body, &o, error);
  if (status != AU_OK) return status;
  status = read_beat(&o, false, out, error);
  object_free(&o);
  return status;
}

static au_status read_message(object *o, wire_message *out, wire_error *error) {
  const value *type = &o->field[FIELD_TYPE];
  au_slice kind = type->type == cJSON_String ? type->text : (au_slice){0};

  out->has_timestamp = false;
  out->timestamp = NAN;
  if (slice_eq(kind, slice_of("auth"))) {
    out->kind = WIRE_AUTH;
    return read_beat(o, true, &out->who, error);
  }
  if (slice_eq(kind, slice_of("ping"))) {
    out->kind = WIRE_PING;
    out->has_timestamp = take_number(&o->field[FIELD_TIMESTAMP], &out->timestamp);
    return is_there(o, FIELD_TIMESTAMP) && !out->has_timestamp ? refuse_odd(error, FIELD_TIMESTAMP)
                                                               : AU_OK;
  }
  return refuse_odd(error, FIELD_TYPE);
}

au_status wire_parse_message(au_slice text, wire_message *out, wire_error *error) {
  object o;
  au_status status = object_read(&source_message, text, &o, error);
  if (status != AU_OK) return status;
  status = read_message(&o, out, error);
  object_free(&o);
  return status;
}

au_status wire_parse_presence(au_slice text, wire_beat *out) {
  object o;
  wire_error unused;
  au_status status = object_read(&source_presence, text, &o, &unused);
  if (status != AU_OK) return status;
  (void)take_beat(&o, out); /* another program's odd field is not ours to refuse */
  object_free(&o);
  return AU_OK;
}

static bool take_metrics(const object *o, char *customer_id, au_metrics *out) {
  double timestamp, count, ema;
  bool stale = false;
  if (!take_id(&o->field[FIELD_CUSTOMER_ID], customer_id, &out->customer_id)) return false;
  if (!take_number(&o->field[FIELD_TIMESTAMP], &timestamp) || fabs(timestamp) > MAX_EXACT)
    return false;
  if (!take_number(&o->field[FIELD_COUNT], &count) || count < 0 || count > UINT32_MAX ||
      count != floor(count))
    return false;
  if (!take_number(&o->field[FIELD_EMA], &ema) || ema < 0) return false;
  if (is_there(o, FIELD_STALE) && !take_bool(&o->field[FIELD_STALE], &stale)) return false;
  out->timestamp_ms = (int64_t)timestamp;
  out->count = (uint32_t)count;
  out->ema = ema;
  out->stale = stale;
  return true;
}

au_status wire_parse_metrics(au_slice text, char *customer_id, au_metrics *out) {
  object o;
  wire_error unused;
  au_status status = object_read(&source_metrics, text, &o, &unused);
  if (status != AU_OK) return status;
  status = take_metrics(&o, customer_id, out) ? AU_OK : AU_EINVAL;
  object_free(&o);
  return status;
}
