/* Tests of the HTTP parser: each message in one piece, and cut at each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/http/http_parser.h"

#include <stdlib.h>
#include <string.h>

/* What came of feeding a text: the first request, or the refusal. */
typedef struct result {
  http_parsed parsed;
  int status;
  size_t used; /* of the whole text */
  bool head_seen;
  char path[64], host[64], body[64], forwarded[64];
} result;

static void copy(char to[64], au_slice from) {
  assert_true(from.len < 64);
  if (from.len > 0) memcpy(to, from.ptr, from.len);
  to[from.len] = '\0';
}

static void note(result *r, const http_parser *p) {
  copy(r->path, p->request.path);
  copy(r->host, p->request.headers[HTTP_H_HOST]);
  copy(r->body, p->request.body);
  copy(r->forwarded, p->request.headers[HTTP_H_FORWARDED_FOR]);
}

/* Offers `len` bytes as a connection does, in memory that is gone afterwards. Returns how many
 * were used; what was not is offered again with the next. */
static size_t offer(http_parser *p, result *r, const char *bytes, size_t len) {
  char *piece = malloc(len > 0 ? len : 1);
  assert_non_null(piece);
  memcpy(piece, bytes, len);
  size_t at = 0;
  for (;;) {
    size_t used;
    r->parsed = http_parser_feed(p, piece + at, len - at, &used);
    at += used;
    if (r->parsed == HTTP_PARSED_HEAD) r->head_seen = true;
    if (r->parsed == HTTP_PARSED_REQUEST) note(r, p);
    if (r->parsed == HTTP_PARSED_REFUSED) r->status = p->status;
    bool more =
        r->parsed == HTTP_PARSED_HEAD || (r->parsed == HTTP_PARSED_MORE && used > 0 && at < len);
    if (!more) break;
  }
  free(piece);
  return at;
}

/* Feeds `text` in two pieces, cut at `cut`. */
static result feed(const char *text, size_t cut) {
  http_parser p;
  result r = {0};
  size_t len = strlen(text), used = 0;
  http_parser_init(&p, 16 * 1024);
  used += offer(&p, &r, text, cut);
  if (r.parsed == HTTP_PARSED_MORE) used += offer(&p, &r, text + used, len - used);
  r.used = used;
  http_parser_reset(&p);
  assert_int_equal(http_parser_kept_bytes(&p), 0);
  return r;
}

static const struct {
  const char *name, *text;
  http_parsed parsed;
  int status;
  size_t left; /* bytes of the next request */
  const char *path, *body, *forwarded;
} cases[] = {
    {"a get", "GET /health HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_PARSED_REQUEST, 0, 0, "/health", "",
     ""},
    {"empty lines before it", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_PARSED_REQUEST, 0,
     0, "/", "", ""},
    {"a body", "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", HTTP_PARSED_REQUEST,
     0, 0, "/b", "hello", ""},
    {"no body after all", "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     HTTP_PARSED_REQUEST, 0, 0, "/b", "", ""},
    {"chunks",
     "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
     HTTP_PARSED_REQUEST, 0, 0, "/c", "hello", ""},
    {"another behind it",
     "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.1\r\n",
     HTTP_PARSED_REQUEST, 0, 16, "/b", "ok", ""},
    {"lines of one list",
     "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\n\r\n",
     HTTP_PARSED_REQUEST, 0, 0, "/", "", "1.1.1.1,2.2.2.2"},
    {"a head that has not ended", "GET / HTTP/1.1\r\nHost: a\r\n", HTTP_PARSED_MORE, 0, 0, "", "",
     ""},
    {"a body that has not ended", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
     HTTP_PARSED_MORE, 0, 0, "", "", ""},
    {"no host", "GET / HTTP/1.1\r\n\r\n", HTTP_PARSED_REFUSED, 400, 0, "", "", ""},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HTTP_PARSED_REFUSED, 400, 0, "",
     "", ""},
    {"both lengths",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_PARSED_REFUSED, 400, 0, "", "", ""},
    {"too long a body, by its head", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16385\r\n\r\n",
     HTTP_PARSED_REFUSED, 413, 0, "", "", ""},
    {"too long a chunk, by its size",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4001\r\n",
     HTTP_PARSED_REFUSED, 413, 0, "", "", ""},
    {"an unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
     HTTP_PARSED_REFUSED, 501, 0, "", "", ""},
    {"a bare line feed ends the chunks",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", HTTP_PARSED_REFUSED,
     400, 0, "", "", ""},
    {"trailers",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
     HTTP_PARSED_REFUSED, 400, 0, "", "", ""},
    {"the preface of HTTP/2 with another version", "PRI * HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
     HTTP_PARSED_REFUSED, 400, 0, "", "", ""},
    {"another protocol", "GET / RTSP/1.0\r\nHost: a\r\n\r\n", HTTP_PARSED_REFUSED, 400, 0, "", "",
     ""},
    {"another version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", HTTP_PARSED_REFUSED, 505, 0, "", "",
     ""},
};

static void each_message_at_each_cut(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t len = strlen(cases[i].text);
    for (size_t cut = 0; cut <= len; cut++) {
      result r = feed(cases[i].text, cut);
      bool same = r.parsed == cases[i].parsed && r.status == cases[i].status &&
                  strcmp(r.path, cases[i].path) == 0 && strcmp(r.body, cases[i].body) == 0 &&
                  strcmp(r.forwarded, cases[i].forwarded) == 0;
      if (r.parsed == HTTP_PARSED_REQUEST) {
        size_t left = len - r.used;
        same = same && left == cases[i].left && strcmp(r.host, "a") == 0;
        same = same && r.head_seen == (cases[i].body[0] != '\0');
      }
      if (!same)
        fail_msg("%s, cut at %zu: parsed %d status %d path '%s' body '%s' forwarded '%s'",
                 cases[i].name, cut, (int)r.parsed, r.status, r.path, r.body, r.forwarded);
    }
  }
}

static void a_body_of_many_pieces_stays_within_its_limits(void **state) {
  (void)state;
  http_parser p;
  result r = {0};
  http_parser_init(&p, 16 * 1024);
  const char *head = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  offer(&p, &r, head, strlen(head));
  size_t most = 0;
  for (int i = 0; r.parsed == HTTP_PARSED_MORE; i++) {
    assert_in_range(i, 0, HTTP_MAX_BODY_WIRE_BYTES / 6 + 1);
    offer(&p, &r, "1\r\na\r\n", 6);
    size_t kept = http_parser_kept_bytes(&p);
    if (kept > most) most = kept;
  }
  assert_int_equal(r.parsed, HTTP_PARSED_REFUSED);
  assert_int_equal(r.status, 413);
  assert_in_range(most, 1, 2 * HTTP_MAX_BODY_BYTES);
  http_parser_reset(&p);
}

static void one_parser_takes_one_request_after_the_other(void **state) {
  (void)state;
  http_parser p;
  http_parser_init(&p, 16 * 1024);
  for (int i = 0; i < 3; i++) {
    result r = {0};
    const char *text = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok";
    offer(&p, &r, text, strlen(text));
    assert_int_equal(r.parsed, HTTP_PARSED_REQUEST);
    assert_string_equal(r.body, "ok");
    assert_true(p.keep_alive);
    http_parser_reset(&p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_message_at_each_cut),
      cmocka_unit_test(a_body_of_many_pieces_stays_within_its_limits),
      cmocka_unit_test(one_parser_takes_one_request_after_the_other),
  };
  return cmocka_run_group_tests_name("http_parser", tests, NULL, NULL);
}
