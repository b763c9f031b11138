/* Tests of badges: what may be asked of one, and the bytes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/badge/badge.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LETTERS_64   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

static void takes_what_is_right_and_names_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *query;
    const char *field; /* NULL: it is right */
    const char *label;
    uint32_t color, label_color;
    bool square;
  } cases[] = {
      {"", NULL, "active users", 0x44cc11, 0x555555, false},
      {"other=1", NULL, "active users", 0x44cc11, 0x555555, false},
      {"label=", NULL, "", 0x44cc11, 0x555555, false},
      {"label=here%20now", NULL, "here now", 0x44cc11, 0x555555, false},
      {"label=%C3%A4%E4%BA%BA", NULL, "\xc3\xa4\xe4\xba\xba", 0x44cc11, 0x555555, false},
      {"label=" LETTERS_64, NULL, LETTERS_64, 0x44cc11, 0x555555, false},
      {"label=" LETTERS_64 "m", "label", NULL, 0, 0, false},
      {"label=%0a", "label", NULL, 0, 0, false},
      {"label=%7f", "label", NULL, 0, 0, false},
      {"label=%ff", "label", NULL, 0, 0, false},
      {"label=%ef%bf%be", "label", NULL, 0, 0, false},
      {"label=%4", "label", NULL, 0, 0, false},
      {"label=a&label=b", "label", NULL, 0, 0, false},
      {"color=red&labelColor=Blue", NULL, "active users", 0xe05d44, 0x007ec6, false},
      {"color=abc&labelColor=012fEd", NULL, "active users", 0xaabbcc, 0x012fed, false},
      {"color=%23abc", NULL, "active users", 0xaabbcc, 0x555555, false},
      {"color=", "color", NULL, 0, 0, false},
      {"color=reddish", "color", NULL, 0, 0, false},
      {"color=abcd", "color", NULL, 0, 0, false},
      {"color=abg", "color", NULL, 0, 0, false},
      {"color=%22/%3E%3Cscript%3E", "color", NULL, 0, 0, false},
      {"color=aaaaaaaaaaaaaaaaaaaaaaaa", "color", NULL, 0, 0, false},
      {"labelColor=url(x)", "labelColor", NULL, 0, 0, false},
      {"style=flat", NULL, "active users", 0x44cc11, 0x555555, false},
      {"style=flat-square", NULL, "active users", 0x44cc11, 0x555555, true},
      {"style=plastic", "style", NULL, 0, 0, false},
      {"style=", "style", NULL, 0, 0, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    badge b;
    const char *field, *message;
    au_status status = badge_parse(slice_of(cases[i].query), &b, &field, &message);
    if ((status == AU_OK) != (cases[i].field == NULL)) fail_msg("%s: %d", cases[i].query, status);
    if (cases[i].field) {
      assert_string_equal(field, cases[i].field);
      assert_non_null(message);
      continue;
    }
    assert_int_equal(b.label_len, strlen(cases[i].label));
    assert_memory_equal(b.label, cases[i].label, b.label_len);
    assert_int_equal(b.color, cases[i].color);
    assert_int_equal(b.label_color, cases[i].label_color);
    assert_int_equal(b.square, cases[i].square);
  }
}

static void knows_how_wide_a_text_is(void **state) {
  (void)state;
  static const struct {
    const char *text;
    unsigned tenths;
  } cases[] = {
      {"", 0},
      {"0", 70},
      {"1234", 280},
      {"i", 30},
      {"W", 109},
      {"active users", 663},
      {"\xc3\xa4", 75},      /* one letter, not two */
      {"\xe4\xba\xba", 110}, /* a whole em */
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    if (badge_text_width(slice_of(cases[i].text)) != cases[i].tenths)
      fail_msg("'%s': %u", cases[i].text, badge_text_width(slice_of(cases[i].text)));
}

static const char *print(const char *query, badge_format format, const au_metrics *metrics) {
  static char text[8192];
  badge b;
  const char *field, *message;
  buffer out;
  buffer_init(&out, sizeof text - 1);
  assert_int_equal(badge_parse(slice_of(query), &b, &field, &message), AU_OK);
  badge_print(&out, &b, format, metrics);
  assert_false(out.failed);
  memcpy(text, out.ptr, out.len);
  text[out.len] = '\0';
  buffer_free(&out);
  return text;
}

static const au_metrics some = {.count = 42}, stale = {.count = 7, .stale = true};

static void prints_what_shields_reads(void **state) {
  (void)state;
  assert_string_equal(print("", BADGE_JSON, &some),
                      "{\"schemaVersion\":1,\"label\":\"active users\",\"message\":\"42\","
                      "\"color\":\"#44cc11\",\"labelColor\":\"#555555\",\"style\":\"flat\"}");
  assert_string_equal(
      print("label=%22&color=red&labelColor=000&style=flat-square", BADGE_JSON, &stale),
      "{\"schemaVersion\":1,\"label\":\"\\\"\",\"message\":\"7 (stale)\","
      "\"color\":\"#e05d44\",\"labelColor\":\"#000000\",\"style\":\"flat-square\"}");
  assert_non_null(strstr(print("", BADGE_JSON, &stale), "\"color\":\"#9f9f9f\""));
}

static void prints_an_image(void **state) {
  (void)state;
  const char *svg = print("label=%3Cscript%3E%26%22'", BADGE_SVG, &some);
  assert_null(strstr(svg, "<script"));
  assert_non_null(strstr(svg, "<title>&lt;script&gt;&amp;&quot;&#39;: 42</title>"));
  assert_non_null(strstr(svg, "url(#s)"));
  svg = print("style=flat-square", BADGE_SVG, &stale);
  assert_null(strstr(svg, "Gradient"));
  assert_non_null(strstr(svg, ">7 (stale)</text>"));
  assert_non_null(strstr(svg, "#9f9f9f"));
  assert_non_null(strstr(print("label=", BADGE_SVG, &some), "<title>42</title>"));
  /* 66.3 + 10, rounded up, and 14 + 10 */
  assert_non_null(strstr(print("", BADGE_SVG, &some), "width=\"101\" height=\"20\" role"));
  assert_non_null(strstr(print("color=white", BADGE_SVG, &some), "fill=\"#333\">42<"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_what_is_right_and_names_what_is_wrong),
      cmocka_unit_test(knows_how_wide_a_text_is),
      cmocka_unit_test(prints_what_shields_reads),
      cmocka_unit_test(prints_an_image),
  };
  return cmocka_run_group_tests_name("badge", tests, NULL, NULL);
}
