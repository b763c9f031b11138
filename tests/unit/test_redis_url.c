/* Every shape of a Redis URL, as a table. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/redis/protocol/url.h"

#define ONE(name, port_number) .hosts = {{name, port_number}}, .host_count = 1

static const struct {
  const char *name, *text;
  redis_url want;
} good[] = {
    {"a host", "redis://db.example", {ONE("db.example", 6379)}},
    {"host and port", "redis://127.0.0.1:7000", {ONE("127.0.0.1", 7000)}},
    {"a database", "redis://h/3", {ONE("h", 6379), .db = 3}},
    {"an empty path", "redis://h:1/", {ONE("h", 1)}},
    {"the highest port", "redis://h:65535", {ONE("h", 65535)}},
    {"an IPv6 address", "redis://[::1]", {ONE("::1", 6379)}},
    {"IPv6 with port and database",
     "redis://[fe80::1%25eth0]:7000/1",
     {ONE("fe80::1%eth0", 7000), .db = 1}},
    {"a password", "redis://:secret@h", {ONE("h", 6379), .password = "secret"}},
    {"user and password",
     "redis://me:secret@h:2/4",
     {ONE("h", 2), .db = 4, .user = "me", .password = "secret"}},
    {"percent-encoded",
     "redis://a%3Ab:p%40s%2fs%25@h",
     {ONE("h", 6379), .user = "a:b", .password = "p@s/s%"}},
    {"the last @ ends the login", "redis://:p@ss@h", {ONE("h", 6379), .password = "p@ss"}},
    {"a colon in the password",
     "redis://u:a:b@h",
     {ONE("h", 6379), .user = "u", .password = "a:b"}},
    {"a comma in the password", "redis://:a,b@h", {ONE("h", 6379), .password = "a,b"}},
    {"scheme in capitals", "REDIS://h", {ONE("h", 6379)}},
    {"a socket", "unix:///run/redis.sock", {ONE("/run/redis.sock", 0)}},
    {"a relative socket", "unix://redis.sock", {ONE("redis.sock", 0)}},
    {"TLS", "rediss://h", {ONE("h", 6379), .tls = true}},
    {"TLS with all there is",
     "rediss://me:secret@h:2/4",
     {ONE("h", 2), .tls = true, .db = 4, .user = "me", .password = "secret"}},
    {"a sentinel",
     "redis+sentinel://h/main",
     {.kind = REDIS_SENTINEL, ONE("h", 26379), .master_name = "main"}},
    {"sentinels with all there is",
     "redis+sentinel://me:a,b@h1:1,[::1],[::2]:3,h4/my-m%2fx/7",
     {.kind = REDIS_SENTINEL,
      .hosts = {{"h1", 1}, {"::1", 26379}, {"::2", 3}, {"h4", 26379}},
      .host_count = 4,
      .master_name = "my-m/x",
      .db = 7,
      .user = "me",
      .password = "a,b"}},
    {"a master's name and an empty database",
     "redis+sentinel://h/main/",
     {.kind = REDIS_SENTINEL, ONE("h", 26379), .master_name = "main"}},
    {"a node of a cluster", "redis+cluster://h", {.kind = REDIS_CLUSTER, ONE("h", 6379)}},
    {"nodes of a cluster",
     "redis+cluster://:secret@h1,h2:7001,[::1]:7002/0",
     {.kind = REDIS_CLUSTER,
      .hosts = {{"h1", 6379}, {"h2", 7001}, {"::1", 7002}},
      .host_count = 3,
      .password = "secret"}},
    {"as many hosts as are taken",
     "redis+cluster://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
     {.kind = REDIS_CLUSTER,
      .hosts = {{"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379},
                {"a", 6379}},
      .host_count = REDIS_URL_HOSTS_MAX}},
};

static const struct {
  const char *name, *text, *says;
} bad[] = {
    {"nothing", "", "must begin with"},
    {"no scheme", "localhost:6379", "must begin with"},
    {"http", "http://h", "must begin with"},
    {"one slash", "redis:/h", "must begin with"},
    {"TLS to sentinels", "rediss+sentinel://h/n", "must begin with"},
    {"a scheme without its plus", "redissentinel://h/n", "must begin with"},
    {"sentinels without a name", "redis+sentinel://h1,h2", "name of the master is missing"},
    {"sentinels with an empty name", "redis+sentinel://h1,h2/", "name of the master is missing"},
    {"sentinels with a database alone", "redis+sentinel://h1,h2//1", "name of the master"},
    {"a broken master's name", "redis+sentinel://h/%zz", "name of the master is too long or badly"},
    {"sentinels and a database of letters", "redis+sentinel://h/n/x", "database"},
    {"sentinels and too long a path", "redis+sentinel://h/n/1/2", "database"},
    {"no sentinel", "redis+sentinel:///n", "host is missing"},
    {"an empty sentinel", "redis+sentinel://h1,,h2/n", "host is missing"},
    {"a comma too many", "redis+cluster://h1,h2,", "host is missing"},
    {"a comma too early", "redis+cluster://,h1", "host is missing"},
    {"the second port", "redis+cluster://h1:1,h2:x", "port"},
    {"IPv6 without brackets, second", "redis+cluster://h1,::1", "brackets"},
    {"a bracket open until the next", "redis+cluster://[::1,[::2]", "bracket"},
    {"too many hosts", "redis+cluster://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", "at most 16"},
    {"a database of a cluster", "redis+cluster://h/1", "no databases"},
    {"a path of a cluster", "redis+cluster://h/x", "no databases"},
    {"a cluster and too large a number", "redis+cluster://h/4294967296", "no databases"},
    {"a list for one", "redis://h1,h2", "several hosts are"},
    {"a list for one with TLS", "rediss://h1,h2:1/3", "several hosts are"},
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
    bool same = url.kind == want->kind && url.tls == want->tls && url.ca_file == NULL &&
                url.host_count == want->host_count && url.db == want->db &&
                strcmp(url.master_name, want->master_name) == 0 &&
                strcmp(url.user, want->user) == 0 && strcmp(url.password, want->password) == 0;
    for (size_t h = 0; same && h < want->host_count; h++)
      same = url.hosts[h].port == want->hosts[h].port &&
             strcmp(url.hosts[h].host, want->hosts[h].host) == 0;
    if (!same)
      fail_msg("%s: kind %d tls %d, %zu hosts, first '%s' port %u, name '%s' user '%s' "
               "password '%s' db %u",
               good[i].name, url.kind, url.tls, url.host_count, url.hosts[0].host,
               url.hosts[0].port, url.master_name, url.user, url.password, url.db);
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
  static const char *const before[] = {"redis://", "redis://:",           "redis://",
                                       "unix://",  "redis+sentinel://h/", "redis+cluster://h,"};
  static const char *const after[] = {"", "@h", ":p@h", "", "/1", ",h"};
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
  static const char *const texts[] = {
      "redis://:hunter2@",           "redis://:hunter2@h:x",        "redis://hunter2@h",
      "redis://u:hunter2%@h",        "rediss://:hunter2@h:",        "http://:hunter2@h",
      "redis+sentinel://:hunter2@h", "redis+cluster://:hunter2@h/1"};
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
