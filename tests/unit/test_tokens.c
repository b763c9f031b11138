/* Tests of the tokens: made by hand for what is refused, and by libjwt for what is taken, so that
 * two implementations agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transports/access/jwt.h"
#include "transports/access/tokens.h"
#include "utils/buffer.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HS256        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define SHOP         "{\"customerId\":\"shop\"}"
#define SECRET       "0123456789abcdef0123456789abcdef"

enum { NOW_S = 1700000000, TOKEN_SIZE = 8192 };
static const int64_t NOW_MS = (int64_t)NOW_S * 1000;

static size_t base64url(const void *bytes, size_t len, char *out) {
  int written = EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
  size_t end = (size_t)written;
  while (end > 0 && out[end - 1] == '=') end--;
  for (size_t i = 0; i < end; i++) out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
  out[end] = '\0';
  return end;
}

/* A token whose parts say what they like, signed well. */
static void mint(const char *header, const char *payload, const char *secret,
                 char out[TOKEN_SIZE]) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned hash_len;
  size_t at = base64url(header, strlen(header), out);
  out[at++] = '.';
  at += base64url(payload, strlen(payload), out + at);
  HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)out, at, hash, &hash_len);
  out[at++] = '.';
  base64url(hash, hash_len, out + at);
}

static token_verdict check_by(const char *secrets, const char *token, token_ask ask,
                              int64_t *left_ms) {
  token_keys keys;
  const char *problem;
  assert_int_equal(token_keys_parse(secrets, &keys, &problem), AU_OK);
  /* A copy of its own size, so that ASan sees a byte read too many. */
  size_t len = strlen(token);
  char *copy = malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, token, len);
  ask.token = (au_slice){copy, len};
  token_verdict verdict = tokens_check(&keys, &ask, NOW_MS, left_ms);
  free(copy);
  token_keys_free(&keys);
  return verdict;
}

static const token_ask shop = {
    .customer_id = {"shop", 4}, .session_id = {"s1", 2}, .scope = TOKEN_SCOPE_PRESENCE};

