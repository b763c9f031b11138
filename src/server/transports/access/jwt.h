/* A JSON Web Token in its compact form (RFC 7515): cuts it, and checks an HMAC with SHA-256.
 * Knows neither claims nor whose secret it is. */
#ifndef TRANSPORTS_ACCESS_JWT_H
#define TRANSPORTS_ACCESS_JWT_H

#include <active_users/types.h>

enum {
  JWT_MAX_BYTES = 2048, /* of a whole token */
  JWT_HS256_BYTES = 32, /* of its signature */
};

/* A token that was cut, and the bytes that its slices point into. Not to be copied. */
typedef struct jwt {
  au_slice header, payload; /* decoded: JSON, as yet unread */
  au_slice signature;       /* decoded; of any length, also empty */
  au_slice signed_part;     /* of the token, borrowed: what the signature is of */
  char bytes[JWT_MAX_BYTES];
} jwt;

/* Cuts a token at its two dots and decodes the three parts. false: it is too long, has another
 * number of parts, or one that is not base64url. */
bool jwt_cut(au_slice token, jwt *out);

/* Compares the signature with the one that `secret` gives, in a time that does not depend on
 * where they differ. Returns AU_OK, AU_EINVAL (another secret made it) or AU_ENOMEM. */
AU_MUST_CHECK au_status jwt_check_hs256(const jwt *token, au_slice secret);

#endif
