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

/* A parsed object; `field` borrows from `root`, NULL where a field is absent. */
typedef struct object {
  cJSON *root;
  const cJSON *field[FIELDS];
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
static field_id field_by_name(const char *name) {
  for (field_id id = 0; id < FIELDS; id++)
    if (strcmp(fields[id].name, name) == 0) return id;
  return FIELDS;
}

/* Sorts the members into o->field. The same name twice is refused where the source
 * says so, whatever the name; elsewhere the last one wins, as it does in JavaScript.
 * Names are compared as cJSON unescaped them, so `\u0061` is `a`. */
static au_status sort_members(const source *from, object *o, wire_error *error) {
  for (const cJSON *item = o->root->child; item; item = item->next) {
    field_id id = field_by_name(item->string);
    bool twice = false;
    if (from->strict_fields)
      for (const cJSON *other = o->root->child; other != item && !twice; other = other->next)
        twice = strcmp(other->string, item->string) == 0;
    if (twice) return refuse(error, id < FIELDS ? fields[id].name : "", "duplicate field");
    if (id < FIELDS) o->field[id] = item;
  }
  return AU_OK;
}

/* Returns AU_OK (the caller frees), AU_EINVAL or AU_ENOMEM (nothing to free). */
static au_status object_read(const source *from, au_slice text, object *o, wire_error *error) {
  char copy[WIRE_MAX_BODY_BYTES + 1];
  size_t members = 0;

  *o = (object){0};
  *error = (wire_error){"", ""};
  if (text.len > from->max_bytes) return refuse(error, "", from->too_large);
  wire_scan_status scanned = wire_scan(text, WIRE_MAX_DEPTH, &members);
  if (scanned != WIRE_SCAN_OK) return refuse(error, "", from->refusal[scanned]);
  if (from->strict_fields && members > MAX_FIELDS) return refuse(error, "", "too many fields");

  /* Some cJSON versions look one byte past the end: give them a NUL to find there. */
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  o->root = cJSON_ParseWithLengthOpts(copy, text.len + 1, NULL, true);
  if (!o->root) { /* the scan has vouched for the text, so it can only be this */
    *error = (wire_error){"", "out of memory"};
    return AU_ENOMEM;
  }
  au_status status = sort_members(from, o, error);
  if (status != AU_OK) object_free(o);
  return status;
}

bool wire_valid_id(au_slice id) {
  if (id.len < 1 || id.len > AU_ID_MAX) return false;
  for (size_t i = 0; i < id.len; i++) {
    char c = id.ptr[i];
    bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alnum && (c == '\0' || !strchr("._~@=+/-", c))) return false;
  }
  return true;
}

/* The take_ functions copy the value of `item`, which may be NULL. They return
 * false, and leave `out` as it was, when it is absent or odd. */

static bool take_id(const cJSON *item, char *at, au_slice *out) {
  if (!item || !cJSON_IsString(item)) return false;
  au_slice id = slice_of(item->valuestring);
  if (!wire_valid_id(id)) return false;
  memcpy(at, id.ptr, id.len);
  *out = (au_slice){at, id.len};
  return true;
}

/* With `cut`, a longer text is cut before the character that crosses the limit. */
static bool take_text(const cJSON *item, char *at, size_t max_bytes, bool cut, au_slice *out) {
  if (!item || !cJSON_IsString(item)) return false;
  au_slice text = slice_of(item->valuestring);
  if (text.len > max_bytes) {
    if (!cut) return false;
    text.len = max_bytes;
    while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80) text.len--;
  }
  memcpy(at, text.ptr, text.len);
  *out = (au_slice){at, text.len};
  return true;
}

static bool take_number(const cJSON *item, double *out) {
  if (!item || !cJSON_IsNumber(item) || !isfinite(item->valuedouble)) return false;
  *out = item->valuedouble;
  return true;
}

