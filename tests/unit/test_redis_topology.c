/* What a Cluster says about itself, as Redis writes it: good, odd and broken. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/redis/cluster/topology.h"

static const redis_endpoint asked = {.host = "10.0.0.9", .port = 7000};

/* The caller frees the reply. */
static redisReply *parse(const char *text) {
  redisReader *reader = redisReaderCreate();
  void *reply = NULL;
  redisReaderFeed(reader, text, strlen(text));
  if (redisReaderGetReply(reader, &reply) != REDIS_OK || !reply) fail_msg("no reply: %s", text);
  redisReaderFree(reader);
  return reply;
}

static bool read_map(const char *text, redis_topology *out) {
  redisReply *reply = parse(text);
  bool ok = redis_topology_read(reply, &asked, out);
  freeReplyObject(reply);
  return ok;
}

#define NODE(host_len, host, port) "*3\r\n$" host_len "\r\n" host "\r\n:" port "\r\n$2\r\nid\r\n"
#define RANGE(from, to, node)      "*3\r\n:" from "\r\n:" to "\r\n" node
#define ONE(host_len, host, port)  "*1\r\n" RANGE("0", "16383", NODE(host_len, host, port))

static const struct {
  const char *name, *text, *host;
  uint16_t port;
} single[] = {
    {"an IPv4 address", ONE("8", "10.0.0.1", "6379"), "10.0.0.1", 6379},
    {"an IPv6 address", ONE("3", "::1", "6379"), "::1", 6379},
    {"a name", ONE("5", "redis", "65535"), "redis", 65535},
    {"no address: the node that was asked", ONE("0", "", "6380"), "10.0.0.9", 6380},
    {"a null address: the same", "*1\r\n" RANGE("0", "16383", "*2\r\n$-1\r\n:6380\r\n"), "10.0.0.9",
     6380},
    {"metadata of Redis 7",
     "*1\r\n" RANGE("0", "16383",
                    "*4\r\n$2\r\nh1\r\n:1\r\n$2\r\nid\r\n*2\r\n$2\r\nip\r\n$1\r\nx\r\n"),
     "h1", 1},
    {"replicas, which do not matter",
     "*1\r\n*5\r\n:0\r\n:16383\r\n" NODE("2", "h1", "1") NODE("2", "h2", "2") ":3\r\n", "h1", 1},
};

static void check_single(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
    redis_topology *t = malloc(sizeof *t);
    if (!read_map(single[i].text, t)) fail_msg("%s: refused", single[i].name);
    assert_int_equal(t->count, 1);
    if (strcmp(t->masters[0].host, single[i].host) != 0 || t->masters[0].port != single[i].port)
      fail_msg("%s: %s port %u", single[i].name, t->masters[0].host, t->masters[0].port);
    for (size_t slot = 0; slot < REDIS_SLOTS; slot++) assert_int_equal(t->owner[slot], 0);
    free(t);
  }
}

static void check_shared_and_gaps(void **state) {
  (void)state;
  redis_topology *t = malloc(sizeof *t);
  assert_true(read_map(
      "*4\r\n" RANGE("0", "99", NODE("1", "a", "1")) RANGE("200", "200", NODE("1", "b", "1"))
          RANGE("16383", "16383", NODE("1", "a", "1")) RANGE("300", "300", NODE("1", "?", "1")),
      t));
  assert_int_equal(t->count, 2);
  assert_int_equal(t->owner[0], 0);
  assert_int_equal(t->owner[99], 0);
  assert_int_equal(t->owner[100], REDIS_NOBODY);
  assert_int_equal(t->owner[200], 1);
  assert_int_equal(t->owner[300], REDIS_NOBODY); /* Redis was not told its name */
  assert_int_equal(t->owner[16383], 0);
  assert_true(read_map("*0\r\n", t));
  assert_int_equal(t->count, 0);
  free(t);
}

static const struct {
  const char *name, *text;
} broken[] = {
    {"an error", "-ERR This instance has cluster support disabled\r\n"},
    {"a text", "$2\r\nno\r\n"},
    {"nil", "*-1\r\n"},
    {"a range that is none", "*1\r\n:1\r\n"},
    {"an empty range", "*1\r\n*0\r\n"},
    {"a range without a node", "*1\r\n*2\r\n:0\r\n:1\r\n"},
    {"a slot too high", "*1\r\n" RANGE("0", "16384", NODE("1", "a", "1"))},
    {"a slot below 0", "*1\r\n" RANGE("-1", "3", NODE("1", "a", "1"))},
    {"a range backwards", "*1\r\n" RANGE("9", "3", NODE("1", "a", "1"))},
    {"a slot of text", "*1\r\n*3\r\n$1\r\n0\r\n:3\r\n" NODE("1", "a", "1")},
    {"a node that is none", "*1\r\n" RANGE("0", "3", ":1\r\n")},
    {"a node without a port", "*1\r\n" RANGE("0", "3", "*1\r\n$1\r\na\r\n")},
    {"a host that is a number", "*1\r\n" RANGE("0", "3", "*2\r\n:1\r\n:1\r\n")},
    {"a port of text", "*1\r\n" RANGE("0", "3", "*2\r\n$1\r\na\r\n$1\r\n1\r\n")},
    {"a port too high", "*1\r\n" RANGE("0", "3", NODE("1", "a", "65536"))},
    {"a negative port", "*1\r\n" RANGE("0", "3", NODE("1", "a", "-1"))},
    {"a host with a blank", "*1\r\n" RANGE("0", "3", NODE("3", "a b", "1"))},
    {"a host with a line feed", "*1\r\n" RANGE("0", "3", NODE("3", "a\nb", "1"))},
    {"a slot of two nodes",
     "*2\r\n" RANGE("0", "3", NODE("1", "a", "1")) RANGE("3", "4", NODE("1", "b", "1"))},
};