static void claims(void **state) {
  (void)state;
  static const struct {
    const char *name, *payload;
    token_verdict want;
    int64_t left_ms;
  } cases[] = {
      {"no end", SHOP, TOKEN_OK, -1},
      {"an end", "{\"customerId\":\"shop\",\"exp\":1700000060}", TOKEN_OK, 60000},
      {"an end with a fraction", "{\"customerId\":\"shop\",\"exp\":1700000000.5}", TOKEN_OK, 500},
      {"in ten thousand years", "{\"customerId\":\"shop\",\"exp\":1e300}", TOKEN_OK, -1},
      {"now", "{\"customerId\":\"shop\",\"exp\":1700000000}", TOKEN_OK, 10000},
      {"within the leeway", "{\"customerId\":\"shop\",\"exp\":1699999991}", TOKEN_OK, 1000},
      {"at the end of the leeway", "{\"customerId\":\"shop\",\"exp\":1699999990}", TOKEN_EXPIRED,
       -1},
      {"long ago", "{\"customerId\":\"shop\",\"exp\":0}", TOKEN_EXPIRED, -1},
      {"before time", "{\"customerId\":\"shop\",\"exp\":-1e300}", TOKEN_EXPIRED, -1},
      {"an end that is a text", "{\"customerId\":\"shop\",\"exp\":\"1700000060\"}", TOKEN_MALFORMED,
       -1},
      {"an end that is null", "{\"customerId\":\"shop\",\"exp\":null}", TOKEN_MALFORMED, -1},
      {"a beginning that is null", "{\"customerId\":\"shop\",\"nbf\":null}", TOKEN_MALFORMED, -1},
      {"a session that is null", "{\"customerId\":\"shop\",\"sessionId\":null}", TOKEN_MALFORMED,
       -1},
      {"a scope that is null", "{\"customerId\":\"shop\",\"scope\":null}", TOKEN_MALFORMED, -1},
      {"null of others", "{\"customerId\":\"shop\",\"iss\":null}", TOKEN_OK, -1},
      {"an endless number", "{\"customerId\":\"shop\",\"exp\":1e999}", TOKEN_MALFORMED, -1},
      {"issued now", "{\"customerId\":\"shop\",\"iat\":1700000000}", TOKEN_OK, -1},
      {"issued by a clock that is ahead", "{\"customerId\":\"shop\",\"iat\":1700000010}", TOKEN_OK,
       -1},
      {"issued in the future", "{\"customerId\":\"shop\",\"iat\":1700000011}", TOKEN_NOT_YET, -1},
      {"not before", "{\"customerId\":\"shop\",\"nbf\":1700000011}", TOKEN_NOT_YET, -1},
      {"another customer", "{\"customerId\":\"shop2\"}", TOKEN_CUSTOMER, -1},
      {"no customer", "{\"sessionId\":\"s1\"}", TOKEN_MALFORMED, -1},
      {"a customer that is none", "{\"customerId\":\"a b\"}", TOKEN_MALFORMED, -1},
      {"a customer that is cut", "{\"customerId\":\"shop\\u0000x\"}", TOKEN_MALFORMED, -1},
      {"twice the same claim", "{\"customerId\":\"shop\",\"customerId\":\"shop\"}", TOKEN_MALFORMED,
       -1},
      {"twice another", "{\"customerId\":\"shop\",\"x\":1,\"x\":2}", TOKEN_MALFORMED, -1},
      {"other capitals", "{\"CUSTOMERID\":\"shop\"}", TOKEN_MALFORMED, -1},
      {"claims of others", "{\"customerId\":\"shop\",\"iss\":\"me\",\"aud\":[\"x\"]}", TOKEN_OK,
       -1},
      {"its session", "{\"customerId\":\"shop\",\"sessionId\":\"s1\"}", TOKEN_OK, -1},
      {"another session", "{\"customerId\":\"shop\",\"sessionId\":\"s2\"}", TOKEN_SESSION, -1},
      {"its scope", "{\"customerId\":\"shop\",\"scope\":\"presence\"}", TOKEN_OK, -1},
      {"both scopes", "{\"customerId\":\"shop\",\"scope\":\"watch presence\"}", TOKEN_OK, -1},
      {"another scope", "{\"customerId\":\"shop\",\"scope\":\"watch\"}", TOKEN_SCOPE, -1},
      {"no scope at all", "{\"customerId\":\"shop\",\"scope\":\"\"}", TOKEN_SCOPE, -1},
      {"a longer word", "{\"customerId\":\"shop\",\"scope\":\"presences\"}", TOKEN_SCOPE, -1},
      {"a list", "{\"customerId\":\"shop\",\"scope\":[\"presence\"]}", TOKEN_MALFORMED, -1},
      {"no object", "[]", TOKEN_MALFORMED, -1},
      {"no JSON", "shop", TOKEN_MALFORMED, -1},
      {"something behind it", SHOP "x", TOKEN_MALFORMED, -1},
      {"nothing", "", TOKEN_MALFORMED, -1},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char token[TOKEN_SIZE];
    int64_t left_ms;
    mint(HS256, cases[i].payload, SECRET, token);
    token_verdict got = check_by(SECRET, token, shop, &left_ms);
    if (got != cases[i].want) fail_msg("%s: %d, not %d", cases[i].name, got, cases[i].want);
    if (got == TOKEN_OK && left_ms != cases[i].left_ms)
      fail_msg("%s: %lld ms left", cases[i].name, (long long)left_ms);
  }
}

static void who_watches(void **state) {
  (void)state;
  static const token_ask watcher = {.customer_id = {"shop", 4}, .scope = TOKEN_SCOPE_WATCH};
  static const struct {
    const char *name, *payload;
    token_verdict want;
  } cases[] = {
      {"any token", SHOP, TOKEN_OK},
      {"one to watch", "{\"customerId\":\"shop\",\"scope\":\"watch\"}", TOKEN_OK},
      {"one to be counted", "{\"customerId\":\"shop\",\"scope\":\"presence\"}", TOKEN_SCOPE},
      {"one of a session", "{\"customerId\":\"shop\",\"sessionId\":\"s1\"}", TOKEN_OK},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char token[TOKEN_SIZE];
    int64_t left_ms;
    mint(HS256, cases[i].payload, SECRET, token);
    if (check_by(SECRET, token, watcher, &left_ms) != cases[i].want) fail_msg("%s", cases[i].name);
  }
}

