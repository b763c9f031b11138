/* Reads JSON: request bodies, messages of a socket, tokens and what Redis holds. */
#include "wire.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "object.h"
#include "utils/text/id.h"

enum {
  /* Where a wire_beat keeps its texts. */
  AT_CUSTOMER_ID = 0,
  AT_SESSION_ID = AU_ID_MAX,
  AT_TAB_ID = 2 * AU_ID_MAX,
  AT_PLATFORM = 3 * AU_ID_MAX,
  AT_USER_AGENT = AT_PLATFORM + AU_PLATFORM_MAX,
  AT_PAGE = AT_USER_AGENT + AU_USER_AGENT_MAX,
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
  FIELD_PAGE,
  FIELD_VISIBLE,
  FIELD_IS_LEADER,
  FIELD_GRACE_MS,
  FIELD_COUNT,
  FIELD_EMA,
  FIELD_STALE,
  FIELD_TOKEN,
  FIELD_WEBDRIVER,
  FIELD_BOTS,
  FIELD_BOT,
  FIELD_PENDING_SINCE,
  FIELD_ADDRESS,
  FIELD_HASH,
  FIELD_SECONDS,
  FIELDS, /* how many; also "none of them" */
} field_id;

/* The sentences below name the limits. */
static_assert(AU_ID_MAX == 128 && AU_PLATFORM_MAX == 64, "limits in the messages");
#define ID_RULE " must be a string of " WIRE_ID_RULE

static const wire_field fields[FIELDS] = {
    [FIELD_TYPE] = {WIRE_NAME("type"), "type must be auth or ping", "type must be auth or ping"},
    [FIELD_CUSTOMER_ID] = {WIRE_NAME("customerId"), "customerId is required", "customerId" ID_RULE},
    [FIELD_SESSION_ID] = {WIRE_NAME("sessionId"), "sessionId is required", "sessionId" ID_RULE},
    [FIELD_TAB_ID] = {WIRE_NAME("tabId"), "tabId is required", "tabId" ID_RULE},
    [FIELD_TIMESTAMP] = {WIRE_NAME("timestamp"), "", "timestamp must be a finite number"},
    [FIELD_PLATFORM] = {WIRE_NAME("platform"), "", "platform must be a string of at most 64 bytes"},
    [FIELD_USER_AGENT] = {WIRE_NAME("userAgent"), "", "userAgent must be a string"},
    [FIELD_PAGE] = {WIRE_NAME("page"), "", "page must be " WIRE_PAGE_RULE},
    [FIELD_VISIBLE] = {WIRE_NAME("visible"), "", "visible must be true or false"},
    [FIELD_IS_LEADER] = {WIRE_NAME("isLeader"), "", "isLeader must be true or false"},
    [FIELD_GRACE_MS] = {WIRE_NAME("graceMs"), "",
                        "graceMs must be a whole number of milliseconds, 0 or more"},
    [FIELD_COUNT] = {WIRE_NAME("count"), "", ""},
    [FIELD_EMA] = {WIRE_NAME("ema"), "", ""},
    [FIELD_STALE] = {WIRE_NAME("stale"), "", ""},
    [FIELD_TOKEN] = {WIRE_NAME("token"), "", "token must be a JSON Web Token"},
    [FIELD_WEBDRIVER] = {WIRE_NAME("webdriver"), "", "webdriver must be true or false"},
    [FIELD_BOTS] = {WIRE_NAME("bots"), "", ""},
    [FIELD_BOT] = {WIRE_NAME("bot"), "", ""},
    [FIELD_PENDING_SINCE] = {WIRE_NAME("pendingSince"), "", ""},
    [FIELD_ADDRESS] = {WIRE_NAME("address"), "", "address must be an IPv4 or IPv6 address"},
    [FIELD_HASH] = {WIRE_NAME("hash"), "address or hash is required",
                    "hash must be 16 hexadecimal digits, and not beside an address"},
    [FIELD_SECONDS] = {WIRE_NAME("seconds"), "seconds is required",
                       "seconds must be a whole number from 1 to 2592000"},
};