static void check_broken(void **state) {
  (void)state;
  redis_topology *t = malloc(sizeof *t);
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
    if (read_map(broken[i].text, t)) fail_msg("%s: accepted", broken[i].name);
  free(t);
}

/* As many masters as there is room for, and one more. */
static void check_many(void **state) {
  (void)state;
  redis_topology *t = malloc(sizeof *t);
  for (int n = REDIS_NODES_MAX; n <= REDIS_NODES_MAX + 1; n++) {
    char *text = malloc(32 + (size_t)n * 64);
    size_t len = (size_t)sprintf(text, "*%d\r\n", n);
    for (int i = 0; i < n; i++)
      len += (size_t)sprintf(text + len, "*3\r\n:%d\r\n:%d\r\n*2\r\n$1\r\na\r\n:%d\r\n", i, i,
                             1000 + i);
    assert_int_equal(read_map(text, t), n == REDIS_NODES_MAX);
    free(text);
  }
  free(t);
}

static void check_long_host(void **state) {
  (void)state;
  redis_topology *t = malloc(sizeof *t);
  for (size_t len = REDIS_URL_TEXT_MAX - 2; len <= REDIS_URL_TEXT_MAX + 1; len++) {
    char host[REDIS_URL_TEXT_MAX + 2], text[REDIS_URL_TEXT_MAX + 64];
    memset(host, 'h', len);
    host[len] = '\0';
    snprintf(text, sizeof text, "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$%zu\r\n%s\r\n:1\r\n", len, host);
    assert_int_equal(read_map(text, t), len < REDIS_URL_TEXT_MAX);
  }
  free(t);
}

static const struct {
  const char *name, *text;
  redis_redirect want;
} redirects[] = {
    {"MOVED", "-MOVED 3999 127.0.0.1:6381\r\n", {false, 3999, {"127.0.0.1", 6381}}},
    {"ASK", "-ASK 0 127.0.0.1:1\r\n", {true, 0, {"127.0.0.1", 1}}},
    {"an IPv6 address", "-MOVED 16383 fe80::1:6381\r\n", {false, 16383, {"fe80::1", 6381}}},
    {"a name", "-ASK 5 redis-2.example:6379\r\n", {true, 5, {"redis-2.example", 6379}}},
    {"no host", "-MOVED 3999 :6381\r\n", {false, 3999, {"", 6381}}},
};

static void check_redirects(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof redirects / sizeof redirects[0]; i++) {
    redisReply *reply = parse(redirects[i].text);
    redis_redirect got;
    const redis_redirect *want = &redirects[i].want;
    if (!redis_redirect_read(reply, &got)) fail_msg("%s: refused", redirects[i].name);
    if (got.ask != want->ask || got.slot != want->slot || !redis_endpoint_eq(&got.to, &want->to))
      fail_msg("%s: slot %u at %s", redirects[i].name, got.slot, got.to.host);
    freeReplyObject(reply);
  }
}

static const char *const no_redirects[] = {
    "+MOVED 3999 127.0.0.1:6381\r\n",
    "-MOVED\r\n",
    "-MOVED 3999\r\n",
    "-MOVED 3999 \r\n",
    "-MOVED 16384 h:1\r\n",
    "-MOVED -1 h:1\r\n",
    "-MOVED x h:1\r\n",
    "-MOVED 3999 h\r\n",
    "-MOVED 3999 h:\r\n",
    "-MOVED 3999 h:0\r\n",
    "-MOVED 3999 h:65536\r\n",
    "-MOVED 3999 h:1x\r\n",
    "-MOVED 3999 ?:6381\r\n",
    "-MOVED 3999 h h:1\r\n",
    "-MOVEDX 3999 h:1\r\n",
    "-TRYAGAIN Multiple keys request during rehashing\r\n",
    "-CLUSTERDOWN Hash slot not served\r\n",
};

static void check_no_redirects(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof no_redirects / sizeof no_redirects[0]; i++) {
    redisReply *reply = parse(no_redirects[i]);
    redis_redirect got;
    if (redis_redirect_read(reply, &got)) fail_msg("accepted: %s", no_redirects[i]);
    freeReplyObject(reply);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(check_single),       cmocka_unit_test(check_shared_and_gaps),
      cmocka_unit_test(check_broken),       cmocka_unit_test(check_many),
      cmocka_unit_test(check_long_host),    cmocka_unit_test(check_redirects),
      cmocka_unit_test(check_no_redirects),
  };
  return cmocka_run_group_tests_name("redis_topology", tests, NULL, NULL);
}