static bool take_bool(const cJSON *item, bool *out) {
  if (!item || !cJSON_IsBool(item)) return false;
  *out = cJSON_IsTrue(item);
  return true;
}

/* Fills all of `out`; what is absent or odd is left empty. Returns the first field
 * that is there and odd, or FIELDS. */
static field_id take_beat(const object *o, wire_beat *out) {
  const cJSON *const *field = o->field;
  au_beat *beat = &out->beat;
  au_slice empty = {out->bytes, 0};
  bool taken[FIELDS] = {false};

  *beat = (au_beat){empty, empty, empty, empty, empty, NAN, true};
  taken[FIELD_TYPE] = true; /* not of a beat */
  taken[FIELD_CUSTOMER_ID] =
      take_id(field[FIELD_CUSTOMER_ID], out->bytes + AT_CUSTOMER_ID, &beat->customer_id);
  taken[FIELD_SESSION_ID] =
      take_id(field[FIELD_SESSION_ID], out->bytes + AT_SESSION_ID, &beat->session_id);
  taken[FIELD_TAB_ID] = take_id(field[FIELD_TAB_ID], out->bytes + AT_TAB_ID, &beat->tab_id);
  taken[FIELD_TIMESTAMP] = take_number(field[FIELD_TIMESTAMP], &beat->timestamp);
  taken[FIELD_PLATFORM] = take_text(field[FIELD_PLATFORM], out->bytes + AT_PLATFORM,
                                    AU_PLATFORM_MAX, false, &beat->platform);
  taken[FIELD_USER_AGENT] = take_text(field[FIELD_USER_AGENT], out->bytes + AT_USER_AGENT,
                                      AU_USER_AGENT_MAX, true, &beat->user_agent);
  taken[FIELD_IS_LEADER] = take_bool(field[FIELD_IS_LEADER], &beat->is_leader);

  for (field_id id = 0; id <= FIELD_IS_LEADER; id++)
    if (field[id] && !taken[id]) return id;
  return FIELDS;
}

/* A beat as clients send it. With `session_optional` an object without a session is
 * a watcher, and has no tab either. */
static au_status read_beat(object *o, bool session_optional, wire_beat *out, wire_error *error) {
  if (session_optional && !o->field[FIELD_SESSION_ID]) {
    o->field[FIELD_TAB_ID] = NULL;
  } else {
    session_optional = false;
  }
  field_id last_required = session_optional ? FIELD_CUSTOMER_ID : FIELD_TAB_ID;
  for (field_id id = FIELD_CUSTOMER_ID; id <= last_required; id++)
    if (!o->field[id]) return refuse_missing(error, id);
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
  const cJSON *type = o->field[FIELD_TYPE];
  const cJSON *timestamp = o->field[FIELD_TIMESTAMP];
  const char *kind = type && cJSON_IsString(type) ? type->valuestring : "";

  out->has_timestamp = false;
  out->timestamp = NAN;
  if (strcmp(kind, "auth") == 0) {
    out->kind = WIRE_AUTH;
    return read_beat(o, true, &out->who, error);
  }
  if (strcmp(kind, "ping") == 0) {
    out->kind = WIRE_PING;
    out->has_timestamp = take_number(timestamp, &out->timestamp);
    return timestamp && !out->has_timestamp ? refuse_odd(error, FIELD_TIMESTAMP) : AU_OK;
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
  if (!take_id(o->field[FIELD_CUSTOMER_ID], customer_id, &out->customer_id)) return false;
  if (!take_number(o->field[FIELD_TIMESTAMP], &timestamp) || fabs(timestamp) > MAX_EXACT)
    return false;
  if (!take_number(o->field[FIELD_COUNT], &count) || count < 0 || count > UINT32_MAX ||
      count != floor(count))
    return false;
  if (!take_number(o->field[FIELD_EMA], &ema) || ema < 0) return false;
  if (o->field[FIELD_STALE] && !take_bool(o->field[FIELD_STALE], &stale)) return false;
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