/* Those of a token have other names (RFC 7515, 4.1; RFC 7519, 4.1). */
typedef enum claim_id {
  CLAIM_ALG,
  CLAIM_CRIT,
  CLAIM_KEY_ID,
  CLAIM_CUSTOMER_ID,
  CLAIM_SESSION_ID,
  CLAIM_SCOPE,
  CLAIM_EXPIRES,
  CLAIM_NOT_BEFORE,
  CLAIM_ISSUED,
  CLAIMS,
} claim_id;

static const wire_field claims[CLAIMS] = {
    [CLAIM_ALG] = {WIRE_NAME("alg"), "", ""},
    [CLAIM_CRIT] = {WIRE_NAME("crit"), "", ""},
    [CLAIM_KEY_ID] = {WIRE_NAME("kid"), "", ""},
    [CLAIM_CUSTOMER_ID] = {WIRE_NAME("customerId"), "", ""},
    [CLAIM_SESSION_ID] = {WIRE_NAME("sessionId"), "", ""},
    [CLAIM_SCOPE] = {WIRE_NAME("scope"), "", ""},
    [CLAIM_EXPIRES] = {WIRE_NAME("exp"), "", ""},
    [CLAIM_NOT_BEFORE] = {WIRE_NAME("nbf"), "", ""},
    [CLAIM_ISSUED] = {WIRE_NAME("iat"), "", ""},
};

static_assert((int)FIELDS <= (int)WIRE_MAX_OWN_FIELDS && (int)CLAIMS <= (int)WIRE_MAX_OWN_FIELDS,
              "they fit into a wire_object");

static const wire_source source_body = {fields, FIELDS, WIRE_MAX_BODY_BYTES, true,
                                        WIRE_REFUSALS("body")};
static const wire_source source_message = {fields, FIELDS, WIRE_MAX_MESSAGE_BYTES, true,
                                           WIRE_REFUSALS("message")};
static const wire_source source_presence = {fields, FIELDS, WIRE_MAX_BODY_BYTES, false,
                                            WIRE_REFUSALS("value")};
static const wire_source source_metrics = {fields, FIELDS, WIRE_MAX_MESSAGE_BYTES, true,
                                           WIRE_REFUSALS("value")};
static const wire_source source_token = {claims, CLAIMS, WIRE_MAX_MESSAGE_BYTES, true,
                                         WIRE_REFUSALS("token")};

bool wire_valid_id(au_slice id) {
  return id_valid(id);
}

static void take_visible(const wire_value *v, bool *taken, au_visibility *out) {
  bool visible;
  *taken = wire_take_bool(v, &visible);
  if (*taken) *out = visible ? AU_VISIBILITY_VISIBLE : AU_VISIBILITY_HIDDEN;
}

/* Fills all of `out`; what is absent or odd is left empty. Returns the first field
 * that is there and odd, or FIELDS. */
static field_id take_beat(const wire_object *o, wire_beat *out) {
  const wire_value *field = o->field;
  au_beat *beat = &out->beat;
  au_slice empty = {out->bytes, 0};
  bool taken[FIELDS] = {false};

  *beat = (au_beat){empty,
                    empty,
                    empty,
                    empty,
                    empty,
                    NAN,
                    true,
                    AU_VISITOR_PERSON,
                    0,
                    empty,
                    AU_VISIBILITY_UNKNOWN,
                    false,
                    NULL};
  taken[FIELD_TYPE] = true; /* not of a beat */
  taken[FIELD_CUSTOMER_ID] =
      wire_take_id(&field[FIELD_CUSTOMER_ID], out->bytes + AT_CUSTOMER_ID, &beat->customer_id);
  taken[FIELD_SESSION_ID] =
      wire_take_id(&field[FIELD_SESSION_ID], out->bytes + AT_SESSION_ID, &beat->session_id);
  taken[FIELD_TAB_ID] = wire_take_id(&field[FIELD_TAB_ID], out->bytes + AT_TAB_ID, &beat->tab_id);
  taken[FIELD_TIMESTAMP] = wire_take_number(&field[FIELD_TIMESTAMP], &beat->timestamp);
  taken[FIELD_PLATFORM] = wire_take_text(&field[FIELD_PLATFORM], out->bytes + AT_PLATFORM,
                                         AU_PLATFORM_MAX, false, &beat->platform);
  taken[FIELD_USER_AGENT] = wire_take_text(&field[FIELD_USER_AGENT], out->bytes + AT_USER_AGENT,
                                           AU_USER_AGENT_MAX, true, &beat->user_agent);
  taken[FIELD_PAGE] = wire_take_path(&field[FIELD_PAGE], out->bytes + AT_PAGE, &beat->page);
  take_visible(&field[FIELD_VISIBLE], &taken[FIELD_VISIBLE], &beat->visibility);
  taken[FIELD_IS_LEADER] = wire_take_bool(&field[FIELD_IS_LEADER], &beat->is_leader);

  for (field_id id = 0; id <= FIELD_IS_LEADER; id++)
    if (wire_has(o, id) && !taken[id]) return id;
  return FIELDS;
}

