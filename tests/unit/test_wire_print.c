/* Every text that goes out, byte for byte, and back through the parsers. */
#include "wire_case.h"

#include <locale.h>

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

/* Frees what was printed. */
static void check_printed(const char *name, const char *want, buffer *got) {
  if (got->failed) fail_msg("%s: failed", name);
  if (!slice_eq(buffer_slice(got), slice_of(want)))
    fail_msg("%s: want %s, got %.*s", name, want, (int)got->len, got->ptr);
  buffer_free(got);
}

static void check_frame(const char *name, const char *want, frame *got) {
  if (!got) fail_msg("%s: no frame", name);
  if (!slice_eq((au_slice){frame_text(got), got->len}, slice_of(want)))
    fail_msg("%s: want %s, got %.*s", name, want, (int)got->len, frame_text(got));
  assert_int_equal(got->refs, 1);
  frame_unref(got);
}

static buffer room(void) {
  buffer b;
  buffer_init(&b, 64 * 1024);
  return b;
}

static void test_string(void **state) {
  (void)state;
  static const struct {
    const char *name;
    au_slice text;
    const char *want;
  } cases[] = {
      {"empty", TEXT(""), "\"\""},
      {"nowhere", {NULL, 0}, "\"\""},
      {"plain", TEXT("shop.1"), "\"shop.1\""},
      {"quote and backslash", TEXT("a\"b\\c"), "\"a\\\"b\\\\c\""},
      {"only escapes", TEXT("\"\""), "\"\\\"\\\"\""},
      {"control bytes", TEXT("\b\f\n\r\t\x01\x1F"),
       "\"\\u0008\\u000c\\u000a\\u000d\\u0009\\u0001\\u001f\""},
      {"a NUL", TEXT("a\0b"), "\"a\\u0000b\""},
      {"UTF-8 and DEL as they are", TEXT("\xC3\xA9\xF0\x9F\x98\x80\x7F"),
       "\"\xC3\xA9\xF0\x9F\x98\x80\x7F\""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    buffer out = room();
    wire_print_string(&out, cases[i].text);
    check_printed(cases[i].name, cases[i].want, &out);
  }
}

static const struct {
  const char *name;
  double value;
  const char *want;
} numbers[] = {
    {"zero", 0, "0"},
    {"minus zero", -0.0, "0"},
    {"an integer", 42, "42"},
    {"a negative integer", -42, "-42"},
    {"a time", 1705315800123.0, "1705315800123"},
    {"2^53 - 1", 9007199254740991.0, "9007199254740991"},
    {"2^53", 9007199254740992.0, "9007199254740992"},
    {"-2^53", -9007199254740992.0, "-9007199254740992"},
    {"beyond 2^53", 9007199254740994.0, "9007199254740994"},
    {"beyond any integer", 1e300, "1e+300"},
    {"a half", 38.5, "38.5"},
    {"a tenth", 0.1, "0.1"},
    {"15 digits do not do", 0.1 + 0.2, "0.30000000000000004"},
    {"a third", 1.0 / 3, "0.3333333333333333"},
    {"small", 1e-7, "1e-07"},
    {"NaN", NAN, "0"},
    {"infinite", INFINITY, "0"},
};

static void check_numbers(void) {
  for (size_t i = 0; i < COUNT(numbers); i++) {
    buffer out = room();
    wire_print_number(&out, numbers[i].value);
    check_printed(numbers[i].name, numbers[i].want, &out);
  }
}

static void test_number(void **state) {
  (void)state;
  check_numbers();
}

/* Each bit pattern that is a number reads back as itself. */
static void test_number_reads_back(void **state) {
  (void)state;
  uint64_t seed = 88172645463325252u;
  for (int i = 0; i < 100000; i++) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    double value;
    memcpy(&value, &seed, sizeof value);
    if (!isfinite(value)) continue;
    buffer out = room();
    wire_print_number(&out, value);
    buffer_append(&out, "", 1);
    assert_false(out.failed);
    if (strtod(out.ptr, NULL) != value) fail_msg("%a printed as %s", value, out.ptr);
    buffer_free(&out);
  }
}

