/* Who may take part: JSON Web Tokens with HS256, made by a customer's own server. Knows no
 * transport, and which customer asks for tokens is access_rules.h's. */
#ifndef TRANSPORTS_ACCESS_TOKENS_H
#define TRANSPORTS_ACCESS_TOKENS_H

#include <active_users/types.h>

enum {
  TOKENS_MAX_KEYS = 4,          /* of one customer, and so hashes for one token */
  TOKENS_MAX_NAME_BYTES = 64,   /* of the name of a key */
  TOKENS_LEEWAY_MS = 10 * 1000, /* that two clocks may differ */
  TOKENS_STRONG_BYTES = 32,     /* RFC 7518, 3.2: a secret is at least as long as its hash */
};

/* The secrets that are valid side by side. */
typedef struct token_keys {
  char *text; /* what the slices point into; NULL: there are none */
  size_t count;
  struct {
    au_slice name; /* empty: it has none */
    au_slice secret;
  } key[TOKENS_MAX_KEYS];
} token_keys;

/* Reads up to TOKENS_MAX_KEYS of `NAME:SECRET`, by blanks; a text in which not every word begins
 * with a name is one secret as it stands. An empty text has none.
 * Returns AU_OK, AU_ENOMEM, or AU_EINVAL with *problem, static, which never repeats a secret. */
AU_MUST_CHECK au_status token_keys_parse(const char *text, token_keys *out, const char **problem);
/* Overwrites the secrets first. */
void token_keys_free(token_keys *keys);
/* Whether one of the secrets is shorter than TOKENS_STRONG_BYTES. */
bool token_keys_are_weak(const token_keys *keys);

typedef enum token_scope { TOKEN_SCOPE_PRESENCE, TOKEN_SCOPE_WATCH } token_scope;

/* What somebody wants, and the token for it. */
typedef struct token_ask {
  au_slice token; /* ptr NULL: none was given */
  au_slice customer_id;
  au_slice session_id; /* empty for a watcher */
  token_scope scope;
} token_ask;

typedef enum token_verdict {
  TOKEN_OK,
  TOKEN_MISSING,
  TOKEN_MALFORMED, /* not three parts of base64url, too long, JSON that is refused, no customerId */
  TOKEN_ALGORITHM, /* not HS256, or it asks for more than we know ("crit") */
  TOKEN_SIGNATURE, /* of another secret */
  TOKEN_EXPIRED,
  TOKEN_NOT_YET,  /* "nbf" or "iat" is in the future */
  TOKEN_CUSTOMER, /* of another customer */
  TOKEN_SESSION,  /* of another session */
  TOKEN_SCOPE,    /* does not allow this */
  TOKEN_NO_MEMORY,
} token_verdict;

/* Checks a token; `now_ms` is of the wall clock. A key with a name is tried for tokens whose
 * "kid" is that name, or that have none; a key without a name for all.
 *
 * left_ms  with TOKEN_OK: how long it stays valid; -1: for ever. A token within its leeway has
 *          what is left of that. */
token_verdict tokens_check(const token_keys *keys, const token_ask *ask, int64_t now_ms,
                           int64_t *left_ms);

#endif
