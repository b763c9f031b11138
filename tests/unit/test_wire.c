/* What clients may send: bodies of requests and messages of a socket. */
#include "wire_case.h"

#include <cjson/cJSON.h> /* only for its allocation hooks */

#define ID_RULE      " must be a string of 1 to 128 characters of A-Z a-z 0-9 . _ ~ @ = + / -"
#define BAD_TYPE     "type must be auth or ping"
#define BAD_TIME     "timestamp must be a finite number"
#define BAD_PLATFORM "platform must be a string of at most 64 bytes"
#define BAD_LEADER   "isLeader must be true or false"

static au_status parse_beat(const char *text, wire_beat *out, wire_error *error) {
  au_slice body = exact(text);
  au_status status = wire_parse_beat(body, out, error);
  release(body); /* what was parsed must not point into it */
  return status;
}

static void test_valid_id(void **state) {
  (void)state;
  static const struct {
    const char *name, *id;
    bool want;
  } cases[] = {
      {"one letter", "a", true},
      {"every kind", "AZaz09._~@=+/-", true},
      {"128 bytes", HUNDRED("a") TEN("b") TEN("c") "12345678", true},
      {"129 bytes", HUNDRED("a") TEN("b") TEN("c") "123456789", false},
      {"empty", "", false},
      {"colon", "a:b", false},
      {"space", "a b", false},
      {"glob", "a*", false},
      {"braces", "{a}", false},
      {"percent", "a%20", false},
      {"quote", "a\"", false},
      {"newline", "a\n", false},
      {"DEL", "a\x7F", false},
      {"UTF-8", "caf\xC3\xA9", false},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    check(cases[i].name, "validity", wire_valid_id(slice_of(cases[i].id)) == cases[i].want);
  check("NUL", "is no id", !wire_valid_id((au_slice){"a\0b", 3}));
}

static void test_beat(void **state) {
  (void)state;
  static const struct {
    const char *name, *body, *platform, *user_agent;
    double timestamp;
    bool is_leader;
  } cases[] = {
      {"only the ids", "{" CST "}", "", "", NAN, true},
      {"the reference's beat", "{" CST ",\"timestamp\":1234567890}", "", "", 1234567890, true},
      {"everything",
       "{" CST
       ",\"timestamp\":1.5,\"platform\":\"web\",\"userAgent\":\"Moz/5\",\"isLeader\":false}",
       "web", "Moz/5", 1.5, false},
      {"unknown fields",
       "{\"x\":{\"customerId\":1}," CST ",\"CUSTOMERID\":7,\"type\":0,\"ema\":[]}", "", "", NAN,
       true},
      {"escapes in a name and an id", "{\"customer\\u0049d\":\"shop\\u0031\\u00323\"," S "," T "}",
       "", "", NAN, true},
      {"escapes in a text", "{" CST ",\"userAgent\":\"\\u00e9\\uD83D\\uDE00\\n\"}", "",
       "\xC3\xA9\xF0\x9F\x98\x80\n", NAN, true},
      {"64 bytes of platform", "{" CST ",\"platform\":\"" TEN("123456") "1234\",\"isLeader\":true}",
       TEN("123456") "1234", "", NAN, true},
      {"empty texts", "{" CST ",\"platform\":\"\",\"userAgent\":\"\"}", "", "", NAN, true},
      {"256 bytes of user agent",
       "{" CST ",\"userAgent\":\"" HUNDRED("ab") TEN("12345") "123456\"}", "",
       HUNDRED("ab") TEN("12345") "123456", NAN, true},
      {"257 bytes are cut", "{" CST ",\"userAgent\":\"" HUNDRED("ab") TEN("12345") "1234567\"}", "",
       HUNDRED("ab") TEN("12345") "123456", NAN, true},
      {"a character across the cut",
       "{" CST ",\"userAgent\":\"" HUNDRED("ab") TEN("12345") "123\xF0\x9F\x98\x80\"}", "",
       HUNDRED("ab") TEN("12345") "123", NAN, true},
      {"a character up to the cut",
       "{" CST ",\"userAgent\":\"" HUNDRED("ab") TEN("12345") "12\xF0\x9F\x98\x80zz\"}", "",
       HUNDRED("ab") TEN("12345") "12\xF0\x9F\x98\x80", NAN, true},
      {"null is absent",
       "{" CST ",\"timestamp\":null,\"platform\":null,\"userAgent\":null,\"isLeader\":null,"
       "\"graceMs\":null}",
       "", "", NAN, true},
      {"another request's field", "{" CST ",\"graceMs\":\"junk\"}", "", "", NAN, true},
      {"a negative time", "{" CST ",\"timestamp\":-1}", "", "", -1, true},
      {"the last exact time", "{" CST ",\"timestamp\":9007199254740992}", "", "",
       9007199254740992.0, true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    wire_beat out;
    wire_error error;
    au_status status = parse_beat(cases[i].body, &out, &error);
    if (status != AU_OK) fail_msg("%s: refused: %s", name, error.message);
    check_text(name, "customerId", "shop123", out.beat.customer_id);
    check_text(name, "sessionId", "sess-abc", out.beat.session_id);
    check_text(name, "tabId", "tab-xyz", out.beat.tab_id);
    check_text(name, "platform", cases[i].platform, out.beat.platform);
    check_text(name, "userAgent", cases[i].user_agent, out.beat.user_agent);
    check(name, "isLeader", out.beat.is_leader == cases[i].is_leader);
    check(name, "timestamp",
          isnan(cases[i].timestamp) ? isnan(out.beat.timestamp)
                                    : out.beat.timestamp == cases[i].timestamp);
  }
}

/* The longest of each at once: they must not overlap. */
static void test_beat_of_the_longest_fields(void **state) {
  (void)state;
  static const char id[] = HUNDRED("i") TEN("d") TEN("d") "1234567";
  char body[2048];
  wire_beat out;
  wire_error error;
  (void)snprintf(body, sizeof body,
                 "{\"customerId\":\"C%s\",\"sessionId\":\"S%s\",\"tabId\":\"T%s\","
                 "\"platform\":\"%s\",\"userAgent\":\"%s\",\"page\":\"/%s\"}",
                 id, id, id, TEN("123456") "1234", HUNDRED("ab") HUNDRED("c"),
                 HUNDRED("pg") HUNDRED("e"));
  assert_int_equal(parse_beat(body, &out, &error), AU_OK);
  au_slice ids[] = {out.beat.customer_id, out.beat.session_id, out.beat.tab_id};
  for (size_t i = 0; i < COUNT(ids); i++) {
    assert_int_equal(ids[i].len, AU_ID_MAX);
    assert_int_equal(ids[i].ptr[0], "CST"[i]);
    assert_memory_equal(ids[i].ptr + 1, id, AU_ID_MAX - 1);
  }
  check_text("longest", "platform", TEN("123456") "1234", out.beat.platform);
  assert_int_equal(out.beat.user_agent.len, AU_USER_AGENT_MAX);
  assert_memory_equal(out.beat.user_agent.ptr, HUNDRED("ab") TEN("ccccc"), 250);
  assert_int_equal(out.beat.page.len, AU_PATH_MAX);
  assert_memory_equal(out.beat.page.ptr, "/" HUNDRED("pg") TEN("eeeee"), 250);
}

typedef struct refusal {
  const char *name, *text, *field, *message;
} refusal;

static void check_refusal(const refusal *want, au_status status, const wire_error *got) {
  if (status != AU_EINVAL) fail_msg("%s: status %d", want->name, (int)status);
  check_text(want->name, "field", want->field, slice_of(got->field));
  check_text(want->name, "message", want->message, slice_of(got->message));
}

static void test_beat_refused(void **state) {
  (void)state;
  static const refusal cases[] = {
      {"empty", "", "", "body must be a JSON object"},
      {"an array", "[]", "", "body must be a JSON object"},
      {"no JSON", "customerId=1", "", "body is not valid JSON"},
      {"a rest", "{" CST "}]", "", "body is not valid JSON"},
      {"a NUL in an id", "{\"customerId\":\"shop\\u0000x\"," S "," T "}", "",
       "body must not contain \\u0000"},
      {"bad UTF-8", "{" CST ",\"x\":\"\xFF\"}", "", "body is not valid UTF-8"},
      {"a long number", "{" CST ",\"x\":" TEN("1234567") "}", "",
       "body contains a number that is too long"},
      {"33 levels",
       "{\"x\":" TEN("[") TEN("[") TEN("[") "[["
                                            "]]" TEN("]") TEN("]") TEN("]") "," CST "}",
       "", "body is nested too deeply"},
      {"an empty object", "{}", "customerId", "customerId is required"},
      {"no customer", "{" S "," T "}", "customerId", "customerId is required"},
      {"no session", "{" C "," T "}", "sessionId", "sessionId is required"},
      {"no tab", "{" C "," S "}", "tabId", "tabId is required"},
      {"the wrong case", "{\"CUSTOMERID\":\"a\"," S "," T "}", "customerId",
       "customerId is required"},
      {"customer null", "{\"customerId\":null," S "," T "}", "customerId",
       "customerId is required"},
      {"customer empty", "{\"customerId\":\"\"," S "," T "}", "customerId", "customerId" ID_RULE},
      {"session a number", "{" C ",\"sessionId\":1," T "}", "sessionId", "sessionId" ID_RULE},
      {"session with a colon", "{" C ",\"sessionId\":\"a:b\"," T "}", "sessionId",
       "sessionId" ID_RULE},
      {"tab an object", "{" C "," S ",\"tabId\":{}}", "tabId", "tabId" ID_RULE},
      {"tab too long", "{" C "," S ",\"tabId\":\"" HUNDRED("a") TEN("bcd") "\"}", "tabId",
       "tabId" ID_RULE},
      {"time a string", "{" CST ",\"timestamp\":\"1\"}", "timestamp", BAD_TIME},
      {"time infinite", "{" CST ",\"timestamp\":1e999}", "timestamp", BAD_TIME},
      {"time minus infinite", "{" CST ",\"timestamp\":-1e999}", "timestamp", BAD_TIME},
      {"platform a number", "{" CST ",\"platform\":1}", "platform", BAD_PLATFORM},
      {"65 bytes of platform", "{" CST ",\"platform\":\"" TEN("123456") "12345\"}", "platform",
       BAD_PLATFORM},
      {"user agent an array", "{" CST ",\"userAgent\":[]}", "userAgent",
       "userAgent must be a string"},
      {"leader a string", "{" CST ",\"isLeader\":\"true\"}", "isLeader", BAD_LEADER},
      {"webdriver a number", "{" CST ",\"webdriver\":1}", "webdriver",
       "webdriver must be true or false"},
      {"leader a number", "{" CST ",\"isLeader\":1}", "isLeader", BAD_LEADER},
      {"customer twice", "{" CST "," C "}", "customerId", "duplicate field"},
      {"customer twice, once escaped", "{" CST ",\"\\u0063ustomerId\":\"other\"}", "customerId",
       "duplicate field"},
      {"an unknown field twice", "{" CST ",\"a\":1,\"\\u0061\":1}", "", "duplicate field"},
      {"two of them twice, the first is named", "{" CST "," T "," C "," S "}", "tabId",
       "duplicate field"},
      {"a rest behind a field that is there twice", "{" CST "," C "}]", "",
       "body is not valid JSON"},
      {"an empty name twice", "{\"\":1,\"\":2," CST "}", "", "duplicate field"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    wire_beat out;
    wire_error error;
    au_status status = parse_beat(cases[i].text, &out, &error);
    check_refusal(&cases[i], status, &error);
  }
}

#define GRACE(value) "{" CST ",\"graceMs\":" value "}"

static void test_leave(void **state) {
  (void)state;
  static const struct {
    const char *name, *body;
    int64_t grace_ms; /* -1: refused */
  } cases[] = {
      {"no grace", "{" CST "}", 0},     {"null", GRACE("null"), 0},
      {"nothing", GRACE("0"), 0},       {"some", GRACE("2500"), 2500},
      {"all", GRACE("10000"), 10000},   {"a part of a millisecond", GRACE("1.5"), -1},
      {"more", GRACE("10001"), 10000},  {"far more", GRACE("1e300"), 10000},
      {"negative", GRACE("-1"), -1},    {"a text", GRACE("\"2500\""), -1},
      {"infinite", GRACE("1e999"), -1}, {"true", GRACE("true"), -1},
      {"a list", GRACE("[1]"), -1},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    wire_beat out;
    wire_error error;
    int64_t grace_ms = -2;
    au_status status = wire_parse_leave(slice_of(cases[i].body), 10000, &out, &grace_ms, &error);
    check(cases[i].name, "status", status == (cases[i].grace_ms < 0 ? AU_EINVAL : AU_OK));
    if (status == AU_OK)
      check(cases[i].name, "grace", grace_ms == cases[i].grace_ms);
    else
      check_text(cases[i].name, "field", "graceMs", slice_of(error.field));
  }
}

static void test_beat_limits(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t members, bytes;
    const char *message; /* NULL: taken */
  } cases[] = {
      {"64 fields", 64, 2048, NULL},
      {"65 fields", 65, 2048, "too many fields"},
      {"1000 fields", 1000, 16384, "too many fields"},
      {"16 KiB", 3, 16384, NULL},
      {"16 KiB and a byte", 3, 16385, "body is too large"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    wire_beat out;
    wire_error error;
    char *text = body_of(cases[i].members, cases[i].bytes);
    au_status status = parse_beat(text, &out, &error);
    free(text);
    refusal want = {cases[i].name, "", "", cases[i].message};
    if (cases[i].message) {
      check_refusal(&want, status, &error);
    } else {
      check(cases[i].name, error.message, status == AU_OK);
    }
  }
  wire_beat out;
  wire_error error;
  assert_int_equal(wire_parse_beat((au_slice){NULL, 0}, &out, &error), AU_EINVAL);
  assert_int_equal(parse_beat("{\"x\":" TEN("[") TEN("[") TEN("[") "[]" TEN("]") TEN("]")
                                  TEN("]") "," CST "}",
                              &out, &error),
                   AU_OK); /* 32 levels */
}

static au_status parse_message(const char *text, wire_message *out, wire_error *error) {
  au_slice message = exact(text);
  au_status status = wire_parse_message(message, out, error);
  release(message);
  return status;
}

static void test_message_limits(void **state) {
  (void)state;
  char text[WIRE_MAX_MESSAGE_BYTES + 2] = "{\"type\":\"ping\"}";
  wire_message out;
  wire_error error;
  memset(text + strlen(text), ' ', sizeof text - 1 - strlen(text));
  refusal want = {"4 KiB and a byte", "", "", "message is too large"};
  check_refusal(&want, parse_message(text, &out, &error), &error);
  text[WIRE_MAX_MESSAGE_BYTES] = '\0';
  check("4 KiB", error.message, parse_message(text, &out, &error) == AU_OK);
}

static void test_message(void **state) {
  (void)state;
  static const struct {
    const char *name, *text;
    wire_kind kind;
    const char *session, *tab, *platform;
    double timestamp; /* NAN: has none */
  } cases[] = {
      {"auth",
       "{\"type\":\"auth\"," CST ",\"platform\":\"web\",\"userAgent\":\"\",\"isLeader\":true}",
       WIRE_AUTH, "sess-abc", "tab-xyz", "web", NAN},
      {"the type last", "{" CST ",\"type\":\"auth\"}", WIRE_AUTH, "sess-abc", "tab-xyz", "", NAN},
      {"a watcher", "{\"type\":\"auth\"," C "}", WIRE_AUTH, "", "", "", NAN},
      {"a watcher's tab is ignored", "{\"type\":\"auth\"," C "," T "}", WIRE_AUTH, "", "", "", NAN},
      {"even an odd one", "{\"type\":\"auth\"," C ",\"tabId\":1}", WIRE_AUTH, "", "", "", NAN},
      {"ping", "{\"type\":\"ping\",\"timestamp\":1700000000000}", WIRE_PING, "", "", "",
       1700000000000.0},
      {"ping without a time", "{\"type\":\"ping\"}", WIRE_PING, "", "", "", NAN},
      {"a ping's other fields are ignored", "{\"type\":\"ping\",\"customerId\":1,\"timestamp\":0}",
       WIRE_PING, "", "", "", 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    wire_message out;
    wire_error error;
    au_status status = parse_message(cases[i].text, &out, &error);
    if (status != AU_OK) fail_msg("%s: refused: %s", name, error.message);
    check(name, "kind", out.kind == cases[i].kind);
    check(name, "has_timestamp", out.has_timestamp == !isnan(cases[i].timestamp));
    if (out.has_timestamp) check(name, "timestamp", out.timestamp == cases[i].timestamp);
    if (out.kind != WIRE_AUTH) continue;
    check_text(name, "customerId", "shop123", out.who.beat.customer_id);
    check_text(name, "sessionId", cases[i].session, out.who.beat.session_id);
    check_text(name, "tabId", cases[i].tab, out.who.beat.tab_id);
    check_text(name, "platform", cases[i].platform, out.who.beat.platform);
  }
}

static void test_message_refused(void **state) {
  (void)state;
  static const refusal cases[] = {
      {"empty", "", "", "message must be a JSON object"},
      {"a string", "\"ping\"", "", "message must be a JSON object"},
      {"no JSON", "ping", "", "message is not valid JSON"},
      {"no type", "{}", "type", BAD_TYPE},
      {"an unknown type", "{\"type\":\"metrics:update\"}", "type", BAD_TYPE},
      {"type in capitals", "{\"type\":\"PING\"}", "type", BAD_TYPE},
      {"type a number", "{\"type\":1}", "type", BAD_TYPE},
      {"type null", "{\"type\":null}", "type", BAD_TYPE},
      {"type twice", "{\"type\":\"ping\",\"type\":\"auth\"," CST "}", "type", "duplicate field"},
      {"auth without a customer", "{\"type\":\"auth\"," S "," T "}", "customerId",
       "customerId is required"},
      {"auth without a tab", "{\"type\":\"auth\"," C "," S "}", "tabId", "tabId is required"},
      {"auth with a bad tab", "{\"type\":\"auth\"," C "," S ",\"tabId\":\"\"}", "tabId",
       "tabId" ID_RULE},
      {"a watcher's bad customer", "{\"type\":\"auth\",\"customerId\":\"a b\"}", "customerId",
       "customerId" ID_RULE},
      {"a watcher's bad platform", "{\"type\":\"auth\"," C ",\"platform\":[]}", "platform",
       BAD_PLATFORM},
      {"auth with a bad leader", "{\"type\":\"auth\"," CST ",\"isLeader\":0}", "isLeader",
       BAD_LEADER},
      {"auth with a bad time", "{\"type\":\"auth\"," CST ",\"timestamp\":\"\"}", "timestamp",
       BAD_TIME},
      {"ping with a bad time", "{\"type\":\"ping\",\"timestamp\":true}", "timestamp", BAD_TIME},
      {"ping with no finite time", "{\"type\":\"ping\",\"timestamp\":1e400}", "timestamp",
       BAD_TIME},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    wire_message out;
    wire_error error;
    au_status status = parse_message(cases[i].text, &out, &error);
    check_refusal(&cases[i], status, &error);
  }
}

static int allocations_left;

static void *scarce_malloc(size_t size) {
  return allocations_left-- > 0 ? malloc(size) : NULL;
}

static int restore_hooks(void **state) {
  (void)state;
  cJSON_InitHooks(NULL);
  return 0;
}

static void test_out_of_memory(void **state) {
  (void)state;
  cJSON_Hooks hooks = {scarce_malloc, free};
  cJSON_InitHooks(&hooks);
  /* Escapes and a fraction of our own, which are for cJSON to read. */
  static const char body[] =
      "{\"customer\\u0049d\":\"\\u0061\",\"sessionId\":\"\\u0061\",\"tabId\":\"\\u0061\","
      "\"\\u0074imestamp\":1.5,\"userAgent\":\"\\n\"}";
  wire_beat out;
  wire_error error;
  au_status status = AU_ENOMEM;
  int enough = 0;
  for (; status != AU_OK && enough < 100; enough++) {
    allocations_left = enough;
    status = parse_beat(body, &out, &error);
    if (status == AU_OK) break;
    assert_int_equal(status, AU_ENOMEM);
    assert_string_equal(error.field, "");
    assert_string_equal(error.message, "out of memory");
  }
  assert_int_equal(status, AU_OK);
  assert_true(enough > 10); /* the hooks were in use */
}

static int parsed;

static void *counting_malloc(size_t size) {
  parsed++;
  return malloc(size);
}

/* A parser costs ten times the scan, and a flood of bodies is scanned only. */
static void test_what_is_foreign_is_never_parsed(void **state) {
  (void)state;
  cJSON_Hooks hooks = {counting_malloc, free};
  cJSON_InitHooks(&hooks);
  static const struct {
    const char *name, *body;
    int most; /* allocations: a version of cJSON makes two for a number */
  } cases[] = {
      {"nothing odd", "{" CST ",\"timestamp\":1}", 0},
      {"foreign values", "{" CST ",\"x\":\"\\n\",\"y\":1.5,\"z\":[\"\\n\",1e3,{\"\\n\":1.5}]}", 0},
      {"an escape of ours", "{\"customerId\":\"shop\\u0031\"," S "," T ",\"x\":[1.5,1.5,\"\\n\"]}",
       2},
      {"a fraction of ours", "{" CST ",\"timestamp\":1.5,\"x\":[1.5,1.5]}", 2},
      {"an escape in a name", "{" CST ",\"\\u0061\":[1.5,1.5]}", 2},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    wire_beat out;
    wire_error error;
    parsed = 0;
    au_status status = parse_beat(cases[i].body, &out, &error);
    check(cases[i].name, error.message, status == AU_OK);
    check(cases[i].name, "only what is ours was parsed", parsed <= cases[i].most);
  }
}

static void test_pages(void **state) {
  (void)state;
  static const struct {
    const char *name, *body, *page;
    au_visibility visibility;
    bool ok;
  } cases[] = {
      {"none", "", "", AU_VISIBILITY_UNKNOWN, true},
      {"null is absent", ",\"page\":null,\"visible\":null", "", AU_VISIBILITY_UNKNOWN, true},
      {"root", ",\"page\":\"/\",\"visible\":true", "/", AU_VISIBILITY_VISIBLE, true},
      {"a query", ",\"page\":\"/a?b=/c#d\",\"visible\":false", "/a", AU_VISIBILITY_HIDDEN, true},
      {"a fragment", ",\"page\":\"/a#b?c\"", "/a", AU_VISIBILITY_UNKNOWN, true},
      {"a query at once", ",\"page\":\"/?\"", "/", AU_VISIBILITY_UNKNOWN, true},
      {"controls behind the cut", ",\"page\":\"/a?\\n\"", "/a", AU_VISIBILITY_UNKNOWN, true},
      {"an escape", ",\"page\":\"\\/caf\\u00e9\"", "/caf\xC3\xA9", AU_VISIBILITY_UNKNOWN, true},
      {"no slash", ",\"page\":\"a\"", "", AU_VISIBILITY_UNKNOWN, false},
      {"empty", ",\"page\":\"\"", "", AU_VISIBILITY_UNKNOWN, false},
      {"C0", ",\"page\":\"/\\u001f\"", "", AU_VISIBILITY_UNKNOWN, false},
      {"DEL", ",\"page\":\"/\\u007f\"", "", AU_VISIBILITY_UNKNOWN, false},
      {"C1", ",\"page\":\"/\\u0080\"", "", AU_VISIBILITY_UNKNOWN, false},
      {"the last C1", ",\"page\":\"/\\u009f\"", "", AU_VISIBILITY_UNKNOWN, false},
      {"behind C1", ",\"page\":\"/\\u00a0\"", "/\xC2\xA0", AU_VISIBILITY_UNKNOWN, true},
      {"a number", ",\"page\":1", "", AU_VISIBILITY_UNKNOWN, false},
      {"257 bytes are cut", ",\"page\":\"/" HUNDRED("ab") TEN("12345") "123456\"",
       "/" HUNDRED("ab") TEN("12345") "12345", AU_VISIBILITY_UNKNOWN, true},
      {"a character across the cut",
       ",\"page\":\"/" HUNDRED("ab") TEN("12345") "123\xF0\x9F\x98\x80\"",
       "/" HUNDRED("ab") TEN("12345") "123", AU_VISIBILITY_UNKNOWN, true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char text[1024];
    wire_beat beat;
    wire_message message;
    wire_error error;
    (void)snprintf(text, sizeof text, "{" CST "%s}", cases[i].body);
    au_slice body = exact(text);
    bool ok = wire_parse_beat(body, &beat, &error) == AU_OK;
    check(cases[i].name, "a beat is taken", ok == cases[i].ok);
    if (ok) check_text(cases[i].name, "page", cases[i].page, beat.beat.page);
    if (ok) check(cases[i].name, "visible", beat.beat.visibility == cases[i].visibility);
    if (!ok) check(cases[i].name, "names the field", strcmp(error.field, "page") == 0);
    release(body);
    (void)snprintf(text, sizeof text, "{\"type\":\"ping\"%s}", cases[i].body);
    body = exact(text);
    ok = wire_parse_message(body, &message, &error) == AU_OK;
    check(cases[i].name, "a ping is taken", ok == cases[i].ok);
    if (ok) check_text(cases[i].name, "page of a ping", cases[i].page, message.who.beat.page);
    if (ok) check(cases[i].name, "of a ping", message.who.beat.visibility == cases[i].visibility);
    release(body);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_valid_id),
      cmocka_unit_test(test_beat),
      cmocka_unit_test(test_beat_of_the_longest_fields),
      cmocka_unit_test(test_pages),
      cmocka_unit_test(test_beat_refused),
      cmocka_unit_test(test_leave),
      cmocka_unit_test(test_beat_limits),
      cmocka_unit_test(test_message),
      cmocka_unit_test(test_message_refused),
      cmocka_unit_test(test_message_limits),
      cmocka_unit_test_teardown(test_out_of_memory, restore_hooks),
      cmocka_unit_test_teardown(test_what_is_foreign_is_never_parsed, restore_hooks),
  };
  return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