static bool take_token(const wire_object *o, au_slice *out) {
  *out = (au_slice){0};
  return !wire_has(o, FIELD_TOKEN) || wire_take_plain(o, FIELD_TOKEN, out);
}

static bool take_webdriver(const wire_object *o, bool *out) {
  *out = false;
  return !wire_has(o, FIELD_WEBDRIVER) || wire_take_bool(&o->field[FIELD_WEBDRIVER], out);
}

/* A beat as clients send it. With `session_optional` an object without a session is
 * a watcher, and has no tab either. */
static au_status read_beat(wire_object *o, bool session_optional, wire_beat *out,
                           wire_error *error) {
  if (session_optional && !wire_has(o, FIELD_SESSION_ID)) {
    o->field[FIELD_TAB_ID].type = cJSON_Invalid;
  } else {
    session_optional = false;
  }
  field_id last_required = session_optional ? FIELD_CUSTOMER_ID : FIELD_TAB_ID;
  for (field_id id = FIELD_CUSTOMER_ID; id <= last_required; id++)
    if (!wire_has(o, id)) return wire_refuse_missing(o, id, error);
  field_id odd = take_beat(o, out);
  if (odd == FIELDS && !take_token(o, &out->token)) odd = FIELD_TOKEN;
  if (odd == FIELDS && !take_webdriver(o, &out->webdriver)) odd = FIELD_WEBDRIVER;
  return odd == FIELDS ? AU_OK : wire_refuse_odd(o, odd, error);
}

au_status wire_parse_beat(au_slice body, wire_beat *out, wire_error *error) {
  wire_object o;
  au_status status = wire_object_read(&source_body, body, &o, error);
  if (status != AU_OK) return status;
  status = read_beat(&o, false, out, error);
  wire_object_free(&o);
  return status;
}

au_status wire_parse_leave(au_slice body, int64_t max_grace_ms, wire_beat *out, int64_t *grace_ms,
                           wire_error *error) {
  wire_object o;
  double grace = 0;
  au_status status = wire_object_read(&source_body, body, &o, error);
  if (status != AU_OK) return status;
  status = read_beat(&o, false, out, error);
  if (status == AU_OK && wire_has(&o, FIELD_GRACE_MS) &&
      (!wire_take_number(&o.field[FIELD_GRACE_MS], &grace) || grace < 0 || grace != floor(grace)))
    status = wire_refuse_odd(&o, FIELD_GRACE_MS, error);
  /* A page sends its leave as a beacon and never sees the answer: a refusal would lose it. */
  *grace_ms = grace > (double)max_grace_ms ? max_grace_ms : (int64_t)grace;
  wire_object_free(&o);
  return status;
}

/* A ping's own fields; of its beat who drives the page, the page, and whether that is visible. */
static au_status read_ping(wire_object *o, wire_message *out, wire_error *error) {
  au_beat *beat = &out->who.beat;
  bool taken;
  beat->page = (au_slice){out->who.bytes, 0};
  beat->visibility = AU_VISIBILITY_UNKNOWN;
  if (!take_webdriver(o, &out->who.webdriver)) return wire_refuse_odd(o, FIELD_WEBDRIVER, error);
  out->has_timestamp = wire_take_number(&o->field[FIELD_TIMESTAMP], &out->timestamp);
  if (wire_has(o, FIELD_TIMESTAMP) && !out->has_timestamp)
    return wire_refuse_odd(o, FIELD_TIMESTAMP, error);
  if (wire_has(o, FIELD_PAGE) &&
      !wire_take_path(&o->field[FIELD_PAGE], out->who.bytes + AT_PAGE, &beat->page))
    return wire_refuse_odd(o, FIELD_PAGE, error);
  take_visible(&o->field[FIELD_VISIBLE], &taken, &beat->visibility);
  return wire_has(o, FIELD_VISIBLE) && !taken ? wire_refuse_odd(o, FIELD_VISIBLE, error) : AU_OK;
}

