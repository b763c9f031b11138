/* Tests of the opening handshake: which requests may become a WebSocket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/websocket/handshake.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The example of RFC 6455, 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

#define NOT_WEBSOCKET "this path speaks WebSocket"
#define BAD_VERSION   "only WebSocket version 13 is spoken here"
#define MALFORMED     "malformed WebSocket handshake"

/* NULL: the header did not come. Each stands in a heap block of its own size, so that
 * ASan sees a byte read too many. */
typedef struct handshake {
  const char *name;
  http_method method;
  const char *upgrade, *connection, *version, *key, *body;
  int status; /* 0: taken */
  const char *message;
} handshake;

static au_slice copy_of(const char *text) {
  if (!text) return (au_slice){NULL, 0};
  size_t len = strlen(text);
  char *copy = malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  return (au_slice){copy, len};
}

static int check(const handshake *h, const char **message) {
  http_request request = {.method = h->method, .minor = 1};
  request.headers[HTTP_H_UPGRADE] = copy_of(h->upgrade);
  request.headers[HTTP_H_CONNECTION] = copy_of(h->connection);
  request.headers[HTTP_H_WS_VERSION] = copy_of(h->version);
  request.headers[HTTP_H_WS_KEY] = copy_of(h->key);
  request.body = copy_of(h->body);
  int status = handshake_check(&request, message);
  for (int i = 0; i < HTTP_H_COUNT; i++) free((char *)(uintptr_t)request.headers[i].ptr);
  free((char *)(uintptr_t)request.body.ptr);
  return status;
}

static void handshakes(void **state) {
  (void)state;
  static const handshake cases[] = {
      {"the example of the RFC", HTTP_IS_GET, "websocket", "Upgrade", "13", KEY, NULL, 0, NULL},
      {"any case", HTTP_IS_GET, "WebSocket", "UPGRADE", "13", KEY, NULL, 0, NULL},
      {"as Firefox sends it", HTTP_IS_GET, "websocket", "keep-alive, Upgrade", "13", KEY, NULL, 0,
       NULL},
      {"lists with odd spaces", HTTP_IS_GET, "h2c ,\twebsocket", ",, upgrade ,", "13", KEY, NULL, 0,
       NULL},
      {"a key of + and /", HTTP_IS_GET, "websocket", "Upgrade", "13",
       "+/+/+/+/+/+/azAZ09++/w==", NULL, 0, NULL},
      {"an empty body", HTTP_IS_GET, "websocket", "Upgrade", "13", KEY, "", 0, NULL},

      {"a plain request", HTTP_IS_GET, NULL, NULL, NULL, NULL, NULL, 426, NOT_WEBSOCKET},
      {"no Upgrade", HTTP_IS_GET, NULL, "Upgrade", "13", KEY, NULL, 426, NOT_WEBSOCKET},
      {"an empty Upgrade", HTTP_IS_GET, "", "Upgrade", "13", KEY, NULL, 426, NOT_WEBSOCKET},
      {"another protocol", HTTP_IS_GET, "h2c", "Upgrade", "13", KEY, NULL, 426, NOT_WEBSOCKET},
      {"a longer token", HTTP_IS_GET, "websockets", "Upgrade", "13", KEY, NULL, 426, NOT_WEBSOCKET},
      {"a shorter token", HTTP_IS_GET, "websocke", "Upgrade", "13", KEY, NULL, 426, NOT_WEBSOCKET},
      {"a version in Upgrade", HTTP_IS_GET, "websocket/13", "Upgrade", "13", KEY, NULL, 426,
       NOT_WEBSOCKET},
      {"no Connection", HTTP_IS_GET, "websocket", NULL, "13", KEY, NULL, 426, NOT_WEBSOCKET},
      {"keep-alive only", HTTP_IS_GET, "websocket", "keep-alive", "13", KEY, NULL, 426,
       NOT_WEBSOCKET},
      {"tokens without a comma", HTTP_IS_GET, "websocket", "keep-alive Upgrade", "13", KEY, NULL,
       426, NOT_WEBSOCKET},
      {"POST without Upgrade", HTTP_IS_POST, NULL, "Upgrade", "13", KEY, NULL, 426, NOT_WEBSOCKET},

      {"no version", HTTP_IS_GET, "websocket", "Upgrade", NULL, KEY, NULL, 426, BAD_VERSION},
      {"an empty version", HTTP_IS_GET, "websocket", "Upgrade", "", KEY, NULL, 426, BAD_VERSION},
      {"version 8", HTTP_IS_GET, "websocket", "Upgrade", "8", KEY, NULL, 426, BAD_VERSION},
      {"version 14", HTTP_IS_GET, "websocket", "Upgrade", "14", KEY, NULL, 426, BAD_VERSION},
      {"version 130", HTTP_IS_GET, "websocket", "Upgrade", "130", KEY, NULL, 426, BAD_VERSION},
      {"version 013", HTTP_IS_GET, "websocket", "Upgrade", "013", KEY, NULL, 426, BAD_VERSION},
      {"a list of versions", HTTP_IS_GET, "websocket", "Upgrade", "13, 8", KEY, NULL, 426,
       BAD_VERSION},
      {"another version and no key", HTTP_IS_GET, "websocket", "Upgrade", "8", NULL, NULL, 426,
       BAD_VERSION},

      {"POST", HTTP_IS_POST, "websocket", "Upgrade", "13", KEY, NULL, 400, MALFORMED},
      {"HEAD", HTTP_IS_HEAD, "websocket", "Upgrade", "13", KEY, NULL, 400, MALFORMED},
      {"OPTIONS", HTTP_IS_OPTIONS, "websocket", "Upgrade", "13", KEY, NULL, 400, MALFORMED},
      {"another method", HTTP_IS_OTHER, "websocket", "Upgrade", "13", KEY, NULL, 400, MALFORMED},
      {"a body", HTTP_IS_GET, "websocket", "Upgrade", "13", KEY, "x", 400, MALFORMED},
      {"no key", HTTP_IS_GET, "websocket", "Upgrade", "13", NULL, NULL, 400, MALFORMED},
      {"an empty key", HTTP_IS_GET, "websocket", "Upgrade", "13", "", NULL, 400, MALFORMED},
      {"a short key", HTTP_IS_GET, "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZ==", NULL,
       400, MALFORMED},
      {"a long key", HTTP_IS_GET, "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQA==", NULL,
       400, MALFORMED},
      {"15 bytes", HTTP_IS_GET, "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQAA", NULL, 400,
       MALFORMED},
      {"17 bytes", HTTP_IS_GET, "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQA=", NULL, 400,
       MALFORMED},
      {"base64url", HTTP_IS_GET, "websocket", "Upgrade", "13", "dGhlIHNhbXBsZS-ub25jZQ==", NULL,
       400, MALFORMED},
      {"a space in the key", HTTP_IS_GET, "websocket", "Upgrade", "13",
       "dGhlIHNhbXBsZ Bub25jZQ==", NULL, 400, MALFORMED},
      {"= inside", HTTP_IS_GET, "websocket", "Upgrade", "13", "dGhlIHNhbXBsZ=Bub25jZQ==", NULL, 400,
       MALFORMED},
      {"= at the beginning", HTTP_IS_GET, "websocket", "Upgrade", "13",
       "=GhlIHNhbXBsZSBub25jZQ==", NULL, 400, MALFORMED},
      {"no base64 just before the end", HTTP_IS_GET, "websocket", "Upgrade", "13",
       "dGhlIHNhbXBsZSBub25jZ!==", NULL, 400, MALFORMED},
      {"a high byte", HTTP_IS_GET, "websocket", "Upgrade", "13",
       "dGhlIHNhbXBsZ\xC1"
       "Bub25jZQ==",
       NULL, 400, MALFORMED},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *message = NULL;
    int status = check(&cases[i], &message);
    if (status != cases[i].status)
      fail_msg("%s: %d and not %d", cases[i].name, status, cases[i].status);
    if (status == 0) continue;
    if (!message || strcmp(message, cases[i].message) != 0)
      fail_msg("%s: '%s'", cases[i].name, message ? message : "no message");
  }
}

