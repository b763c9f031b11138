/* Tokens. The first byte says what the rest is: 0: a token, that nobody can have signed; 1: two
 * lines, header and claims, signed here as a customer's server does; else the text of secrets. */
#include "fuzz.h"

#include "transports/access/tokens.h"
#include "utils/buffer.h"

#include <math.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_BYTES = 8192 };

static const int64_t now_ms = 1700000000000;
static const char secret[] = "0123456789abcdef0123456789abcdef";

static void append_base64url(buffer *out, const void *bytes, size_t len) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const unsigned char *at = bytes;
  for (size_t i = 0; i < len; i += 3) {
    size_t n = len - i < 3 ? len - i : 3;
    uint32_t word = (uint32_t)at[i] << 16;
    if (n > 1) word |= (uint32_t)at[i + 1] << 8;
    if (n > 2) word |= at[i + 2];
    for (size_t k = 0; k <= n; k++) buffer_append(out, &digits[word >> (18 - 6 * k) & 63], 1);
  }
}

static void sign(buffer *token, const char *header, const char *claims) {
  unsigned char mac[32];
  unsigned len = 0;
  append_base64url(token, header, strlen(header));
  buffer_append_text(token, ".");
  append_base64url(token, claims, strlen(claims));
  must(HMAC(EVP_sha256(), secret, sizeof secret - 1, (unsigned char *)token->ptr, token->len, mac,
            &len) != NULL);
  buffer_append_text(token, ".");
  append_base64url(token, mac, len);
}

static token_verdict check(const char *keys_text, au_slice token, bool *has_keys) {
  token_keys keys;
  const char *problem = NULL;
  int64_t left_ms = -2;
  *has_keys = token_keys_parse(keys_text, &keys, &problem) == AU_OK;
  must(*has_keys || problem != NULL);
  if (!*has_keys) return TOKEN_MISSING;
  must(keys.count <= TOKENS_MAX_KEYS);
  (void)token_keys_are_weak(&keys);
  const token_ask ask = {.token = token,
                         .customer_id = slice_of("shop"),
                         .session_id = slice_of("s1"),
                         .scope = TOKEN_SCOPE_PRESENCE};
  token_verdict verdict = tokens_check(&keys, &ask, now_ms, &left_ms);
  if (verdict == TOKEN_OK) must(left_ms == -1 || left_ms > 0);
  token_keys_free(&keys);
  return verdict;
}

/* One that is taken is refused with any other signature. */
static void check_signed(char *text) {
  bool has_keys;
  char *rest = text;
  const char *header = fuzz_cut(&rest, '\n'), *claims = rest ? rest : "";
  buffer token;
  buffer_init(&token, TOKEN_BYTES * 2);
  sign(&token, header, claims);
  must(!token.failed);
  char *exact = fuzz_copy(token.ptr, token.len);
  token_verdict verdict = check(secret, (au_slice){exact, token.len}, &has_keys);
  if (verdict == TOKEN_OK) {
    exact[token.len - 2] = exact[token.len - 2] == 'A' ? 'B' : 'A';
    must(check(secret, (au_slice){exact, token.len}, &has_keys) != TOKEN_OK);
  }
  free(exact);
  buffer_free(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char unknown[] = "a:nobody-signs-with-this-secret-of-tests b:nor-with-this-one";
  bool has_keys;
  fuzz_input in = {data, size};
  uint8_t kind = fuzz_byte(&in);
  if (in.left > TOKEN_BYTES / 2) return 0;
  char *bytes = fuzz_copy(in.at, in.left), *text = fuzz_text(&in);
  if (kind == 0)
    must(check(unknown, (au_slice){bytes, in.left}, &has_keys) != TOKEN_OK);
  else if (kind == 1)
    check_signed(text);
  else
    (void)check(text, slice_of("e30.e30.AA"), &has_keys);
  free(bytes);
  free(text);
  return 0;
}
