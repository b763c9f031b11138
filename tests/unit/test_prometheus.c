/* The exposition: buckets, the format that is asked for, and how figures are printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "transports/prometheus.h"

static const struct {
  const char *name;
  uint64_t us;
  unsigned bucket;
} durations[] = {
    {"nothing", 0, 0},
    {"a bound belongs to its bucket", 32, 0},
    {"just over it", 33, 1},
    {"half an octave", 48, 1},
    {"over that", 49, 2},
    {"an octave", 64, 2},
    {"over that too", 65, 3},
    {"a millisecond", 1000, 10},
    {"the last bound", 6291456, 35},
    {"over the last bound", 6291457, 36},
    {"for ever", UINT64_MAX, 36},
};

static void test_buckets(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
    stats_histogram h = {0};
    stats_observe(&h, durations[i].us);
    if (h.counts[durations[i].bucket] != 1) fail_msg("%s", durations[i].name);
    assert_true(h.sum_us == durations[i].us);
  }
  for (unsigned i = 0; i < STATS_BUCKETS; i++) {
    stats_histogram h = {0};
    stats_observe(&h, stats_bucket_us(i));
    stats_observe(&h, stats_bucket_us(i) + 1);
    assert_int_equal(h.counts[i], 1);
    assert_int_equal(h.counts[i + 1], 1);
  }
}

static void test_more_statuses_than_there_is_capacity_for(void **state) {
  (void)state;
  static stats s;
  for (unsigned code = 400; code < 400 + 2 * STATS_CODE_MAX; code++)
    stats_count_response(&s, STATS_ROUTE_BEAT, code);
  stats_count_response(&s, STATS_ROUTE_BEAT, 400);
  assert_int_equal(s.responses[STATS_ROUTE_BEAT][0], 2);
  assert_int_equal(s.codes[STATS_CODE_MAX - 1], 0);
  assert_int_equal(s.responses[STATS_ROUTE_BEAT][STATS_CODE_MAX - 1], STATS_CODE_MAX + 1);
}

static const struct {
  const char *accept;
  prometheus_format want;
} formats[] = {
    {"", PROMETHEUS_TEXT},
    {"*/*", PROMETHEUS_TEXT},
    {"text/html, application/json", PROMETHEUS_TEXT},
    {"application/openmetrics-text", PROMETHEUS_OPENMETRICS},
    {"application/openmetrics-text2", PROMETHEUS_TEXT},
    {"application/openmetrics-text;q=0", PROMETHEUS_TEXT},
    {"application/openmetrics-text;q=0.000", PROMETHEUS_TEXT},
    {"application/openmetrics-text;q=0.001", PROMETHEUS_OPENMETRICS},
    {"application/openmetrics-text; Q=1", PROMETHEUS_OPENMETRICS},
    {"application/openmetrics-text;q=0.49,text/plain;q=0.5", PROMETHEUS_TEXT},
    {"application/openmetrics-text;q=0.5,text/plain;q=0.5", PROMETHEUS_OPENMETRICS},
    {",;,application/openmetrics-text;;q", PROMETHEUS_OPENMETRICS},
};

static void test_formats(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
    if (prometheus_format_of(slice_of(formats[i].accept)) != formats[i].want)
      fail_msg("%s", formats[i].accept);
  assert_int_equal(prometheus_format_of((au_slice){NULL, 0}), PROMETHEUS_TEXT);
}

static void assert_has(const buffer *page, const char *line) {
  if (!memmem(page->ptr, page->len, line, strlen(line))) fail_msg("%s", line);
}

static void test_page(void **state) {
  (void)state;
  static stats s;
  s.loop_busy_us = 1500000;
  s.loop_lag_us = 1050;
  s.uptime_ms = 61000;
  stats_observe(&s.turns, 40);
  stats_observe(&s.turns, 7000000);
  stats_observe(&s.requests[STATS_ROUTE_BEAT], 64);
  stats_count_response(&s, STATS_ROUTE_BEAT, 200);
  buffer page;
  buffer_init(&page, 1 << 20);
  prometheus_print(&page, &s, NULL, "memory", PROMETHEUS_TEXT);
  assert_false(page.failed);
  static const char *const lines[] = {
      "# TYPE au_loop_busy_seconds_total counter\nau_loop_busy_seconds_total 1.5\n",
      "\nau_loop_lag_max_seconds 0.00105\n",
      "\nau_uptime_seconds 61\n",
      "au_loop_turn_seconds_bucket{le=\"0.000032\"} 0\n",
      "au_loop_turn_seconds_bucket{le=\"0.000048\"} 1\n",
      "au_loop_turn_seconds_bucket{le=\"6.291456\"} 1\n",
      "au_loop_turn_seconds_bucket{le=\"+Inf\"} 2\nau_loop_turn_seconds_sum 7.00004\n"
      "au_loop_turn_seconds_count 2\n",
      "au_http_request_duration_seconds_count{route=\"beat\"} 1\n",
      "au_http_responses_total{route=\"beat\",code=\"200\"} 1\n",
      "au_build_info{version=\"" AU_VERSION "\",store=\"memory\"} 1\n",
  };
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) assert_has(&page, lines[i]);
  assert_null(memmem(page.ptr, page.len, "route=\"join\"", 12));
  assert_null(memmem(page.ptr, page.len, "# EOF", 5));
  buffer_clear(&page);
  prometheus_print(&page, &s, NULL, "memory", PROMETHEUS_OPENMETRICS);
  assert_has(&page, "# TYPE au_loop_busy_seconds counter\nau_loop_busy_seconds_total 1.5\n");
  assert_memory_equal(page.ptr + page.len - 6, "# EOF\n", 6);
  buffer_free(&page);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_buckets),
      cmocka_unit_test(test_more_statuses_than_there_is_capacity_for),
      cmocka_unit_test(test_formats),
      cmocka_unit_test(test_page),
  };
  return cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
}
