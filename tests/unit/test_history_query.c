/* Tests of ranges, steps and buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/history/history_query.h"
#include "services/history/record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MINUTE       ((int64_t)60000)
#define HOUR         ((int64_t)3600000)
#define DAY          (24 * HOUR)
/* A Wednesday, 12:34:56.789 UTC. */
#define NOW ((int64_t)1795955696789)

static void what_is_a_range(void **state) {
  (void)state;
  static const struct {
    const char *name;
    history_range asked;
    const char *field; /* "": it is one, and this: */
    history_range want;
  } cases[] = {
      {"nothing said: the last hour", {0, 0, 0}, "", {NOW - HOUR, NOW, MINUTE}},
      {"a beginning: up to now", {NOW - 2 * HOUR, 0, 0}, "", {NOW - 2 * HOUR, NOW, MINUTE}},
      {"an end: the hour before it", {0, NOW - DAY, 0}, "", {NOW - DAY - HOUR, NOW - DAY, HOUR}},
      {"a day has minutes", {NOW - DAY, NOW, 0}, "", {NOW - DAY, NOW, MINUTE}},
      {"more than a day has hours", {NOW - DAY - 1, NOW, 0}, "", {NOW - DAY - 1, NOW, HOUR}},
      {"90 days: two hours each", {NOW - 89 * DAY, NOW, 0}, "", {NOW - 89 * DAY, NOW, 2 * HOUR}},
      {"from the beginning of time",
       {1, NOW, 0},
       "",
       {NOW / HOUR * HOUR - 90 * DAY, NOW, 2 * HOUR}},
      {"a step", {NOW - HOUR, NOW, 5 * MINUTE}, "", {NOW - HOUR, NOW, 5 * MINUTE}},
      {"a day a step", {NOW - 7 * DAY, NOW, DAY}, "", {NOW - 7 * DAY, NOW, DAY}},
      {"the future is empty",
       {NOW + HOUR, NOW + 2 * HOUR, 0},
       "",
       {NOW + HOUR, NOW + 2 * HOUR, MINUTE}},
      {"from after to", {NOW, NOW - 1, 0}, "from", {0}},
      {"from is to", {NOW, NOW, 0}, "from", {0}},
      {"from after now", {NOW + 1, 0, 0}, "from", {0}},
      {"to far away", {NOW, 900000000000000, 0}, "to", {0}},
      {"half a minute", {NOW - HOUR, NOW, MINUTE / 2}, "step", {0}},
      {"a minute and a half", {NOW - HOUR, NOW, 90000}, "step", {0}},
      {"an hour and a half", {NOW - DAY, NOW, HOUR * 3 / 2}, "step", {0}},
      {"100 days", {NOW - DAY, NOW, 100 * DAY}, "step", {0}},
      {"too many points", {NOW - 2 * DAY, NOW, MINUTE}, "step", {0}},
      {"the most points",
       {NOW / MINUTE * MINUTE - 1500 * MINUTE, NOW / MINUTE * MINUTE, MINUTE},
       "",
       {NOW / MINUTE * MINUTE - 1500 * MINUTE, NOW / MINUTE * MINUTE, MINUTE}},
      {"one more",
       {NOW / MINUTE * MINUTE - 1500 * MINUTE, NOW / MINUTE * MINUTE + 1, MINUTE},
       "step",
       {0}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    history_range r = cases[i].asked;
    const char *field = "?", *message = history_range_complete(&r, NOW, &field);
    if (!message != !cases[i].field[0] || (message && strcmp(field, cases[i].field) != 0))
      fail_msg("%s: %s, %s", cases[i].name, field, message ? message : "fine");
    if (!message && memcmp(&r, &cases[i].want, sizeof r) != 0)
      fail_msg("%s: %lld to %lld by %lld", cases[i].name, (long long)(r.from_ms - NOW),
               (long long)(r.to_ms - NOW), (long long)r.step_ms);
  }
}

static void what_is_asked_for(void **state) {
  (void)state;
  static const uint32_t minute = (uint32_t)(NOW / MINUTE), hour = (uint32_t)(NOW / HOUR);
  const struct {
    const char *name;
    history_range range;
    au_history_ask want;
  } cases[] = {
      {"an hour of minutes", {NOW - HOUR, NOW, MINUTE}, {minute - 60, 61, 0, 0, 0}},
      {"whole steps", {NOW - HOUR, NOW, 10 * MINUTE}, {minute - minute % 10 - 60, 65, 0, 0, 0}},
      {"no minutes before yesterday",
       {NOW - 3 * DAY, NOW, 30 * MINUTE},
       {minute - 1440, 1441, 0, 0, 0}},
      {"nor in the future", {NOW, NOW + HOUR, MINUTE}, {minute, 1, 0, 0, 0}},
      {"only there", {NOW + HOUR, NOW + 2 * HOUR, MINUTE}, {minute + 60, 0, 0, 0, 0}},
      {"hours", {NOW - DAY, NOW, HOUR}, {0, 0, hour - 24, 25, 0}},
      {"days of hours",
       {NOW - DAY, NOW, DAY},
       {0, 0, hour - hour % 24 - 24, 24 + hour % 24 + 1, 0}},
      {"all hours", {NOW - 90 * DAY, NOW, 2 * HOUR}, {0, 0, hour - 2160, 2161, 0}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    au_history_ask ask = history_range_ask(&cases[i].range, NOW);
    if (memcmp(&ask, &cases[i].want, sizeof ask) != 0)
      fail_msg("%s: %d+%u, %d+%u", cases[i].name, (int)(ask.minute - minute), ask.minutes,
               (int)(ask.hour - hour), ask.hours);
  }
}

static void buckets(void **state) {
  (void)state;
  static unsigned char records[20][AU_RECORD_BYTES];
  static au_history_point points[HISTORY_MAX_POINTS + 1];
  uint32_t from = (uint32_t)(NOW / HOUR * 60); /* a full hour */
  for (uint32_t i = 0; i < 20; i++) {
    const record r = {i == 7 ? 0 : 2, i, i + 10, i + 5.5, i + 0.25};
    record_pack(&r, records[i]);
  }
  const history_range range = {from * MINUTE, (from + 20) * MINUTE, 5 * MINUTE};
  const au_history_ask ask = {.minute = from, .minutes = 20};
  const au_history_answer answer = {.minutes = records[0]};
  assert_int_equal(history_range_points(&range, &ask, &answer, points), 4);
  assert_int_equal(points[0].timestamp_ms, from * MINUTE);
  assert_int_equal(points[0].min, 0);
  assert_int_equal(points[0].max, 14);
  assert_true(fabs(points[0].mean - 7.5) < 0.001);
  assert_true(fabs(points[0].ema - 4.25) < 0.001);
  assert_int_equal(points[1].timestamp_ms, (from + 5) * MINUTE);
  assert_true(fabs(points[1].mean - (5 + 6 + 8 + 9 + 4 * 5.5) / 4) < 0.001); /* without 7 */
  memset(records[5], 0, sizeof records[5] * 5);                              /* a gap */
  assert_int_equal(history_range_points(&range, &ask, &answer, points), 3);
  assert_int_equal(points[1].timestamp_ms, (from + 10) * MINUTE);
  const au_history_ask nothing = {.minute = from};
  assert_int_equal(history_range_points(&range, &nothing, &answer, points), 0);
}

/* An hour of which there are few minutes counts for these alone. */
static void hours_weigh_by_their_minutes(void **state) {
  (void)state;
  unsigned char records[2][AU_RECORD_BYTES];
  const record full = {60, 10, 10, 10, 10}, begun = {20, 50, 50, 50, 50};
  record_pack(&full, records[0]);
  record_pack(&begun, records[1]);
  au_history_point point;
  uint32_t hour = (uint32_t)(NOW / DAY * 24);
  const history_range range = {hour * HOUR, hour * HOUR + DAY, DAY};
  const au_history_ask ask = {.hour = hour, .hours = 2};
  const au_history_answer answer = {.hours = records[0]};
  assert_int_equal(history_range_points(&range, &ask, &answer, &point), 1);
  assert_true(fabs(point.mean - 20) < 0.001);
}

static void no_range_makes_too_many(void **state) {
  (void)state;
  static unsigned char records[AU_HISTORY_HOURS + AU_HISTORY_SLACK_HOURS][AU_RECORD_BYTES];
  static au_history_point points[HISTORY_MAX_POINTS + 1];
  const record r = {1, 1, 1, 1, 1};
  for (size_t i = 0; i < COUNT(records); i++) record_pack(&r, records[i]);
  for (int64_t length = 1; length < 120 * DAY; length = length * 3 / 2 + 1)
    for (int64_t step = 0; step <= 2 * HOUR; step += 20 * MINUTE) {
      history_range range = {NOW - length, NOW, step};
      const char *field;
      if (history_range_complete(&range, NOW, &field)) continue;
      au_history_ask ask = history_range_ask(&range, NOW);
      assert_true(ask.minutes <= AU_HISTORY_MINUTES + AU_HISTORY_SLACK_MINUTES);
      assert_true(ask.hours <= COUNT(records));
      const au_history_answer answer = {.minutes = records[0], .hours = records[0]};
      assert_in_range(history_range_points(&range, &ask, &answer, points), 0,
                      HISTORY_MAX_POINTS + 1);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_a_range),
      cmocka_unit_test(what_is_asked_for),
      cmocka_unit_test(buckets),
      cmocka_unit_test(hours_weigh_by_their_minutes),
      cmocka_unit_test(no_range_makes_too_many),
  };
  return cmocka_run_group_tests_name("history_query", tests, NULL, NULL);
}
