/* Known bots: who is one by the user agent, and what counts as one. Knows no store. */
#ifndef TRANSPORTS_BOTS_H
#define TRANSPORTS_BOTS_H

#include <active_users/config.h>

/* Of a user agent so much is looked at. */
enum { BOTS_MAX_BYTES = 512 };

/* Whether a user agent names a known bot. Looks once at each of its bytes, in at most 0.1 ms. */
bool bots_match(au_slice user_agent);

/* How many texts bots are known by; 0: this build has no list. */
unsigned bots_known(void);

/* What says who gave a sign of life; what is not known is empty or false. */
typedef struct bots_signs {
  au_slice header; /* User-Agent of the request, or of the handshake of a socket */
  au_slice field;  /* userAgent of a join */
  bool webdriver;  /* the browser says that a program drives it */
} bots_signs;

/* AU_VISITOR_BOT or AU_VISITOR_PERSON, which all are with `count_bots`. */
au_visitor bots_judge(const au_config *config, const bots_signs *signs);

#endif
