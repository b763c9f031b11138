/* Signs what is sent, as the Standard Webhooks specification has it: receivers check it with any
 * library of that. */
#ifndef WEBHOOKS_SIGNATURE_H
#define WEBHOOKS_SIGNATURE_H

#include "utils/buffer.h"

enum { SIGNATURE_KEYS_MAX = 4, SIGNATURE_KEY_MIN = 24, SIGNATURE_KEY_MAX = 64 /* bytes */ };

typedef struct signature_keys {
  size_t count; /* 0: nothing is signed */
  struct {
    size_t len;
    unsigned char bytes[SIGNATURE_KEY_MAX + 2];
  } list[SIGNATURE_KEYS_MAX];
} signature_keys;

/* Reads up to 4 secrets by blanks, each `whsec_` and base64 of 24 to 64 bytes; "" is none. Returns
 * NULL, or a static text that says what is wrong. */
const char *signature_parse(const char *text, signature_keys *out);

/* Has OpenSSL set up what signing needs. It does so once: what it has no memory for then never
 * works again, so this comes before anything is signed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status signature_prepare(void);

/* Appends "v1,BASE64" for each key, by blanks: HMAC-SHA256 over `id.timestamp.body`. Returns AU_OK
 * or AU_ENOMEM. */
AU_MUST_CHECK au_status signature_print(const signature_keys *keys, au_slice id,
                                        int64_t timestamp_s, au_slice body, buffer *out);

#endif