static void headers(void **state) {
  (void)state;
  static const struct {
    const char *name, *secrets, *header, *signed_with;
    token_verdict want;
  } cases[] = {
      {"one secret", "a", HS256, "a", TOKEN_OK},
      {"another secret", "a", HS256, "b", TOKEN_SIGNATURE},
      {"a longer secret", "a", HS256, "ab", TOKEN_SIGNATURE},
      {"no type", "a", "{\"alg\":\"HS256\"}", "a", TOKEN_OK},
      {"a name that the secret has not", "a", "{\"alg\":\"HS256\",\"kid\":\"n\"}", "a", TOKEN_OK},
      {"its name", "n:a", "{\"alg\":\"HS256\",\"kid\":\"n\"}", "a", TOKEN_OK},
      {"no name", "n:a", HS256, "a", TOKEN_OK},
      {"another name", "n:a", "{\"alg\":\"HS256\",\"kid\":\"m\"}", "a", TOKEN_SIGNATURE},
      {"the old one", "old:a new:b", "{\"alg\":\"HS256\",\"kid\":\"old\"}", "a", TOKEN_OK},
      {"the new one", "old:a new:b", "{\"alg\":\"HS256\",\"kid\":\"new\"}", "b", TOKEN_OK},
      {"the new one by the old name", "old:a new:b", "{\"alg\":\"HS256\",\"kid\":\"old\"}", "b",
       TOKEN_SIGNATURE},
      {"the new one without a name", "old:a new:b", HS256, "b", TOKEN_OK},
      {"none", "a", "{\"alg\":\"none\"}", "a", TOKEN_ALGORITHM},
      {"no algorithm", "a", "{\"typ\":\"JWT\"}", "a", TOKEN_ALGORITHM},
      {"another hash", "a", "{\"alg\":\"HS512\"}", "a", TOKEN_ALGORITHM},
      {"a public key", "a", "{\"alg\":\"RS256\"}", "a", TOKEN_ALGORITHM},
      {"small letters", "a", "{\"alg\":\"hs256\"}", "a", TOKEN_ALGORITHM},
      {"something critical", "a", "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "a",
       TOKEN_ALGORITHM},
      {"two algorithms", "a", "{\"alg\":\"none\",\"alg\":\"HS256\"}", "a", TOKEN_MALFORMED},
      {"a name that is a number", "n:a", "{\"alg\":\"HS256\",\"kid\":1}", "a", TOKEN_MALFORMED},
      {"no object", "a", "\"HS256\"", "a", TOKEN_MALFORMED},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char token[TOKEN_SIZE];
    int64_t left_ms;
    mint(cases[i].header, SHOP, cases[i].signed_with, token);
    token_verdict got = check_by(cases[i].secrets, token, shop, &left_ms);
    if (got != cases[i].want) fail_msg("%s: %d, not %d", cases[i].name, got, cases[i].want);
  }
}

/* Of a good token, what is left when its end or its middle is changed. */
static void forms(void **state) {
  (void)state;
  char good[TOKEN_SIZE], bad[TOKEN_SIZE];
  int64_t left_ms;
  mint(HS256, SHOP, SECRET, good);
  size_t len = strlen(good);
  assert_int_equal(check_by(SECRET, good, shop, &left_ms), TOKEN_OK);
  for (size_t i = 0; i < len; i++) {
    strcpy(bad, good);
    bad[i] = good[i] == 'A' ? 'B' : 'A';
    if (check_by(SECRET, bad, shop, &left_ms) == TOKEN_OK) fail_msg("changed at %zu", i);
    bad[i] = '\0';
    if (check_by(SECRET, bad, shop, &left_ms) == TOKEN_OK) fail_msg("cut at %zu", i);
  }
  static const char *const odd[] = {"", ".", "..", "...", "....", "a", "a.b", "a.b.c", "=.=.="};
  for (size_t i = 0; i < COUNT(odd); i++)
    assert_int_equal(check_by(SECRET, odd[i], shop, &left_ms), TOKEN_MALFORMED);
  static const char *const behind[] = {"=", "==", ".", ".a", "A", "\n", " "};
  for (size_t i = 0; i < COUNT(behind); i++) {
    snprintf(bad, sizeof bad, "%s%s", good, behind[i]);
    if (check_by(SECRET, bad, shop, &left_ms) == TOKEN_OK) fail_msg("'%s'", behind[i]);
  }
  const token_ask none = {.customer_id = {"shop", 4}};
  token_keys keys;
  const char *problem;
  assert_int_equal(token_keys_parse(SECRET, &keys, &problem), AU_OK);
  assert_int_equal(tokens_check(&keys, &none, NOW_MS, &left_ms), TOKEN_MISSING);
  token_keys_free(&keys);
}

