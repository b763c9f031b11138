/* Tests of what a webhook is sent: the body, and its signature beside one of another
 * implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/webhooks/signature.h"
#include "wire/scan.h"
#include "wire/webhook.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define KEY_24 "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
/* 23, 64, 65 and 25 zero bytes. */
#define KEY_23 "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_25 "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define A16    "AAAAAAAAAAAAAAAA"
#define KEY_64 "whsec_" A16 A16 A16 A16 A16 "AAAAAA=="
#define KEY_65 "whsec_" A16 A16 A16 A16 A16 "AAAAAAA="
#define KEY_66 "whsec_" A16 A16 A16 A16 A16 "AAAAAAAA"

static void secrets(void **state) {
  (void)state;
  static const struct {
    const char *name, *text;
    int count; /* -1: refused */
    size_t first_len;
  } cases[] = {
      {"none", "", 0, 0},
      {"of 24 bytes", KEY_24, 1, 24},
      {"of 25 bytes", KEY_25, 1, 25},
      {"of 64 bytes", KEY_64, 1, 64},
      {"two", KEY_24 " " KEY_64, 2, 24},
      {"four, and blanks", "  " KEY_64 " " KEY_24 "  " KEY_24 " " KEY_24 " ", 4, 64},
      {"five", KEY_24 " " KEY_24 " " KEY_24 " " KEY_24 " " KEY_24, -1, 0},
      {"too short", KEY_23, -1, 0},
      {"too long", KEY_65, -1, 0},
      {"too long for the buffer's last bytes", KEY_66, -1, 0},
      {"much too long", KEY_66 "AAAA", -1, 0},
      {"nothing behind the prefix", "whsec_", -1, 0},
      {"no prefix", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", -1, 0},
      {"another prefix", "whpub_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", -1, 0},
      {"no base64", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL!Sw", -1, 0},
      {"base64 cut short", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", -1, 0},
      {"one that is wrong behind one that is not", KEY_24 " x", -1, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    signature_keys *keys = malloc(sizeof *keys); /* so that ASan sees a byte too many */
    assert_non_null(keys);
    const char *wrong = signature_parse(cases[i].text, keys);
    if ((wrong != NULL) != (cases[i].count < 0))
      fail_msg("%s: %s", cases[i].name, wrong ? wrong : "taken");
    if (!wrong && (keys->count != (size_t)cases[i].count ||
                   (keys->count > 0 && keys->list[0].len != cases[i].first_len)))
      fail_msg("%s: %zu keys", cases[i].name, keys->count);
    free(keys);
  }
}

/* The example of the specification's libraries. */
static void the_known_signature(void **state) {
  (void)state;
  signature_keys keys;
  buffer out;
  buffer_init(&out, 512);
  assert_null(signature_parse(KEY_24, &keys));
  assert_int_equal(signature_print(&keys, slice_of("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
                                   slice_of("{\"test\": 2432232314}"), &out),
                   AU_OK);
  buffer_append(&out, "", 1);
  assert_string_equal(out.ptr, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  buffer_free(&out);
}

static void bodies(void **state) {
  (void)state;
  const au_webhook crowd = {"crowd", "u", AU_WEBHOOK_ABOVE, "shop", 500, 450, 60};
  const au_webhook redis = {"redis", "u", AU_WEBHOOK_STORE, NULL, 0, 0, 30};
  const struct {
    const char *name;
    au_webhook_event event;
    const char *want;
  } cases[] = {
      {"a crowd",
       {&crowd, true, 1700000000000, 512, 498.25, ""},
       "{\"webhook\":\"crowd\",\"state\":\"firing\",\"timestamp\":1700000000000,\"daemon\":\"h\","
       "\"condition\":\"above\",\"forSeconds\":60,\"customerId\":\"shop\",\"threshold\":500,"
       "\"until\":450,\"count\":512,\"ema\":498.25,"
       "\"text\":\"crowd: firing: shop has 512 active users (above 500)\"}"},
      {"a reason with a quote",
       {&redis, true, 1, 0, 0, "it said \"no\""},
       "{\"webhook\":\"redis\",\"state\":\"firing\",\"timestamp\":1,\"daemon\":\"h\","
       "\"condition\":\"store degraded\",\"forSeconds\":30,\"reason\":\"it said \\\"no\\\"\","
       "\"text\":\"redis: firing: the store is degraded: it said \\\"no\\\"\"}"},
      {"well again",
       {&redis, false, 2, 0, 0, ""},
       "{\"webhook\":\"redis\",\"state\":\"recovered\",\"timestamp\":2,\"daemon\":\"h\","
       "\"condition\":\"store degraded\",\"forSeconds\":30,"
       "\"text\":\"redis: recovered: the store is well again\"}"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    buffer out;
    buffer_init(&out, WIRE_WEBHOOK_MAX_BYTES);
    wire_print_webhook(&out, &cases[i].event, "h");
    buffer_append(&out, "", 1);
    if (strcmp(out.ptr, cases[i].want) != 0) fail_msg("%s: %s", cases[i].name, out.ptr);
    buffer_free(&out);
  }
}

static void ignore_member(void *arg, au_slice name, au_slice value) {
  (void)arg;
  (void)name;
  (void)value;
}

/* The longest of everything, and what JSON must escape. */
static void the_longest_fits(void **state) {
  (void)state;
  char id[AU_ID_MAX + 1], daemon[256];
  au_webhook_event event = {NULL, true, INT64_MAX, UINT32_MAX, 4294967295.1234, ""};
  memset(id, '~', AU_ID_MAX);
  memset(daemon, 'd', sizeof daemon - 1);
  memset(event.reason, '"', AU_WEBHOOK_REASON_MAX);
  id[AU_ID_MAX] = daemon[sizeof daemon - 1] = event.reason[AU_WEBHOOK_REASON_MAX] = '\0';
  for (au_webhook_kind kind = AU_WEBHOOK_ABOVE; kind <= AU_WEBHOOK_STORE; kind++) {
    const au_webhook w = {id, "u", kind, id, UINT32_MAX, UINT32_MAX, AU_WEBHOOK_FOR_MAX_S};
    event.webhook = &w;
    buffer out;
    buffer_init(&out, WIRE_WEBHOOK_MAX_BYTES);
    wire_print_webhook(&out, &event, daemon);
    assert_false(out.failed);
    assert_int_equal(wire_scan(buffer_slice(&out), 1, ignore_member, NULL), WIRE_SCAN_OK);
    buffer_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(secrets),
      cmocka_unit_test(the_known_signature),
      cmocka_unit_test(bodies),
      cmocka_unit_test(the_longest_fits),
  };
  return cmocka_run_group_tests_name("webhook_message", tests, NULL, NULL);
}
