/* Leaves base64 and the hash to OpenSSL. */
#include "signature.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum {
  BASE64_MAX = 4 * ((SIGNATURE_KEY_MAX + 2) / 3),
  HASH_BYTES = 32,
  SIGNED_MAX_BYTES = 8 * 1024,
};

static const char prefix[] = "whsec_";

static bool read_key(au_slice text, signature_keys *out) {
  size_t skip = sizeof prefix - 1, len = text.len - skip;
  if (text.len <= skip || memcmp(text.ptr, prefix, skip) != 0) return false;
  if (len % 4 != 0 || len > BASE64_MAX) return false;
  const unsigned char *base64 = (const unsigned char *)text.ptr + skip;
  unsigned char *bytes = out->list[out->count].bytes;
  int decoded = EVP_DecodeBlock(bytes, base64, (int)len); /* with the zeros of its padding */
  if (decoded < 0) return false;
  size_t padding = (base64[len - 1] == '=') + (base64[len - 2] == '=');
  size_t key_len = (size_t)decoded - padding;
  if (key_len < SIGNATURE_KEY_MIN || key_len > SIGNATURE_KEY_MAX) return false;
  out->list[out->count++].len = key_len;
  return true;
}

const char *signature_parse(const char *text, signature_keys *out) {
  au_slice rest = slice_of(text), word;
  out->count = 0;
  while (slice_next(&rest, ' ', &word)) {
    word = slice_trim(word);
    if (word.len == 0) continue;
    if (out->count == SIGNATURE_KEYS_MAX) return "there are more than 4 secrets";
    if (!read_key(word, out)) return "is not whsec_ and base64 of 24 to 64 bytes";
  }
  return NULL;
}

au_status signature_prepare(void) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned len;
  return HMAC(EVP_sha256(), "", 0, hash, 0, hash, &len) ? AU_OK : AU_ENOMEM;
}

au_status signature_print(const signature_keys *keys, au_slice id, int64_t timestamp_s,
                          au_slice body, buffer *out) {
  buffer text;
  buffer_init(&text, SIGNED_MAX_BYTES);
  buffer_append_slice(&text, id);
  buffer_append_format(&text, ".%" PRId64 ".", timestamp_s);
  buffer_append_slice(&text, body);
  bool made = !text.failed;
  for (size_t i = 0; made && i < keys->count; i++) {
    unsigned char hash[EVP_MAX_MD_SIZE], base64[4 * ((HASH_BYTES + 2) / 3) + 1];
    unsigned len = 0;
    made = HMAC(EVP_sha256(), keys->list[i].bytes, (int)keys->list[i].len,
                (const unsigned char *)text.ptr, text.len, hash, &len) &&
           len == HASH_BYTES;
    if (!made) break;
    EVP_EncodeBlock(base64, hash, HASH_BYTES);
    buffer_append_format(out, "%sv1,%s", i > 0 ? " " : "", (const char *)base64);
  }
  buffer_free(&text);
  return made && !out->failed ? AU_OK : AU_ENOMEM;
}
