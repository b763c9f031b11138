/* Which representation of a file a client gets: Accept-Encoding and If-None-Match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/assets.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* In a heap block of its own size, so that ASan sees a byte too many. */
static char *copy_of(const char *text) {
  size_t len = strlen(text);
  char *copy = malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  return copy;
}

static void gzip_where_it_is_taken(void **state) {
  (void)state;
  static const struct {
    const char *name, *header;
    bool want;
  } cases[] = {
      {"nothing said", "", false},
      {"alone", "gzip", true},
      {"as browsers say it", "gzip, deflate, br, zstd", true},
      {"last", "br,gzip", true},
      {"in capitals", "GZIP", true},
      {"the old name", "x-gzip", true},
      {"others only", "br, deflate", false},
      {"a longer name", "gzipped, xgzip", false},
      {"a weight", "gzip;q=0.5", true},
      {"a small weight", "gzip;q=0.001", true},
      {"refused", "gzip;q=0", false},
      {"refused, long", "gzip;q=0.000", false},
      {"refused with blanks", "br, gzip ; q=0 , *", false},
      {"refused in capitals", "gzip;Q=0", false},
      {"another parameter first", "gzip;x=1;q=0", false},
      {"a weight of nothing at all", "gzip;q=", true},
      {"anything", "*", true},
      {"anything but", "*;q=0", false},
      {"gzip and nothing else", "gzip, *;q=0", true},
      {"identity", "identity", false},
      {"empty members", ", ,gzip,", true},
      {"semicolons only", ";;;", false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char *text = copy_of(cases[i].header);
    bool got = assets_takes_gzip((au_slice){text, strlen(cases[i].header)});
    if (got != cases[i].want) fail_msg("%s: got %d", cases[i].name, got);
    free(text);
  }
  assert_false(assets_takes_gzip((au_slice){NULL, 0}));
}

static void a_tag_that_matches(void **state) {
  (void)state;
  static const struct {
    const char *name, *header;
    bool want;
  } cases[] = {
      {"nothing said", "", false},
      {"the tag", "\"abc\"", true},
      {"the tag, weak", "W/\"abc\"", true},
      {"in a list", "\"x\", W/\"y\" ,\"abc\"", true},
      {"anything", "*", true},
      {"another", "\"abd\"", false},
      {"of the packed one", "\"abc-gz\"", false},
      {"a longer one", "\"abcd\"", false},
      {"without quotes", "abc", false},
      {"half a quote", "\"abc", false},
      {"weak of nothing", "W/", false},
      {"commas only", ",,,", false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char *text = copy_of(cases[i].header);
    bool got =
        assets_none_match_hits((au_slice){text, strlen(cases[i].header)}, slice_of("\"abc\""));
    if (got != cases[i].want) fail_msg("%s: got %d", cases[i].name, got);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gzip_where_it_is_taken),
      cmocka_unit_test(a_tag_that_matches),
  };
  return cmocka_run_group_tests_name("assets", tests, NULL, NULL);
}
