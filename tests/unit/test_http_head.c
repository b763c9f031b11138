/* Tests of the checks in front of llhttp: each refusal, and that it does not matter in
 * what pieces a head arrives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/http/http_conn.h"
#include "transports/http/http_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEAD_BYTES = 8 * 1024 };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define BAD_LINE "malformed request line"
#define BAD_END  "a line must end with CRLF"
#define FOLDED   "folded header lines are refused"
#define NUL      "NUL in the request head"
#define LONG     "request target is too long"
#define LARGE    "request head is too large"
#define VERSION  "only HTTP/1.0 and HTTP/1.1 are spoken here"

/* What a scan came to: 0 and 0 when it wants more. */
typedef struct verdict {
  size_t len;
  int status;
  const char *message;
} verdict;

/* A first piece of `first` bytes, then pieces of `step`. Each time the scan sees a
 * heap block that ends where the bytes do, so that ASan sees a byte read too many. */
static verdict scan(const char *bytes, size_t len, size_t first, size_t step) {
  http_head_check check = {.max_bytes = MAX_HEAD_BYTES};
  for (size_t at = first;; at += step) {
    if (at > len) at = len;
    char *piece = malloc(at ? at : 1);
    assert_non_null(piece);
    memcpy(piece, bytes, at);
    size_t head_len = http_head_scan(&check, piece, at);
    free(piece);
    assert_true(head_len == 0 || check.status == 0);
    assert_true(check.scanned <= at);
    if (head_len > 0 || check.status != 0 || at == len)
      return (verdict){head_len, check.status, check.status ? check.message : NULL};
  }
}

static void check_verdict(const char *name, const char *how, verdict got, verdict want) {
  if (got.len != want.len || got.status != want.status)
    fail_msg("%s, %s: %zu bytes, status %d; not %zu, %d", name, how, got.len, got.status, want.len,
             want.status);
  if (want.message && strcmp(got.message, want.message) != 0)
    fail_msg("%s, %s: '%s' and not '%s'", name, how, got.message, want.message);
}

/* All at once, byte by byte, and in any two pieces. */
static void check_pieces(const char *name, const char *bytes, size_t len, verdict want) {
  check_verdict(name, "at once", scan(bytes, len, len, 1), want);
  check_verdict(name, "byte by byte", scan(bytes, len, 1, 1), want);
  for (size_t first = 0; first < len; first++)
    check_verdict(name, "in two pieces", scan(bytes, len, first, len), want);
}

#define GET "GET / HTTP/1.1\r\n"

