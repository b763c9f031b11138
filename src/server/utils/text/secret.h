/* Finds and hides what is secret in a setting's text or a header. Knows no setting. */
#ifndef UTILS_SECRET_H
#define UTILS_SECRET_H

#include <active_users/types.h>

/* Whether the text of a secret setting holds a secret: a URL without a user or a password
 * does not, nor does an empty text. */
bool secret_in(const char *text);

/* Puts `***` in the place of who logs in to a URL and how, and of all of what does not look
 * like a URL. `size` is that of the array; what does not fit is cut. */
void secret_mask(char *text, size_t size);

/* The token of an Authorization header, `Bearer …` (RFC 6750, 2.1); ptr NULL: it has none. */
au_slice secret_of_bearer(au_slice header);

/* Whether two texts are the same, in a time that tells nothing of `secret` but its length. */
bool secret_is(const char *secret, au_slice given);

#endif
