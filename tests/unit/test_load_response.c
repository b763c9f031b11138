/* Tests of the load generator's reader of answers, fed whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../load/response.h"

#include <string.h>

static const struct {
  const char *name, *bytes;
  response_state want;
  unsigned status;
  size_t left_over; /* bytes that belong to what comes next */
} cases[] = {
    {"a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", RESPONSE_DONE, 200, 0},
    {"the name in any case", "HTTP/1.1 404 No\r\ncontent-LENGTH:2 \r\n\r\nno", RESPONSE_DONE, 404,
     0},
    {"no body", "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", RESPONSE_DONE, 204, 0},
    {"an empty body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", RESPONSE_DONE, 200, 0},
    {"frames behind an upgrade",
     "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: " RESPONSE_ACCEPT_KEY "\r\n\r\n\x81\x01x",
     RESPONSE_DONE, 101, 3},
    {"more to come", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", RESPONSE_BODY, 200, 0},
    {"half a head", "HTTP/1.1 200 OK\r\nContent-Le", RESPONSE_HEAD, 0, 0},
    {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", RESPONSE_BAD, 200, 0},
    {"a length of words", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n", RESPONSE_BAD, 200, 0},
    {"a length beyond the limit", "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
     RESPONSE_BAD, 200, 0},
    {"another version", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", RESPONSE_BAD, 0, 0},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", RESPONSE_BAD, 0, 0},
    {"a status of letters", "HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n", RESPONSE_BAD, 2, 0},
};

enum { CASES = sizeof cases / sizeof cases[0] };

static void expect(size_t i, const response *r, size_t left_over) {
  if (r->state != cases[i].want || r->status != cases[i].status || left_over != cases[i].left_over)
    fail_msg("%s: state %d, status %u, %zu left over", cases[i].name, (int)r->state, r->status,
             left_over);
}

static void reads_it_in_one_piece(void **state) {
  (void)state;
  response r = {0};
  for (size_t i = 0; i < CASES; i++) {
    au_slice bytes = slice_of(cases[i].bytes);
    response_reset(&r);
    size_t used = response_feed(&r, bytes);
    expect(i, &r, bytes.len - used);
  }
  response_free(&r);
}

static void reads_it_byte_by_byte(void **state) {
  (void)state;
  response r = {0};
  for (size_t i = 0; i < CASES; i++) {
    size_t len = strlen(cases[i].bytes), at = 0;
    response_reset(&r);
    while (at < len && r.state != RESPONSE_DONE && r.state != RESPONSE_BAD)
      at += response_feed(&r, (au_slice){cases[i].bytes + at, 1});
    expect(i, &r, r.state == RESPONSE_BAD ? 0 : len - at);
  }
  response_free(&r);
}

static void knows_the_accept_key(void **state) {
  (void)state;
  response r = {0};
  response_reset(&r);
  response_feed(&r, slice_of(cases[4].bytes));
  assert_true(r.accepted);
  response_reset(&r);
  response_feed(&r, slice_of("HTTP/1.1 101 S\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"));
  assert_int_equal(r.state, RESPONSE_DONE);
  assert_false(r.accepted);
  response_free(&r);
}

static void gives_up_on_an_endless_head(void **state) {
  (void)state;
  response r = {0};
  response_reset(&r);
  for (int i = 0; i <= RESPONSE_MAX_HEAD_BYTES && r.state == RESPONSE_HEAD; i++)
    response_feed(&r, slice_of("a"));
  assert_int_equal(r.state, RESPONSE_BAD);
  response_free(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_it_in_one_piece),
      cmocka_unit_test(reads_it_byte_by_byte),
      cmocka_unit_test(knows_the_accept_key),
      cmocka_unit_test(gives_up_on_an_endless_head),
  };
  return cmocka_run_group_tests_name("load_response", tests, NULL, NULL);
}
