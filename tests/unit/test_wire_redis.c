/* What Redis may hold or carry: presence values and metrics, ours and foreign. */
#include "wire_case.h"

#include <string.h>

static void test_presence(void **state) {
  (void)state;
  static const struct {
    const char *name, *text;
    au_status status;
    const char *customer, *tab, *platform, *user_agent;
    double timestamp;
    bool is_leader;
  } cases[] = {
      {"an empty object", "{}", AU_OK, "", "", "", "", NAN, true},
      {"a whole one",
       "{" CST ",\"timestamp\":5,\"isLeader\":false,\"platform\":\"web\",\"userAgent\":\"u\","
       "\"updatedAt\":6}",
       AU_OK, "shop123", "tab-xyz", "web", "u", 5, false},
      {"every field odd",
       "{\"customerId\":\"a:b\",\"sessionId\":[],\"tabId\":1,\"timestamp\":\"x\",\"isLeader\":"
       "\"no\","
       "\"platform\":{},\"userAgent\":3}",
       AU_OK, "", "", "", "", NAN, true},
      {"one field odd", "{\"customerId\":1," T ",\"platform\":\"web\"}", AU_OK, "", "tab-xyz",
       "web", "", NAN, true},
      {"a long platform is odd, the rest stands",
       "{" T ",\"platform\":\"" HUNDRED("p") "\",\"userAgent\":\"u\"}", AU_OK, "", "tab-xyz", "",
       "u", NAN, true},
      {"the last of two wins", "{\"tabId\":\"old\"," T "}", AU_OK, "", "tab-xyz", "", "", NAN,
       true},
      {"many fields", "{\"l\":[" TEN("1,") "1]," TEN("\"a\":1,") HUNDRED("\"b\":2,") T "}", AU_OK,
       "", "tab-xyz", "", "", NAN, true},
      {"escapes in a name", "{\"tab\\u0049d\":\"tab-\\u0078yz\",\"\\n\":[1.5]}", AU_OK, "",
       "tab-xyz", "", "", NAN, true},
      {"as many escaped names as are read",
       "{" TEN("\"\\n\":1,") TEN("\"\\n\":1,") TEN("\"\\n\":1,") TEN("\"\\n\":1,") TEN("\"\\n\":1,")
           TEN("\"\\n\":1,") "\"\\n\":1,\"\\n\":1,\"\\n\":1,\"tab\\u0049d\":\"tab-xyz\"}",
       AU_OK, "", "tab-xyz", "", "", NAN, true},
      {"a name behind them is a stranger",
       "{" HUNDRED("\"\\n\":1,") "\"tab\\u0049d\":\"other\",\"platform\":\"web\"}", AU_OK, "", "",
       "web", "", NAN, true},
      {"a number", "42", AU_EINVAL, "", "", "", "", NAN, true},
      {"junk", "{\"tabId\":", AU_EINVAL, "", "", "", "", NAN, true},
      {"nothing", "", AU_EINVAL, "", "", "", "", NAN, true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    wire_beat out;
    au_slice text = exact(cases[i].text);
    au_status status = wire_parse_presence(text, 0, &out);
    release(text);
    check(name, "status", status == cases[i].status);
    if (status != AU_OK) continue;
    check_text(name, "customerId", cases[i].customer, out.beat.customer_id);
    check_text(name, "tabId", cases[i].tab, out.beat.tab_id);
    check_text(name, "platform", cases[i].platform, out.beat.platform);
    check_text(name, "userAgent", cases[i].user_agent, out.beat.user_agent);
    check(name, "isLeader", out.beat.is_leader == cases[i].is_leader);
    check(name, "timestamp",
          isnan(cases[i].timestamp) ? isnan(out.beat.timestamp)
                                    : out.beat.timestamp == cases[i].timestamp);
  }
  static const struct {
    const char *text;
    au_visitor visitor;
    int64_t pending_ms;
  } kinds[] = {
      {"{}", AU_VISITOR_PERSON, 0},
      {"{\"bot\":true}", AU_VISITOR_BOT, 0},
      {"{\"bot\":true,\"pendingSince\":1}", AU_VISITOR_BOT, 0},
      {"{\"bot\":false,\"pendingSince\":60}", AU_VISITOR_PENDING, 40},
      {"{\"pendingSince\":170}", AU_VISITOR_PENDING, 0},
      {"{\"bot\":1}", AU_VISITOR_PERSON, 0},
      {"{\"pendingSince\":\"60\"}", AU_VISITOR_PERSON, 0},
      {"{\"pendingSince\":1e300}", AU_VISITOR_PERSON, 0},
  };
  for (size_t i = 0; i < COUNT(kinds); i++) {
    wire_beat kind;
    assert_int_equal(wire_parse_presence(slice_of(kinds[i].text), 100, &kind), AU_OK);
    check(kinds[i].text, "visitor", kind.beat.visitor == kinds[i].visitor);
    check(kinds[i].text, "pending_ms", kind.beat.pending_ms == kinds[i].pending_ms);
  }
  wire_beat out;
  char *large = body_of(3, 16385);
  assert_int_equal(wire_parse_presence((au_slice){large, 16384}, 0, &out), AU_OK);
  assert_int_equal(wire_parse_presence((au_slice){large, 16385}, 0, &out), AU_EINVAL);
  free(large);
}

static void test_metrics(void **state) {
  (void)state;
  static const struct {
    const char *name, *text;
    au_status status;
    au_metrics want;
  } cases[] = {
#define OK(text, ...) text, AU_OK, {{"shop123", 7}, __VA_ARGS__, false, 0, 0, 0, false, 0}
#define BAD(text)                                       \
  text, AU_EINVAL, {                                    \
    {NULL, 0}, 0, 0, 0, false, false, 0, 0, 0, false, 0 \
  }
      {"the reference's", OK("{" C ",\"timestamp\":1705315800000,\"count\":42,\"ema\":38.5}",
                             1705315800000, 42, 38.5, false)},
      {"stale", OK("{\"stale\":true," C ",\"timestamp\":1,\"count\":0,\"ema\":0}", 1, 0, 0, true)},
      {"the largest", OK("{" C ",\"timestamp\":9007199254740992,\"count\":4294967295,\"ema\":1e300,"
                         "\"stale\":false,\"x\":1}",
                         9007199254740992, UINT32_MAX, 1e300, false)},
      {"bots",
       "{\"bots\":4294967295," C ",\"timestamp\":1,\"count\":2,\"ema\":3}",
       AU_OK,
       {{"shop123", 7}, 1, 2, 3, false, false, 0, 0, UINT32_MAX, false, 0}},
      {"bots negative", BAD("{\"bots\":-1," C ",\"timestamp\":1,\"count\":2,\"ema\":3}")},
      {"bots a word", BAD("{\"bots\":\"1\"," C ",\"timestamp\":1,\"count\":2,\"ema\":3}")},
      {"no object", BAD("7")},
      {"no customer", BAD("{\"timestamp\":1,\"count\":1,\"ema\":1}")},
      {"a bad customer", BAD("{\"customerId\":\"a b\",\"timestamp\":1,\"count\":1,\"ema\":1}")},
      {"no time", BAD("{" C ",\"count\":1,\"ema\":1}")},
      {"time a string", BAD("{" C ",\"timestamp\":\"1\",\"count\":1,\"ema\":1}")},
      {"time beyond exactness",
       BAD("{" C ",\"timestamp\":9007199254740994,\"count\":1,\"ema\":1}")},
      {"time infinite", BAD("{" C ",\"timestamp\":1e999,\"count\":1,\"ema\":1}")},
      {"no count", BAD("{" C ",\"timestamp\":1,\"ema\":1}")},
      {"count a string", BAD("{" C ",\"timestamp\":1,\"count\":\"1\",\"ema\":1}")},
      {"count a fraction", BAD("{" C ",\"timestamp\":1,\"count\":1.5,\"ema\":1}")},
      {"count negative", BAD("{" C ",\"timestamp\":1,\"count\":-1,\"ema\":1}")},
      {"count of 2^32", BAD("{" C ",\"timestamp\":1,\"count\":4294967296,\"ema\":1}")},
      {"no ema", BAD("{" C ",\"timestamp\":1,\"count\":1}")},
      {"ema null", BAD("{" C ",\"timestamp\":1,\"count\":1,\"ema\":null}")},
      {"ema negative", BAD("{" C ",\"timestamp\":1,\"count\":1,\"ema\":-0.1}")},
      {"ema infinite", BAD("{" C ",\"timestamp\":1,\"count\":1,\"ema\":1e999}")},
      {"stale a number", BAD("{" C ",\"timestamp\":1,\"count\":1,\"ema\":1,\"stale\":1}")},
      {"count twice", BAD("{" C ",\"timestamp\":1,\"count\":1,\"count\":2,\"ema\":1}")},
#undef OK
#undef BAD
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    const au_metrics *want = &cases[i].want;
    char customer_id[AU_ID_MAX];
    au_metrics got;
    memset(&got, 0xff, sizeof got); /* as the stack may be */
    au_slice text = exact(cases[i].text);
    au_status status = wire_parse_metrics(text, customer_id, &got);
    release(text);
    check(name, "status", status == cases[i].status);
    if (status != AU_OK) continue;
    check_text(name, "customerId", "shop123", got.customer_id);
    check(name, "customerId is where it was asked for", got.customer_id.ptr == customer_id);
    check(name, "timestamp", got.timestamp_ms == want->timestamp_ms);
    check(name, "count", got.count == want->count);
    check(name, "bots", got.bots == want->bots);
    check(name, "no peaks", !got.has_peaks && got.peak == 0);
    check(name, "ema", got.ema == want->ema);
    check(name, "stale", got.stale == want->stale);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_presence),
      cmocka_unit_test(test_metrics),
  };
  return cmocka_run_group_tests_name("wire_redis", tests, NULL, NULL);
}
