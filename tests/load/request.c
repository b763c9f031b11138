/* Prints requests. Sends nothing. */
#include "request.h"

#include "response.h"
#include "ws_frame.h"

#include <string.h>

#define CUSTOMER_DIGITS "0000000"
#define SESSION_DIGITS  "00000000"

static au_status finish(request *r, const char *customer, const char *session) {
  if (r->bytes.failed) return AU_ENOMEM;
  const char *at = customer ? memmem(r->bytes.ptr, r->bytes.len, customer, strlen(customer)) : NULL;
  if (at) r->customer = (size_t)(at - r->bytes.ptr) + strlen(customer) - strlen(CUSTOMER_DIGITS);
  at = session ? memmem(r->bytes.ptr, r->bytes.len, session, strlen(session)) : NULL;
  if (at) r->session = (size_t)(at - r->bytes.ptr) + strlen(session) - strlen(SESSION_DIGITS);
  return AU_OK;
}

static void begin(request *r) {
  *r = (request){0};
  buffer_init(&r->bytes, REQUEST_MAX_BYTES);
}

au_status request_presence(request *r, const char *host, const char *action, const char *prefix,
                           const char *page) {
  buffer body;
  buffer_init(&body, REQUEST_MAX_BYTES);
  const char *before = *page ? ",\"page\":\"" : "", *after = *page ? "\",\"visible\":true" : "";
  buffer_append_format(&body,
                       "{\"customerId\":\"%s-" CUSTOMER_DIGITS
                       "\",\"sessionId\":\"s-" SESSION_DIGITS
                       "\",\"tabId\":\"t-1\",\"timestamp\":1234567890%s%s%s}",
                       prefix, before, page, after);
  begin(r);
  buffer_append_format(
      &r->bytes,
      "POST /presence/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
      "Content-Length: %zu\r\n\r\n",
      action, host, body.len);
  buffer_append_slice(&r->bytes, buffer_slice(&body));
  if (body.failed) r->bytes.failed = true;
  buffer_free(&body);
  return finish(r, "-" CUSTOMER_DIGITS, "\"s-" SESSION_DIGITS);
}

au_status request_get(request *r, const char *host, const char *path, const char *prefix) {
  begin(r);
  buffer_append_format(&r->bytes, "GET %s%s%s HTTP/1.1\r\nHost: %s\r\n\r\n", path,
                       prefix ? prefix : "", prefix ? "-" CUSTOMER_DIGITS : "", host);
  return finish(r, prefix ? "-" CUSTOMER_DIGITS : NULL, NULL);
}

au_status request_auth(request *r, const char *prefix, bool watch) {
  buffer text;
  buffer_init(&text, REQUEST_MAX_BYTES);
  buffer_append_format(&text, "{\"type\":\"auth\",\"customerId\":\"%s-" CUSTOMER_DIGITS "\"",
                       prefix);
  if (!watch)
    buffer_append_text(&text, ",\"sessionId\":\"s-" SESSION_DIGITS "\",\"tabId\":\"t-1\"");
  buffer_append_text(&text, "}");
  begin(r);
  ws_append(&r->bytes, WS_TEXT, buffer_slice(&text));
  if (text.failed) r->bytes.failed = true;
  buffer_free(&text);
  return finish(r, "-" CUSTOMER_DIGITS, "\"s-" SESSION_DIGITS);
}

au_status request_upgrade(request *r, const char *host) {
  begin(r);
  buffer_append_format(&r->bytes,
                       "GET /ws/active-users HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: " RESPONSE_UPGRADE_KEY "\r\n\r\n",
                       host);
  return finish(r, NULL, NULL);
}

void request_free(request *r) {
  buffer_free(&r->bytes);
}

static void put_digits(char *first, size_t digits, uint32_t number) {
  for (size_t i = digits; i > 0; i--, number /= 10) first[i - 1] = (char)('0' + number % 10);
}

au_slice request_fill(request *r, uint32_t customer, uint32_t session) {
  if (r->customer) put_digits(r->bytes.ptr + r->customer, sizeof CUSTOMER_DIGITS - 1, customer);
  if (r->session) put_digits(r->bytes.ptr + r->session, sizeof SESSION_DIGITS - 1, session);
  return buffer_slice(&r->bytes);
}
