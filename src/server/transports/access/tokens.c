/* Reads the secrets, and checks tokens against them: the signature before anything else. */
#include "tokens.h"

#include "jwt.h"
#include "utils/buffer.h"
#include "wire/wire.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- secrets ---------------------------------------------------------------- */

static bool is_name(au_slice name) {
  if (name.len == 0 || name.len > TOKENS_MAX_NAME_BYTES) return false;
  for (size_t i = 0; i < name.len; i++)
    if (!isalnum((unsigned char)name.ptr[i]) && !strchr("._-", name.ptr[i])) return false;
  return true;
}

/* What stands before a `:`, if it is a name; else empty. */
static au_slice name_of(au_slice word) {
  const char *colon = memchr(word.ptr, ':', word.len);
  au_slice name = {word.ptr, colon ? (size_t)(colon - word.ptr) : 0};
  return is_name(name) ? name : (au_slice){word.ptr, 0};
}

static bool next_word(au_slice *rest, au_slice *word) {
  do {
    if (!slice_next(rest, ' ', word)) return false;
  } while (word->len == 0);
  return true;
}

/* Whether each word begins with a name. Else the text is one secret, blanks and all. */
static bool is_list(au_slice text) {
  au_slice word;
  while (next_word(&text, &word))
    if (name_of(word).len == 0) return false;
  return true;
}

static const char *add_named(token_keys *keys, au_slice word) {
  au_slice name = name_of(word);
  au_slice secret = {word.ptr + name.len + 1, word.len - name.len - 1};
  if (secret.len == 0) return "a secret is missing behind its name";
  if (keys->count == TOKENS_MAX_KEYS) return "there may be at most 4 secrets";
  for (size_t i = 0; i < keys->count; i++)
    if (slice_eq(keys->key[i].name, name)) return "two secrets have the same name";
  keys->key[keys->count].name = name;
  keys->key[keys->count++].secret = secret;
  return NULL;
}

au_status token_keys_parse(const char *text, token_keys *out, const char **problem) {
  *out = (token_keys){.text = strdup(text)};
  if (!out->text) return AU_ENOMEM;
  au_slice rest = slice_of(out->text), word;
  *problem = NULL;
  if (!is_list(rest)) {
    out->count = 1;
    out->key[0].secret = rest;
  } else {
    while (!*problem && next_word(&rest, &word)) *problem = add_named(out, word);
  }
  if (!*problem) return AU_OK;
  token_keys_free(out);
  return AU_EINVAL;
}

void token_keys_free(token_keys *keys) {
  if (keys->text) explicit_bzero(keys->text, strlen(keys->text));
  free(keys->text);
  *keys = (token_keys){0};
}

bool token_keys_are_weak(const token_keys *keys) {
  for (size_t i = 0; i < keys->count; i++)
    if (keys->key[i].secret.len < TOKENS_STRONG_BYTES) return true;
  return false;
}

/* ---- checking --------------------------------------------------------------- */

static token_verdict verdict_of(au_status status, token_verdict otherwise) {
  return status == AU_OK ? TOKEN_OK : status == AU_ENOMEM ? TOKEN_NO_MEMORY : otherwise;
}

static token_verdict check_signature(const token_keys *keys, const jwt *token, au_slice key_id) {
  for (size_t i = 0; i < keys->count; i++) {
    au_slice name = keys->key[i].name;
    if (name.len > 0 && key_id.len > 0 && !slice_eq(name, key_id)) continue;
    au_status status = jwt_check_hs256(token, keys->key[i].secret);
    if (status != AU_EINVAL) return verdict_of(status, TOKEN_SIGNATURE);
  }
  return TOKEN_SIGNATURE;
}

/* Seconds that may have a fraction. A comparison with NAN is false: what is not named allows. */
static token_verdict check_times(const wire_claims *claims, int64_t now_ms, int64_t *left_ms) {
  double leeway_ms = TOKENS_LEEWAY_MS, now = (double)now_ms;
  double left = claims->expires_s * 1000 - now;
  *left_ms = -1;
  if (left <= -leeway_ms) return TOKEN_EXPIRED;
  if (claims->not_before_s * 1000 > now + leeway_ms || claims->issued_s * 1000 > now + leeway_ms)
    return TOKEN_NOT_YET;
  if (left <= 0) left += leeway_ms;
  /* A number of ms that is exact; what lives longer lives for ever. */
  if (left < 1e15) *left_ms = (int64_t)ceil(left);
  return TOKEN_OK;
}

static token_verdict check_claims(const wire_claims *claims, const token_ask *ask) {
  if (!slice_eq(claims->customer_id, ask->customer_id)) return TOKEN_CUSTOMER;
  if (claims->session_id.len > 0 && ask->session_id.len > 0 &&
      !slice_eq(claims->session_id, ask->session_id))
    return TOKEN_SESSION;
  bool may = ask->scope == TOKEN_SCOPE_WATCH ? claims->may_watch : claims->may_be_present;
  return may ? TOKEN_OK : TOKEN_SCOPE;
}

token_verdict tokens_check(const token_keys *keys, const token_ask *ask, int64_t now_ms,
                           int64_t *left_ms) {
  jwt token;
  wire_token_header header;
  wire_claims claims;
  *left_ms = -1;
  if (!ask->token.ptr) return TOKEN_MISSING;
  if (!jwt_cut(ask->token, &token)) return TOKEN_MALFORMED;
  token_verdict verdict =
      verdict_of(wire_parse_token_header(token.header, &header), TOKEN_MALFORMED);
  if (verdict == TOKEN_OK && !header.is_hs256) verdict = TOKEN_ALGORITHM;
  if (verdict == TOKEN_OK) verdict = check_signature(keys, &token, header.key_id);
  if (verdict == TOKEN_OK)
    verdict = verdict_of(wire_parse_claims(token.payload, &claims), TOKEN_MALFORMED);
  if (verdict == TOKEN_OK) verdict = check_times(&claims, now_ms, left_ms);
  if (verdict == TOKEN_OK) verdict = check_claims(&claims, ask);
  return verdict;
}
