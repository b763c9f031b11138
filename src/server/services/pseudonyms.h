/* Names in place of what tells who somebody is: an address, and with strict privacy a session. A
 * name is a keyed hash, the same at all daemons that have the same secret; without the secret
 * nobody can make one. Knows no store and no addresses. */
#ifndef SERVICES_PSEUDONYMS_H
#define SERVICES_PSEUDONYMS_H

#include <active_users/types.h>

enum {
  PSEUDONYM_ADDRESS_BYTES = 16, /* hexadecimal digits */
  PSEUDONYM_SESSION_BYTES = 33, /* `~` and 32 of them: a valid id */
};

/* All zero is for nobody; pseudonyms_init. */
typedef struct pseudonyms {
  uint64_t k0, k1;
  uint64_t day;     /* of the names of addresses; 0: they are the same every day */
  uint32_t version; /* changes with the names */
  bool strict;
} pseudonyms;

/* k0, k1  random, until pseudonyms_set_secret.
 * strict  sessions have names, too, and addresses have another name each day (UTC), so that days
 *         cannot be joined. */
void pseudonyms_init(pseudonyms *p, uint64_t k0, uint64_t k1, bool strict);

/* All names change, unless it is the same secret. */
void pseudonyms_set_secret(pseudonyms *p, au_slice secret);

/* Tells what day it is. */
void pseudonyms_set_time(pseudonyms *p, int64_t wall_ms);

/* The name of an address by what a limit counts as one (net_key), as a number and as text. */
uint64_t pseudonym_of_address(const pseudonyms *p, au_slice key);
void pseudonym_print(uint64_t name, char out[PSEUDONYM_ADDRESS_BYTES]);
/* Reads that text; false: it is none. */
bool pseudonym_parse(au_slice text, uint64_t *out);

/* Room for the name of a session. */
typedef struct pseudonym_session {
  char text[PSEUDONYM_SESSION_BYTES];
} pseudonym_session;

/* Of a beat that a client sent: where privacy is strict its session becomes a name, in `room`, and
 * its user agent goes. Else nothing changes. */
void pseudonyms_conceal(const pseudonyms *p, au_beat *beat, pseudonym_session *room);

/* How the session is stored whose id an operator gave, who may also give its name; may point into
 * `room`. */
au_slice pseudonyms_stored_session(const pseudonyms *p, au_slice customer_id, au_slice session_id,
                                   pseudonym_session *room);

/* Until addresses have other names; INT64_MAX when they keep them. */
int64_t pseudonyms_last_ms(const pseudonyms *p, int64_t wall_ms);

#endif
