/* Tests of the rules of webhooks: when one fires and when it recovers, on a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/webhooks/rule.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const au_webhook above = {
    .kind = AU_WEBHOOK_ABOVE, .threshold = 500, .until = 450, .for_s = 60};
static const au_webhook below = {.kind = AU_WEBHOOK_BELOW, .threshold = 5, .until = 8, .for_s = 60};

static void which_counts_turn_a_rule(void **state) {
  (void)state;
  static const struct {
    const char *name;
    const au_webhook *w;
    bool firing;
    uint32_t count;
    bool want;
  } cases[] = {
      {"at the threshold", &above, false, 500, false},
      {"above it", &above, false, 501, true},
      {"the highest count", &above, false, UINT32_MAX, true},
      {"nobody is not above", &above, false, 0, false},
      {"still above", &above, true, 501, false},
      {"between the two", &above, true, 451, false},
      {"back at the other", &above, true, 450, true},
      {"at the lower threshold", &below, false, 5, false},
      {"below it", &below, false, 4, true},
      {"nobody", &below, false, 0, true},
      {"between the two, from below", &below, true, 7, false},
      {"back, from below", &below, true, 8, true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    rule r = {.firing = cases[i].firing, .since_ms = -1};
    if (rule_turns(&r, cases[i].w, cases[i].count) != cases[i].want) fail_msg("%s", cases[i].name);
  }
}

/* One look a second at these counts; `|` stands where nothing is known. What the rule says after
 * each is a letter: F fires now, R recovers now, a point for no news. */
static void expect_story(const char *name, const au_webhook *w, const char *counts,
                         const char *want) {
  rule r;
  char got[64] = "";
  size_t n = 0;
  int64_t now_ms = 1000000;
  rule_init(&r);
  for (const char *c = counts; *c; c++, now_ms += 1000) {
    if (*c == '|') {
      rule_pause(&r);
      got[n++] = '.';
      continue;
    }
    bool turned = rule_step(&r, rule_turns(&r, w, (uint32_t)(*c - '0')), w->for_s, now_ms);
    got[n++] = (char)(!turned ? '.' : r.firing ? 'F' : 'R');
  }
  if (strcmp(got, want) != 0) fail_msg("%s: %s -> %s, not %s", name, counts, got, want);
}

static void hysteresis_of_time_and_count(void **state) {
  (void)state;
  static const au_webhook up = {.kind = AU_WEBHOOK_ABOVE, .threshold = 5, .until = 3, .for_s = 3};
  static const au_webhook down = {.kind = AU_WEBHOOK_BELOW, .threshold = 2, .until = 4, .for_s = 2};
  static const au_webhook quick = {
      .kind = AU_WEBHOOK_ABOVE, .threshold = 5, .until = 5, .for_s = 1};
  static const struct {
    const char *name;
    const au_webhook *w;
    const char *counts, *want;
  } cases[] = {
      {"fires once it has held", &up, "0666666", "....F.."},
      {"a dip begins anew", &up, "66616666", ".......F"},
      {"a moment is nothing", &up, "0606060606", ".........."},
      {"recovers once it has held", &up, "66661111", "...F...R"},
      {"between the two nothing turns", &up, "666644444444", "...F........"},
      {"a peak while it recovers", &up, "6666116111111", "...F......R.."},
      {"fires again", &up, "6666111166666", "...F...R...F."},
      {"unknown begins anew", &up, "666|6666", ".......F"},
      {"unknown keeps what fires", &up, "6666|6|6|1111", "...F........R"},
      {"below, from the first look", &down, "0000444", "..F...R"},
      {"one threshold", &quick, "565666555", "....F..R."},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    expect_story(cases[i].name, cases[i].w, cases[i].counts, cases[i].want);
}

/* Looks may come late: what counts is the time. */
static void late_looks(void **state) {
  (void)state;
  rule r;
  rule_init(&r);
  assert_false(rule_step(&r, true, 60, 0));
  assert_false(rule_step(&r, true, 60, 59999));
  assert_true(rule_step(&r, true, 60, 60000));
  assert_true(r.firing);
  assert_false(rule_step(&r, false, 60, 60001));
  assert_false(rule_step(&r, true, 60, 90000));
  assert_true(rule_step(&r, true, 60, 900000));
  assert_false(r.firing);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(which_counts_turn_a_rule),
      cmocka_unit_test(hysteresis_of_time_and_count),
      cmocka_unit_test(late_looks),
  };
  return cmocka_run_group_tests_name("webhook_rule", tests, NULL, NULL);
}