/* A locale of our own, since a small machine has none with a comma. */
static const char make_locale[] =
    "cd \"$LOCPATH\" && printf 'LC_NUMERIC\\ndecimal_point \",\"\\nthousands_sep \"\"\\n"
    "grouping -1\\nEND LC_NUMERIC\\n' >comma.src && "
    "{ localedef -c -i comma.src ./comma >/dev/null 2>&1; test -e comma/LC_NUMERIC; }";

static int set_locale(void **state) {
  static char folder[] = "/tmp/au-test-locale-XXXXXX";
  *state = folder;
  return !mkdtemp(folder) || setenv("LOCPATH", folder, 1) != 0 || system(make_locale) != 0 ||
         !setlocale(LC_NUMERIC, "comma");
}

static int restore_locale(void **state) {
  (void)state;
  (void)setlocale(LC_ALL, "C");
  return system("rm -r \"$LOCPATH\"");
}

/* An embedder may set a locale; neither side of the wire may hear of it. */
static void test_decimal_comma(void **state) {
  (void)state;
  assert_string_equal(localeconv()->decimal_point, ",");
  check_numbers();

  wire_message message;
  wire_error error;
  au_slice ping = slice_of("{\"type\":\"ping\",\"timestamp\":1.5}");
  assert_int_equal(wire_parse_message(ping, &message, &error), AU_OK);
  assert_true(message.timestamp == 1.5);
  check_frame("pong", "{\"type\":\"pong\",\"timestamp\":1.5}", wire_frame_pong(message.timestamp));
  au_metrics metrics = {.customer_id = {"c", 1}, .timestamp_ms = 1, .count = 1, .ema = 2.25};
  buffer out = room();
  wire_print_metrics(&out, &metrics);
  check_printed("metrics", "{\"timestamp\":1,\"count\":1,\"ema\":2.25,\"customerId\":\"c\"}", &out);
}

static void test_ema(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double ema;
    const char *want;
  } cases[] = {
      {"zero", 0, "0"},
      {"minus zero", -0.0, "0"},
      {"an integer", 3, "3"},
      {"a large integer", 1000000, "1000000"},
      {"one decimal", 38.5, "38.5"},
      {"the reference example", 0.2 * 42 + 0.8 * 40, "40.4"},
      {"trailing zeros go", 40.40000001, "40.4"},
      {"four decimals", 1.2345, "1.2345"},
      {"the fifth is rounded", 1.23456, "1.2346"},
      {"zeros behind the point stay", 7.0305, "7.0305"},
      {"the smallest", 0.0001, "0.0001"},
      {"under the smallest", 0.00004, "0"},
      {"rounded up to an integer", 2.99996, "3"},
      {"tiny", 1e-300, "0"},
      {"negative", -5, "0"},
      {"NaN", NAN, "0"},
      {"infinite", INFINITY, "0"},
      {"no count is so high", 1e300, "4294967295"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char want[128];
    (void)snprintf(want, sizeof want,
                   "{\"timestamp\":1,\"count\":2,\"ema\":%s,\"customerId\":\"c\"}", cases[i].want);
    au_metrics metrics = {
        .customer_id = {"c", 1}, .timestamp_ms = 1, .count = 2, .ema = cases[i].ema};
    buffer out = room();
    wire_print_metrics(&out, &metrics);
    check_printed(cases[i].name, want, &out);
  }
}

static void test_metrics(void **state) {
  (void)state;
  au_metrics metrics = {
      .customer_id = {"shop123", 7}, .timestamp_ms = 1705315800000, .count = 42, .ema = 38.5};
  buffer out = room();
  wire_print_metrics(&out, &metrics);
  check_printed(
      "metrics",
      "{\"timestamp\":1705315800000,\"count\":42,\"ema\":38.5,\"customerId\":\"shop123\"}", &out);

  metrics.bots = 3;
  out = room();
  wire_print_metrics(&out, &metrics);
  check_printed("bots",
                "{\"timestamp\":1705315800000,\"count\":42,\"ema\":38.5,"
                "\"customerId\":\"shop123\",\"bots\":3}",
                &out);
  metrics.bots = 0;

  out = room();
  wire_print_success(&out, -1, NULL);
  check_printed("success", "{\"success\":true}", &out);
  out = room();
  wire_print_success(&out, 1500, &metrics);
  check_printed("success with metrics",
                "{\"success\":true,\"tokenExpiresInMs\":1500,\"metrics\":{\"timestamp\":"
                "1705315800000,\"count\":42,"
                "\"ema\":38.5,\"customerId\":\"shop123\"}}",
                &out);

  metrics.stale = true;
  metrics.count = UINT32_MAX;
  check_frame("update",
              "{\"type\":\"metrics:update\",\"data\":{\"timestamp\":1705315800000,"
              "\"count\":4294967295,\"ema\":38.5,\"customerId\":\"shop123\",\"stale\":true}}",
              wire_frame_update(&metrics));

  char customer_id[AU_ID_MAX];
  au_metrics back;
  out = room();
  wire_print_metrics(&out, &metrics);
  assert_int_equal(wire_parse_metrics(buffer_slice(&out), customer_id, &back), AU_OK);
  buffer_free(&out);
  assert_true(slice_eq(back.customer_id, metrics.customer_id));
  assert_true(back.timestamp_ms == metrics.timestamp_ms && back.count == metrics.count &&
              back.ema == metrics.ema && back.stale);
}