static void heads_that_pass(void **state) {
  (void)state;
  static const struct {
    const char *name, *head, *rest;
  } cases[] = {
      {"no headers", GET "\r\n", ""},
      {"a header", GET "Host: a\r\n\r\n", ""},
      {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", ""},
      {"a body", "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\n", "abc"},
      {"a body that begins with a space", "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\n", " \t\r"},
      {"a body of line ends", "POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\n", "\r\n\r\n"},
      {"a body with odd bytes", "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\n", "\n\n\r"},
      {"the next request", GET "Host: a\r\n\r\n", GET "Host: a\r\n\r\n"},
      {"a next request that is bad", GET "Host: a\r\n\r\n", "NONSENSE\n\n"},
      {"an empty value", GET "Host:\r\n\r\n", ""},
      {"tabs in a value", GET "X: a\tb\r\n\r\n", ""},
      {"UTF-8 in a value", GET "X: caf\xC3\xA9\r\n\r\n", ""},
      {"a query", "GET /metrics?customerId=a%20b HTTP/1.1\r\n\r\n", ""},
      {"absolute form", "GET http://a.example/ HTTP/1.1\r\n\r\n", ""},
      {"a star", "OPTIONS * HTTP/1.1\r\n\r\n", ""},
      {"an unknown method is left to others", "BREW / HTTP/1.1\r\n\r\n", ""},
      {"a line that is no header is left to others", GET "no colon\r\n\r\n", ""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char text[256];
    int len = snprintf(text, sizeof text, "%s%s", cases[i].head, cases[i].rest);
    check_pieces(cases[i].name, text, (size_t)len, (verdict){.len = strlen(cases[i].head)});
  }
}

/* `rest` goes on as if nothing were wrong: the refusal does not wait for it. */
static void heads_that_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name, *head;
    int status;
    const char *message;
  } cases[] = {
      {"LF alone after the first line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, BAD_END},
      {"LF alone after a header", GET "Host: a\n\r\n", 400, BAD_END},
      {"LF alone as the empty line", GET "Host: a\r\n\n", 400, BAD_END},
      {"LF alone at the very beginning", "\n" GET "\r\n", 400, BAD_END},
      {"CR alone after the first line", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400, BAD_END},
      {"CR alone in a value", GET "Host: a\rX: b\r\n\r\n", 400, BAD_END},
      {"CR alone at the end of a value", GET "Host: a\r\r\n\r\n", 400, BAD_END},
      {"CR alone before the empty line", GET "Host: a\r\n\rX\r\n\r\n", 400, BAD_END},
      {"two CR before the last LF", GET "Host: a\r\n\r\r\n", 400, BAD_END},
      {"a line folded with a space", GET "Host: a\r\n b\r\n\r\n", 400, FOLDED},
      {"a line folded with a tab", GET "Host: a\r\n\tb\r\n\r\n", 400, FOLDED},
      {"a space before the first header", GET " Host: a\r\n\r\n", 400, FOLDED},
      {"a folded line of spaces only", GET "Host: a\r\n \r\n\r\n", 400, FOLDED},
      {"an empty line first", "\r\n" GET "\r\n", 400, BAD_LINE},
      {"an empty head", "\r\n\r\n", 400, BAD_LINE},
      {"one word", "GET\r\n\r\n", 400, BAD_LINE},
      {"HTTP/0.9", "GET /\r\n\r\n", 400, BAD_LINE},
      {"no target", "GET  HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"no method", " / HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"two spaces before the target", "GET  / HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"two spaces before the version", "GET /  HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"a space in the target", "GET /a b HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"a space at the end", "GET / HTTP/1.1 \r\n\r\n", 400, BAD_LINE},
      {"tabs for spaces", "GET\t/\tHTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"a tab in the target", "GET /a\tb HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"a control byte in the target", "GET /\x01 HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"DEL in the target", "GET /\x7f HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"UTF-8 in the target", "GET /caf\xC3\xA9 HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"a control byte in the method", "G\x02T / HTTP/1.1\r\n\r\n", 400, BAD_LINE},
      {"small letters", "GET / http/1.1\r\n\r\n", 400, BAD_LINE},
      {"another protocol", "GET / RTSP/1.0\r\n\r\n", 400, BAD_LINE},
      {"ICE of the same length", "SOURCE / ICE/1.00\r\n\r\n", 400, BAD_LINE},
      {"no minor version", "GET / HTTP/1\r\n\r\n", 400, BAD_LINE},
      {"a long minor version", "GET / HTTP/1.10\r\n\r\n", 400, BAD_LINE},
      {"a long major version", "GET / HTTP/01.1\r\n\r\n", 400, BAD_LINE},
      {"a comma in the version", "GET / HTTP/1,1\r\n\r\n", 400, BAD_LINE},
      {"a letter in the version", "GET / HTTP/1.x\r\n\r\n", 400, BAD_LINE},
      {"a letter as the major version", "GET / HTTP/x.1\r\n\r\n", 400, BAD_LINE},
      {"HTTP/1.2", "GET / HTTP/1.2\r\n\r\n", 505, VERSION},
      {"HTTP/1.9", "GET / HTTP/1.9\r\n\r\n", 505, VERSION},
      {"HTTP/0.9 in words", "GET / HTTP/0.9\r\n\r\n", 505, VERSION},
      {"HTTP/2.0", "GET / HTTP/2.0\r\n\r\n", 505, VERSION},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, VERSION},
      {"the first line counts first", "GET / HTTP/2.0\r\nHost: a\n\r\n", 505, VERSION},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    check_pieces(cases[i].name, cases[i].head, strlen(cases[i].head),
                 (verdict){0, cases[i].status, cases[i].message});
}

static void a_nul_anywhere(void **state) {
  (void)state;
  static const char head[] = GET "Host: a\r\n\r\n";
  char text[sizeof head - 1];
  for (size_t at = 0; at < sizeof text; at++) {
    memcpy(text, head, sizeof text);
    text[at] = '\0';
    verdict got = scan(text, sizeof text, sizeof text, 1);
    if (got.status != 400) fail_msg("at byte %zu: status %d", at, got.status);
    bool at_line_end = at > 0 && head[at - 1] == '\r';
    assert_string_equal(got.message, at_line_end ? BAD_END : NUL);
    check_verdict("NUL", "byte by byte", scan(text, sizeof text, 1, 1), got);
  }
}

/* Neither the start of a good head nor the start of a bad one is refused early. */
static void more_is_needed(void **state) {
  (void)state;
  static const struct {
    const char *name, *start;
  } cases[] = {
      {"nothing", ""},
      {"a letter", "G"},
      {"half a line", "GET /met"},
      {"a line without its end", "GET / HTTP/1.1"},
      {"a CR that may be good", "GET / HTTP/1.1\r"},
      {"a line, and perhaps a fold", GET},
      {"half a header", GET "Ho"},
      {"a header", GET "Host: a\r\n"},
      {"a CR that may end the head", GET "Host: a\r\n\r"},
      {"a bad line that is not over", "GET / HTTP/9"},
      {"a bad line, and perhaps a fold", "NONSENSE\r\n"},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    check_pieces(cases[i].name, cases[i].start, strlen(cases[i].start), (verdict){0});
}

/* ---- limits --------------------------------------------------------------- */

/* A head with a target of `target` bytes, and with a header that makes it `bytes`
 * long in all (0: no such header). Returns its length. */
static size_t long_head(char *text, size_t size, const char *method, size_t target, size_t bytes) {
  buffer b;
  buffer_init(&b, size);
  buffer_append_format(&b, "%s /", method);
  for (size_t i = 1; i < target; i++) buffer_append(&b, "t", 1);
  buffer_append_text(&b, " HTTP/1.1\r\n");
  if (bytes > 0) {
    buffer_append_text(&b, "X: ");
    while (b.len < bytes - 4) buffer_append(&b, "x", 1);
    buffer_append_text(&b, "\r\n");
  }
  buffer_append_text(&b, "\r\n");
  assert_false(b.failed);
  size_t len = b.len;
  memcpy(text, b.ptr, len);
  buffer_free(&b);
  return len;
}

static void limits_of_whole_heads(void **state) {
  (void)state;
  static const struct {
    const char *name, *method;
    size_t target, bytes;
    int status;
    const char *message;
  } cases[] = {
      {"a target of 4 KiB", "GET", HTTP_MAX_TARGET_BYTES, 0, 0, NULL},
      {"a target of 4 KiB and a byte", "GET", HTTP_MAX_TARGET_BYTES + 1, 0, 414, LONG},
      {"the same behind a longer method", "OPTIONS", HTTP_MAX_TARGET_BYTES, 0, 0, NULL},
      {"that and a byte", "OPTIONS", HTTP_MAX_TARGET_BYTES + 1, 0, 414, LONG},
      {"a target of 7 KiB", "GET", 7 * 1024, 0, 414, LONG},
      {"a head of 8 KiB", "GET", 1, MAX_HEAD_BYTES, 0, NULL},
      {"a head of 8 KiB and a byte", "GET", 1, MAX_HEAD_BYTES + 1, 431, LARGE},
      {"both as long as can be", "POST", HTTP_MAX_TARGET_BYTES, MAX_HEAD_BYTES, 0, NULL},
      {"a head of 9 KiB", "GET", 1, 9 * 1024, 431, LARGE},
      {"a head of 9 KiB with a long target", "GET", HTTP_MAX_TARGET_BYTES + 1, 9 * 1024, 414, LONG},
  };
  static char text[10 * 1024];
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    size_t len = long_head(text, sizeof text, cases[i].method, cases[i].target, cases[i].bytes);
    if (cases[i].bytes > 0) assert_int_equal(len, cases[i].bytes);
    verdict want = {cases[i].status ? 0 : len, cases[i].status, cases[i].message};
    check_verdict(name, "at once", scan(text, len, len, 1), want);
    check_verdict(name, "byte by byte", scan(text, len, 1, 1), want);
    check_verdict(name, "in pieces of a packet", scan(text, len, 1460, 1460), want);
    for (size_t back = 1; back < 12; back++)
      check_verdict(name, "in two pieces", scan(text, len, len - back, back), want);
    text[len] = 'b'; /* a body behind it changes nothing */
    check_verdict(name, "with a body", scan(text, len + 1, len + 1, 1), want);
  }
}

/* A line or a head without an end is refused at its limit, not when memory is full. */
static void limits_of_heads_without_an_end(void **state) {
  (void)state;
  static const struct {
    const char *name, *start;
    char fill;
    int status;
    const char *message;
  } cases[] = {
      {"a method without an end", "", 'G', 414, LONG},
      {"a target without an end", "GET /", 't', 414, LONG},
      {"a version without an end", "GET / HTTP/1.1", '1', 414, LONG},
      {"spaces without an end", "GET / ", ' ', 414, LONG},
      {"a name without an end", GET "X", 'x', 431, LARGE},
      {"a value without an end", GET "X: ", 'x', 431, LARGE},
      {"a second header without an end", GET "Host: a\r\nX: ", 'x', 431, LARGE},
  };
  static char text[10 * 1024];
  /* The longest line that could be good: its target, its method and its version. */
  const size_t line_limit = HTTP_MAX_TARGET_BYTES + sizeof "OPTIONS  HTTP/1.1" - 1;
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    verdict want = {0, cases[i].status, cases[i].message};
    memset(text, cases[i].fill, sizeof text);
    memcpy(text, cases[i].start, strlen(cases[i].start));
    check_verdict(name, "at once", scan(text, sizeof text, sizeof text, 1), want);
    check_verdict(name, "byte by byte", scan(text, sizeof text, 1, 1), want);
    size_t limit = cases[i].status == 431 ? MAX_HEAD_BYTES : line_limit;
    check_verdict(name, "up to its limit", scan(text, limit, 1, 1), (verdict){0});
    limit = cases[i].status == 431 ? MAX_HEAD_BYTES + 1 : HTTP_MAX_TARGET_BYTES + 100;
    check_verdict(name, "over its limit", scan(text, limit, 1, 1), want);
    text[limit - 1] = '\r';
    check_verdict(name, "with a CR over its limit", scan(text, limit, limit, 1), want);
  }
}

/* ---- pieces --------------------------------------------------------------- */

/* Heads of odd fragments: whatever the verdict is, the pieces do not change it. */
static void random_heads_in_random_pieces(void **state) {
  (void)state;
  static const char *const fragments[] = {
      "GET",      " ",
      "/",        "/a?b=c",
      "HTTP/1.1", "HTTP/1.0",
      "HTTP/2.0", "\r\n",
      "\r\n",     "\r\n",
      "\r\n",     "\r",
      "\n",       "Host: a",
      "X: b",     " ",
      "\t",       "\x01",
      "\x7f",     "\xC3",
      "POST",     "abc",
      "\r\n\r\n", GET,
      GET,        GET "Host: a\r\n",
  };
  unsigned random_seed = 20240614;
  printf("random heads: seed %u\n", random_seed);
  srand(random_seed);
  unsigned taken = 0, refused = 0, waiting = 0;
  for (int round = 0; round < 20000; round++) {
    buffer text;
    buffer_init(&text, 4096);
    buffer_append_text(&text, round % 4 ? GET : "");
    for (int n = rand() % 8; n > 0; n--) {
      buffer_append_text(&text, fragments[(size_t)rand() % COUNT(fragments)]);
      if (rand() % 64 == 0) buffer_append(&text, "", 1); /* a NUL */
    }
    if (round % 3 == 0) buffer_append_text(&text, "\r\n\r\n");
    if (text.len > 0) {
      verdict want = scan(text.ptr, text.len, text.len, 1);
      taken += want.len > 0;
      refused += want.status != 0;
      waiting += want.len == 0 && want.status == 0;
      check_verdict("random", "byte by byte", scan(text.ptr, text.len, 1, 1), want);
      check_verdict("random", "in pieces",
                    scan(text.ptr, text.len, (size_t)rand() % text.len, 1 + (size_t)rand() % 4),
                    want);
      /* Nothing is taken back: what was good is good with more behind it. */
      buffer_append_text(&text, "\r\nX: y\r\n\r\n");
      if (want.len > 0 || want.status != 0)
        check_verdict("random", "with more", scan(text.ptr, text.len, text.len, 1), want);
    }
    buffer_free(&text);
  }
  assert_true(taken > 1000 && refused > 1000 && waiting > 1000);
}

static void reasons(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *want;
  } cases[] = {
      {200, "OK"},
      {204, "No Content"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {426, "Upgrade Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {505, "HTTP Version Not Supported"},
      {0, ""},
      {299, ""},
      {-1, ""},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    if (strcmp(http_reason(cases[i].status), cases[i].want) != 0)
      fail_msg("%d: '%s'", cases[i].status, http_reason(cases[i].status));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(heads_that_pass),
      cmocka_unit_test(heads_that_are_refused),
      cmocka_unit_test(a_nul_anywhere),
      cmocka_unit_test(more_is_needed),
      cmocka_unit_test(limits_of_whole_heads),
      cmocka_unit_test(limits_of_heads_without_an_end),
      cmocka_unit_test(random_heads_in_random_pieces),
      cmocka_unit_test(reasons),
  };
  return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
