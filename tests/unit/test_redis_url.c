/* Every shape of a Redis URL, as a table. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/redis_url.h"

static const struct {
  const char *name, *text;
  redis_url want;
} good[] = {
    {"a host", "redis://db.example", {.host = "db.example", .port = 6379}},
    {"host and port", "redis://127.0.0.1:7000", {.host = "127.0.0.1", .port = 7000}},
    {"a database", "redis://h/3", {.host = "h", .port = 6379, .db = 3}},
    {"an empty path", "redis://h:1/", {.host = "h", .port = 1}},
    {"the highest port", "redis://h:65535", {.host = "h", .port = 65535}},
    {"an IPv6 address", "redis://[::1]", {.host = "::1", .port = 6379}},
    {"IPv6 with port and database",
     "redis://[fe80::1%25eth0]:7000/1",
     {.host = "fe80::1%eth0", .port = 7000, .db = 1}},
    {"a password", "redis://:secret@h", {.host = "h", .port = 6379, .password = "secret"}},
    {"user and password",
     "redis://me:secret@h:2/4",
     {.host = "h", .port = 2, .db = 4, .user = "me", .password = "secret"}},
    {"percent-encoded",
     "redis://a%3Ab:p%40s%2fs%25@h",
     {.host = "h", .port = 6379, .user = "a:b", .password = "p@s/s%"}},
    {"the last @ ends the login",
     "redis://:p@ss@h",
     {.host = "h", .port = 6379, .password = "p@ss"}},
    {"a colon in the password",
     "redis://u:a:b@h",
     {.host = "h", .port = 6379, .user = "u", .password = "a:b"}},
    {"scheme in capitals", "REDIS://h", {.host = "h", .port = 6379}},
    {"a socket", "unix:///run/redis.sock", {.port = 6379, .unix_path = "/run/redis.sock"}},
    {"a relative socket", "unix://redis.sock", {.port = 6379, .unix_path = "redis.sock"}},
};

static const struct {
  const char *name, *text, *says;
} bad[] = {
    {"nothing", "", "begins with"},
    {"no scheme", "localhost:6379", "begins with"},
    {"http", "http://h", "begins with"},
    {"one slash", "redis:/h", "begins with"},
    {"TLS", "rediss://h", "not supported by this build yet"},
    {"Sentinel", "redis+sentinel://h1,h2/name", "not supported by this build yet"},
    {"Cluster", "redis+cluster://h1,h2", "not supported by this build yet"},
    {"no host", "redis://", "host is missing"},
    {"no host but a port", "redis://:6379", "host is missing"},
    {"no host but a password", "redis://:x@/1", "host is missing"},
    {"a user alone", "redis://me@h", "a user comes with a password"},
    {"a user with an empty password", "redis://me:@h", "password is empty"},
    {"port 0", "redis://h:0", "port"},
    {"port too high", "redis://h:65536", "port"},
    {"port too long", "redis://h:11111111111111111111", "port"},
    {"port of letters", "redis://h:6379x", "port"},
    {"an empty port", "redis://h:", "port"},
    {"IPv6 without brackets", "redis://::1", "brackets"},
    {"an open bracket", "redis://[::1", "bracket"},
    {"brackets around nothing", "redis://[]", "host is missing"},
    {"brackets around a name", "redis://[h]", "no IPv6"},
    {"text after the bracket", "redis://[::1]x", "only a port"},
    {"a database of letters", "redis://h/one", "database"},
    {"a negative database", "redis://h/-1", "database"},
    {"a database out of range", "redis://h/99999999999", "database"},
    {"a longer path", "redis://h/1/2", "database"},
    {"a query", "redis://h/1?timeout=3", "database"},
    {"a broken escape", "redis://:%4@h", "percent-encoded"},
    {"an escape of no digits", "redis://:%zz@h", "percent-encoded"},
    {"an escaped NUL", "redis://:a%00b@h", "percent-encoded"},
    {"a blank", "redis://h h", "printable"},
    {"a line feed", "redis://h\nx", "printable"},
    {"UTF-8", "redis://h\xc3\xa9", "printable"},
    {"no socket", "unix://", "path"},
};

static void check_good(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    redis_url url;
    const char *reason = "unset";
    if (redis_url_parse(good[i].text, &url, &reason) != AU_OK)
      fail_msg("%s: refused: %s", good[i].name, reason);
    const redis_url *want = &good[i].want;
    if (strcmp(url.host, want->host) != 0 || url.port != want->port ||
        strcmp(url.unix_path, want->unix_path) != 0 || strcmp(url.user, want->user) != 0 ||
        strcmp(url.password, want->password) != 0 || url.db != want->db)
      fail_msg("%s: host '%s' port %u path '%s' user '%s' password '%s' db %u", good[i].name,
               url.host, url.port, url.unix_path, url.user, url.password, url.db);
  }
}

static void check_bad(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    redis_url url;
    const char *reason = NULL;
    if (redis_url_parse(bad[i].text, &url, &reason) != AU_EINVAL)
      fail_msg("%s: accepted", bad[i].name);
    if (!reason || !strstr(reason, bad[i].says))
      fail_msg("%s: the reason is '%s'", bad[i].name, reason ? reason : "(none)");
  }
}

/* Texts of every length around the limits: no overrun (ASan), no cut taken for the whole. */
static void check_long(void **state) {
  (void)state;
  char text[800];
  static const char *const before[] = {"redis://", "redis://:", "redis://", "unix://"};
  static const char *const after[] = {"", "@h", ":p@h", ""};
  for (size_t shape = 0; shape < sizeof before / sizeof before[0]; shape++) {
    for (size_t len = 90; len < 300; len++) {
      char part[300];
      memset(part, 'a', len);
      part[len] = '\0';
      snprintf(text, sizeof text, "%s%s%s", before[shape], part, after[shape]);
      redis_url url;
      const char *reason;
      size_t max = shape == 3 ? 106 : REDIS_URL_TEXT_MAX - 1;
      assert_int_equal(redis_url_parse(text, &url, &reason), len <= max ? AU_OK : AU_EINVAL);
    }
  }
}

/* A reason is logged, and the text may hold a password. */
static void check_secrets(void **state) {
  (void)state;
  static const char *const texts[] = {"redis://:hunter2@",   "redis://:hunter2@h:x",
                                      "redis://hunter2@h",   "redis://u:hunter2%@h",
                                      "rediss://:hunter2@h", "http://:hunter2@h"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    redis_url url;
    const char *reason;
    assert_int_equal(redis_url_parse(texts[i], &url, &reason), AU_EINVAL);
    assert_null(strstr(reason, "hunter2"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(check_good),
      cmocka_unit_test(check_bad),
      cmocka_unit_test(check_long),
      cmocka_unit_test(check_secrets),
  };
  return cmocka_run_group_tests_name("redis_url", tests, NULL, NULL);
}