static void lengths(void **state) {
  (void)state;
  for (size_t filler = 1200; filler < 5000; filler += 1) {
    char payload[TOKEN_SIZE], token[2 * TOKEN_SIZE];
    int64_t left_ms;
    snprintf(payload, sizeof payload, "{\"customerId\":\"shop\",\"x\":\"%0*d\"}", (int)filler, 0);
    mint(HS256, payload, SECRET, token);
    bool fits = strlen(token) <= JWT_MAX_BYTES;
    if ((check_by(SECRET, token, shop, &left_ms) == TOKEN_OK) != fits)
      fail_msg("%zu bytes", strlen(token));
    if (filler > 1600) filler += 300;
  }
}

static void secrets(void **state) {
  (void)state;
  static const char pass[] = "0123456789abcdef0123456789abcdef";
  static const struct {
    const char *name, *text;
    au_status want;
    size_t count;
    bool weak;
  } cases[] = {
      {"none", "", AU_OK, 0, false},
      {"one", pass, AU_OK, 1, false},
      {"a short one", "0123456789abcdef0123456789abcde", AU_OK, 1, true},
      {"with a name", "n:0123456789abcdef0123456789abcdef", AU_OK, 1, false},
      {"the name does not make it longer", "n:0123456789abcdef0123456789abcd", AU_OK, 1, true},
      {"a colon in it", "n:a:b", AU_OK, 1, true},
      {"a name and blanks", "n:a b", AU_OK, 1, true},
      {"four", "a:1 b:2  c:3 d:4 ", AU_OK, 4, true},
      {"five", "a:1 b:2 c:3 d:4 e:5", AU_EINVAL, 0, false},
      {"one name twice", "a:1 a:2", AU_EINVAL, 0, false},
      {"one with blanks", "a pass of many words", AU_OK, 1, true},
      {"one that begins like a name", "1 a:2", AU_OK, 1, true},
      {"no name before the colon", ":a", AU_OK, 1, true},
      {"no name as we take it", "p@ss:word", AU_OK, 1, true},
      {"no secret behind it", "a:", AU_EINVAL, 0, false},
      {"no secret behind the second", "a:1 b:", AU_EINVAL, 0, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    token_keys keys;
    const char *problem = NULL;
    au_status got = token_keys_parse(cases[i].text, &keys, &problem);
    if (got != cases[i].want) fail_msg("%s", cases[i].name);
    if (got != AU_OK) assert_non_null(problem);
    if (got == AU_OK &&
        (keys.count != cases[i].count || token_keys_are_weak(&keys) != cases[i].weak))
      fail_msg("%s: %zu", cases[i].name, keys.count);
    token_keys_free(&keys);
  }
}

/* What another implementation makes is taken, and it takes what is made by hand here. */
static void as_libjwt_does(void **state) {
  (void)state;
  jwt_t *made;
  int64_t left_ms;
  assert_int_equal(jwt_new(&made), 0);
  assert_int_equal(jwt_add_grant(made, "customerId", "shop"), 0);
  assert_int_equal(jwt_add_grant_int(made, "exp", NOW_S + 60), 0);
  assert_int_equal(jwt_add_header(made, "kid", "2026"), 0);
  assert_int_equal(
      jwt_set_alg(made, JWT_ALG_HS256, (const unsigned char *)SECRET, (int)strlen(SECRET)), 0);
  char *text = jwt_encode_str(made);
  assert_non_null(text);
  assert_int_equal(check_by("2026:" SECRET, text, shop, &left_ms), TOKEN_OK);
  assert_int_equal(left_ms, 60000);
  assert_int_equal(check_by("2025:" SECRET, text, shop, &left_ms), TOKEN_SIGNATURE);
  free(text);
  jwt_free(made);

  char token[TOKEN_SIZE];
  mint(HS256, SHOP, SECRET, token);
  assert_int_equal(jwt_decode(&made, token, (const unsigned char *)SECRET, (int)strlen(SECRET)), 0);
  assert_string_equal(jwt_get_grant(made, "customerId"), "shop");
  jwt_free(made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(claims),         cmocka_unit_test(who_watches), cmocka_unit_test(headers),
      cmocka_unit_test(forms),          cmocka_unit_test(lengths),     cmocka_unit_test(secrets),
      cmocka_unit_test(as_libjwt_does),
  };
  return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