/* RFC 6455, 4.1: HTTP/1.1 or higher, and one key and one version. */
static void what_the_request_line_and_repeats_decide(void **state) {
  (void)state;
  static const struct {
    const char *name;
    unsigned minor;
    bool repeated;
    int status;
  } cases[] = {
      {"HTTP/1.1", 1, false, 0},
      {"HTTP/1.0", 0, false, 400},
      {"two keys", 1, true, 400},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    http_request request = {
        .method = HTTP_IS_GET, .minor = cases[i].minor, .repeated_ws_header = cases[i].repeated};
    request.headers[HTTP_H_UPGRADE] = slice_of("websocket");
    request.headers[HTTP_H_CONNECTION] = slice_of("upgrade");
    request.headers[HTTP_H_WS_VERSION] = slice_of("13");
    request.headers[HTTP_H_WS_KEY] = slice_of(KEY);
    const char *message;
    int status = handshake_check(&request, &message);
    if (status != cases[i].status)
      fail_msg("%s: %d and not %d", cases[i].name, status, cases[i].status);
  }
}

/* Each byte at each place of a key: 64 of them are base64. */
static void every_byte_of_a_key(void **state) {
  (void)state;
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t at = 0; at < HANDSHAKE_KEY_BYTES; at++) {
    for (int c = 0; c < 256; c++) {
      char key[] = KEY;
      key[at] = (char)c;
      http_request request = {.method = HTTP_IS_GET, .minor = 1};
      request.headers[HTTP_H_UPGRADE] = slice_of("websocket");
      request.headers[HTTP_H_CONNECTION] = slice_of("upgrade");
      request.headers[HTTP_H_WS_VERSION] = slice_of("13");
      request.headers[HTTP_H_WS_KEY] = (au_slice){key, HANDSHAKE_KEY_BYTES};
      const char *message;
      bool good = at < 22 ? c != '\0' && strchr(alphabet, c) != NULL : c == '=';
      assert_int_equal(handshake_check(&request, &message), good ? 0 : 400);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handshakes),
      cmocka_unit_test(what_the_request_line_and_repeats_decide),
      cmocka_unit_test(every_byte_of_a_key),
  };
  return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