static void test_error(void **state) {
  (void)state;
  static const struct {
    const char *name, *error, *message, *field, *blocked_by, *want;
  } cases[] = {
      {"a field", "Bad Request", "customerId is required", "customerId", NULL,
       "{\"error\":\"Bad Request\",\"message\":\"customerId is required\","
       "\"field\":\"customerId\"}"},
      {"no field", "Not Found", "no such path", "", "",
       "{\"error\":\"Not Found\",\"message\":\"no such path\"}"},
      {"neither", "Not Found", "no such path", NULL, NULL,
       "{\"error\":\"Not Found\",\"message\":\"no such path\"}"},
      {"blocked", "Too Many Requests", "Try again", NULL, "ip",
       "{\"error\":\"Too Many Requests\",\"message\":\"Try again\",\"blockedBy\":\"ip\"}"},
      {"escapes", "a\"", "b\n", "c\\", "d\x01",
       "{\"error\":\"a\\\"\",\"message\":\"b\\u000a\",\"field\":\"c\\\\\","
       "\"blockedBy\":\"d\\u0001\"}"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    buffer out = room();
    wire_print_error(&out, cases[i].error, cases[i].message, cases[i].field, cases[i].blocked_by);
    check_printed(cases[i].name, cases[i].want, &out);
  }
}

static void test_presence(void **state) {
  (void)state;
  au_beat beat = {.customer_id = {"c", 1},
                  .session_id = {"s", 1},
                  .tab_id = {"t", 1},
                  .timestamp = NAN,
                  .is_leader = true};
  buffer out = room();
  wire_print_presence(&out, &beat, 7);
  check_printed("the least",
                "{\"customerId\":\"c\",\"sessionId\":\"s\",\"tabId\":\"t\",\"timestamp\":7,"
                "\"isLeader\":true,\"updatedAt\":7}",
                &out);

  beat.platform = slice_of("web");
  beat.user_agent = slice_of("Moz \"5\"\n");
  beat.timestamp = 5.25;
  beat.is_leader = false;
  beat.page = slice_of("/a<b>\"");
  beat.visibility = AU_VISIBILITY_HIDDEN;
  out = room();
  wire_print_presence(&out, &beat, 7);
  wire_beat back;
  assert_int_equal(wire_parse_presence(buffer_slice(&out), 7, &back), AU_OK);
  check_printed("the most",
                "{\"customerId\":\"c\",\"sessionId\":\"s\",\"tabId\":\"t\",\"timestamp\":5.25,"
                "\"isLeader\":false,\"platform\":\"web\",\"userAgent\":\"Moz \\\"5\\\"\\u000a\","
                "\"page\":\"/a<b>\\\"\",\"visible\":false,\"updatedAt\":7}",
                &out);
  assert_true(slice_eq(back.beat.page, beat.page));
  assert_int_equal(back.beat.visibility, AU_VISIBILITY_HIDDEN);
  assert_true(slice_eq(back.beat.customer_id, beat.customer_id));
  assert_true(slice_eq(back.beat.session_id, beat.session_id));
  assert_true(slice_eq(back.beat.tab_id, beat.tab_id));
  assert_true(slice_eq(back.beat.platform, beat.platform));
  assert_true(slice_eq(back.beat.user_agent, beat.user_agent));
  assert_true(back.beat.timestamp == beat.timestamp && !back.beat.is_leader);

  beat = (au_beat){.customer_id = slice_of("c"),
                   .session_id = slice_of("s"),
                   .tab_id = slice_of("t"),
                   .timestamp = 5,
                   .is_leader = true,
                   .visitor = AU_VISITOR_BOT};
  out = room();
  wire_print_presence(&out, &beat, 700);
  assert_int_equal(wire_parse_presence(buffer_slice(&out), 700, &back), AU_OK);
  assert_int_equal(back.beat.visitor, AU_VISITOR_BOT);
  check_printed("a bot",
                "{\"customerId\":\"c\",\"sessionId\":\"s\",\"tabId\":\"t\",\"timestamp\":5,"
                "\"isLeader\":true,\"bot\":true,\"updatedAt\":700}",
                &out);
  beat.visitor = AU_VISITOR_PENDING;
  beat.pending_ms = 200;
  out = room();
  wire_print_presence(&out, &beat, 700);
  assert_int_equal(wire_parse_presence(buffer_slice(&out), 900, &back), AU_OK);
  assert_int_equal(back.beat.visitor, AU_VISITOR_PENDING);
  assert_int_equal(back.beat.pending_ms, 400);
  check_printed("pending",
                "{\"customerId\":\"c\",\"sessionId\":\"s\",\"tabId\":\"t\",\"timestamp\":5,"
                "\"isLeader\":true,\"pendingSince\":500,\"updatedAt\":700}",
                &out);
}

static void test_frames(void **state) {
  (void)state;
  check_frame("hello", "{\"type\":\"hello\",\"timestamp\":12,\"sessionId\":\"s-1\"}",
              wire_frame_hello(12, slice_of("s-1"), -1));
  check_frame("hello to a watcher", "{\"type\":\"hello\",\"timestamp\":12,\"tokenExpiresInMs\":0}",
              wire_frame_hello(12, (au_slice){NULL, 0}, 0));
  check_frame("pong", "{\"type\":\"pong\",\"timestamp\":1705315800123}",
              wire_frame_pong(1705315800123.0));
  check_frame("pong of a fraction", "{\"type\":\"pong\",\"timestamp\":0.1}", wire_frame_pong(0.1));
  check_frame("error", "{\"type\":\"error\",\"message\":\"a \\\"b\\\"\"}",
              wire_frame_error("a \"b\""));
}

/* A text that does not fit is told, not cut. */
static void test_full(void **state) {
  (void)state;
  au_metrics metrics = {.customer_id = {"shop123", 7}, .timestamp_ms = 1, .count = 2, .ema = 3};
  buffer out;
  buffer_init(&out, 20);
  wire_print_metrics(&out, &metrics);
  assert_true(out.failed);
  buffer_free(&out);

  char long_message[8192];
  memset(long_message, 'x', sizeof long_message - 1);
  long_message[sizeof long_message - 1] = '\0';
  assert_null(wire_frame_error(long_message));
}

/* The data is that of the update, byte by byte; the id its timestamp. */
static void an_event_has_the_data_of_an_update(void **state) {
  (void)state;
  au_metrics metrics = {.customer_id = slice_of("a=b"),
                        .timestamp_ms = 1795919749143,
                        .count = 7,
                        .ema = 6.25,
                        .stale = true};
  frame *update = wire_frame_update(&metrics);
  frame *event = wire_frame_event((au_slice){frame_text(update), update->len});
  static const char want[] = "id: 1795919749143\ndata: {\"timestamp\":1795919749143,\"count\":7,"
                             "\"ema\":6.25,\"customerId\":\"a=b\",\"stale\":true}\n\n";
  assert_int_equal(event->len, sizeof want - 1);
  assert_memory_equal(frame_text(event), want, event->len);
  frame_unref(event);
  frame_unref(update);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_event_has_the_data_of_an_update),
      cmocka_unit_test(test_string),
      cmocka_unit_test(test_number),
      cmocka_unit_test(test_number_reads_back),
      cmocka_unit_test_setup_teardown(test_decimal_comma, set_locale, restore_locale),
      cmocka_unit_test(test_ema),
      cmocka_unit_test(test_metrics),
      cmocka_unit_test(test_error),
      cmocka_unit_test(test_presence),
      cmocka_unit_test(test_frames),
      cmocka_unit_test(test_full),
  };
  return cmocka_run_group_tests_name("wire_print", tests, NULL, NULL);
}