static au_status read_message(wire_object *o, wire_message *out, wire_error *error) {
  const wire_value *type = &o->field[FIELD_TYPE];
  au_slice kind = type->type == cJSON_String ? type->text : (au_slice){0};

  out->has_timestamp = out->who.webdriver = false;
  out->timestamp = NAN;
  if (slice_eq(kind, slice_of("auth"))) {
    out->kind = WIRE_AUTH;
    return read_beat(o, true, &out->who, error);
  }
  if (slice_eq(kind, slice_of("ping"))) {
    out->kind = WIRE_PING;
    return read_ping(o, out, error);
  }
  return wire_refuse_odd(o, FIELD_TYPE, error);
}

au_status wire_parse_message(au_slice text, wire_message *out, wire_error *error) {
  wire_object o;
  au_status status = wire_object_read(&source_message, text, &o, error);
  if (status != AU_OK) return status;
  status = read_message(&o, out, error);
  wire_object_free(&o);
  return status;
}

/* What is odd here counts as absent: a person, who counts. */
static void take_visitor(const wire_object *o, int64_t now_ms, au_beat *out) {
  bool bot = false;
  double since_ms;
  if (wire_take_bool(&o->field[FIELD_BOT], &bot) && bot) {
    out->visitor = AU_VISITOR_BOT;
  } else if (wire_take_number(&o->field[FIELD_PENDING_SINCE], &since_ms) &&
             fabs(since_ms) <= MAX_EXACT) {
    out->visitor = AU_VISITOR_PENDING;
    out->pending_ms = since_ms < (double)now_ms ? now_ms - (int64_t)since_ms : 0;
  }
}

au_status wire_parse_presence(au_slice text, int64_t now_ms, wire_beat *out) {
  wire_object o;
  wire_error unused;
  au_status status = wire_object_read(&source_presence, text, &o, &unused);
  if (status != AU_OK) return status;
  (void)take_beat(&o, out); /* another program's odd field is not ours to refuse */
  take_visitor(&o, now_ms, &out->beat);
  wire_object_free(&o);
  return AU_OK;
}

static bool take_key_id(const wire_object *o, wire_token_header *out) {
  return !wire_has(o, CLAIM_KEY_ID) || wire_take_text(&o->field[CLAIM_KEY_ID], out->bytes,
                                                      WIRE_MAX_KEY_ID_BYTES, false, &out->key_id);
}

au_status wire_parse_token_header(au_slice json, wire_token_header *out) {
  wire_object o;
  wire_error unused;
  au_status status = wire_object_read(&source_token, json, &o, &unused);
  if (status != AU_OK) return status;
  out->key_id = (au_slice){0};
  out->is_hs256 = o.field[CLAIM_ALG].type == cJSON_String &&
                  slice_eq(o.field[CLAIM_ALG].text, slice_of("HS256")) && !wire_has(&o, CLAIM_CRIT);
  status = take_key_id(&o, out) ? AU_OK : AU_EINVAL;
  wire_object_free(&o);
  return status;
}

static bool take_time(const wire_object *o, claim_id id, double *out) {
  *out = NAN;
  return !wire_has(o, id) || wire_take_number(&o->field[id], out);
}

/* Words by blanks (RFC 8693, 4.2), of which others may be for others. */
static bool take_scope(const wire_object *o, wire_claims *out) {
  const wire_value *scope = &o->field[CLAIM_SCOPE];
  au_slice rest = scope->text, word;
  out->may_be_present = out->may_watch = !wire_has(o, CLAIM_SCOPE);
  if (out->may_watch) return true;
  if (scope->type != cJSON_String) return false;
  while (slice_next(&rest, ' ', &word)) {
    out->may_be_present |= slice_eq(word, slice_of("presence"));
    out->may_watch |= slice_eq(word, slice_of("watch"));
  }
  return true;
}

/* A claim that is null was meant to say something, such as an end that could not be computed: it
 * must not read as a claim that is left out, which allows more. */
