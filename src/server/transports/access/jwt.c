/* Decodes base64url strictly, and leaves the hash to OpenSSL. */
#include "jwt.h"

#include "utils/buffer.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

/* The value of a character (RFC 4648, 5), -1: it has none. */
static int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Without padding, and only as an encoder writes it: the unused bits of the last character are
 * zero, so that no token has a second form. `out` has room for three quarters of the text. */
static bool decode(au_slice text, char *out, au_slice *decoded) {
  uint32_t bits = 0;
  unsigned held = 0;
  size_t len = 0;
  if (text.len % 4 == 1) return false;
  for (size_t i = 0; i < text.len; i++) {
    int value = value_of(text.ptr[i]);
    if (value < 0) return false;
    bits = (bits << 6 | (uint32_t)value) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out[len++] = (char)(bits >> held & 0xff);
  }
  *decoded = (au_slice){out, len};
  return (bits & ((1u << held) - 1)) == 0;
}

bool jwt_cut(au_slice token, jwt *out) {
  const char *first = memchr(token.ptr, '.', token.len);
  const char *last = memrchr(token.ptr, '.', token.len);
  if (token.len > JWT_MAX_BYTES || first == last) return false;
  const char *end = token.ptr + token.len;
  out->signed_part = (au_slice){token.ptr, (size_t)(last - token.ptr)};
  /* A third dot is in the payload, and no character of base64url. */
  const au_slice header = {token.ptr, (size_t)(first - token.ptr)};
  const au_slice payload = {first + 1, (size_t)(last - first - 1)};
  const au_slice signature = {last + 1, (size_t)(end - last - 1)};
  char *at = out->bytes;
  return decode(header, at, &out->header) &&
         decode(payload, at += out->header.len, &out->payload) &&
         decode(signature, at + out->payload.len, &out->signature);
}

au_status jwt_check_hs256(const jwt *token, au_slice secret) {
  unsigned char want[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  /* HMAC allocates, and its answer says whether it could. */
  if (!HMAC(EVP_sha256(), secret.ptr, (int)secret.len,
            (const unsigned char *)token->signed_part.ptr, token->signed_part.len, want, &len) ||
      len != JWT_HS256_BYTES)
    return AU_ENOMEM;
  bool same = token->signature.len == JWT_HS256_BYTES &&
              CRYPTO_memcmp(want, token->signature.ptr, JWT_HS256_BYTES) == 0;
  return same ? AU_OK : AU_EINVAL;
}