static bool has_null(const wire_object *o) {
  for (size_t id = 0; id < o->from->fields_count; id++)
    if (o->literals[id].ptr && !wire_has(o, id)) return true;
  return false;
}

au_status wire_parse_claims(au_slice json, wire_claims *out) {
  wire_object o;
  wire_error unused;
  au_status status = wire_object_read(&source_token, json, &o, &unused);
  if (status != AU_OK) return status;
  out->session_id = (au_slice){0};
  bool ok = !has_null(&o) &&
            wire_take_id(&o.field[CLAIM_CUSTOMER_ID], out->bytes, &out->customer_id) &&
            (!wire_has(&o, CLAIM_SESSION_ID) ||
             wire_take_id(&o.field[CLAIM_SESSION_ID], out->bytes + AU_ID_MAX, &out->session_id)) &&
            take_scope(&o, out) && take_time(&o, CLAIM_EXPIRES, &out->expires_s) &&
            take_time(&o, CLAIM_NOT_BEFORE, &out->not_before_s) &&
            take_time(&o, CLAIM_ISSUED, &out->issued_s);
  wire_object_free(&o);
  return ok ? AU_OK : AU_EINVAL;
}

static bool is_count(double n) {
  return n >= 0 && n <= UINT32_MAX && n == floor(n);
}

static bool take_metrics(const wire_object *o, char *customer_id, au_metrics *out) {
  double timestamp, count, ema, bots = 0;
  bool stale = false;
  if (!wire_take_id(&o->field[FIELD_CUSTOMER_ID], customer_id, &out->customer_id)) return false;
  if (!wire_take_number(&o->field[FIELD_TIMESTAMP], &timestamp) || fabs(timestamp) > MAX_EXACT)
    return false;
  if (!wire_take_number(&o->field[FIELD_COUNT], &count) || !is_count(count)) return false;
  if (wire_has(o, FIELD_BOTS) &&
      (!wire_take_number(&o->field[FIELD_BOTS], &bots) || !is_count(bots)))
    return false;
  if (!wire_take_number(&o->field[FIELD_EMA], &ema) || ema < 0) return false;
  if (wire_has(o, FIELD_STALE) && !wire_take_bool(&o->field[FIELD_STALE], &stale)) return false;
  *out = (au_metrics){.customer_id = out->customer_id,
                      .timestamp_ms = (int64_t)timestamp,
                      .count = (uint32_t)count,
                      .bots = (uint32_t)bots,
                      .ema = ema,
                      .stale = stale};
  return true;
}

au_status wire_parse_metrics(au_slice text, char *customer_id, au_metrics *out) {
  wire_object o;
  wire_error unused;
  au_status status = wire_object_read(&source_metrics, text, &o, &unused);
  if (status != AU_OK) return status;
  status = take_metrics(&o, customer_id, out) ? AU_OK : AU_EINVAL;
  wire_object_free(&o);
  return status;
}

/* Of a block: what its address is, is for the caller to judge. */
au_status wire_parse_block(au_slice body, wire_block *out, wire_error *error) {
  wire_object o;
  double seconds;
  au_status status = wire_object_read(&source_body, body, &o, error);
  if (status != AU_OK) return status;
  bool by_address = wire_has(&o, FIELD_ADDRESS), by_hash = wire_has(&o, FIELD_HASH);
  field_id target = by_address ? FIELD_ADDRESS : FIELD_HASH;
  *out = (wire_block){.is_hash = by_hash};
  if (!by_address && !by_hash)
    status = wire_refuse_missing(&o, FIELD_HASH, error);
  else if (by_address && by_hash)
    status = wire_refuse_odd(&o, FIELD_HASH, error);
  else if (!wire_take_text(&o.field[target], out->bytes, sizeof out->bytes, false, &out->target) ||
           out->target.len == 0)
    status = wire_refuse_odd(&o, target, error);
  else if (!wire_has(&o, FIELD_SECONDS))
    status = wire_refuse_missing(&o, FIELD_SECONDS, error);
  else if (!wire_take_number(&o.field[FIELD_SECONDS], &seconds) || seconds < 1 ||
           seconds > WIRE_MAX_BLOCK_S || seconds != floor(seconds))
    status = wire_refuse_odd(&o, FIELD_SECONDS, error);
  else
    out->seconds = (uint32_t)seconds;
  wire_object_free(&o);
  return status;
}
