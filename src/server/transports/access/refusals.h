/* What a client reads whose request is refused, and what the log says of it. Decides nothing. */
#ifndef TRANSPORTS_REFUSALS_H
#define TRANSPORTS_REFUSALS_H

#include <active_users/types.h>

#include "utils/log_pace.h"

enum {
  REFUSAL_SHOWN_MAX = 96, /* bytes of a path or an origin that a message repeats */
  REFUSAL_TEXT_SIZE = 320,
};

/* What a text for people repeats of somebody's bytes: cut at REFUSAL_SHOWN_MAX, and a byte that is
 * not printable ASCII becomes `?`. */
typedef struct refusal_shown {
  char text[REFUSAL_SHOWN_MAX + sizeof "..."];
} refusal_shown;
refusal_shown refusal_show(au_slice given);

/* Texts for people. */
void refusal_of_path(char out[REFUSAL_TEXT_SIZE], au_slice path);
/* `allow` as in the Allow header. */
void refusal_of_method(char out[REFUSAL_TEXT_SIZE], au_slice path, const char *allow);
/* `of_customer`: pages of this origin may do so for other customers. */
void refusal_of_origin(char out[REFUSAL_TEXT_SIZE], au_slice origin, bool of_customer);
/* A query of GET /metrics without the name customerId; one that is nearly so is named. */
void refusal_of_query(char out[REFUSAL_TEXT_SIZE], au_slice query);

/* Lines of the log, one pace for each kind. */
typedef enum refusal_kind {
  REFUSAL_ORIGIN, /* 403: the page's origin is not allowed */
  REFUSAL_IP,     /* 429 by the limit of an address */
  REFUSAL_CUSTOMER,
  REFUSAL_TOKEN, /* 401 or 403 for a token */
  REFUSAL_KINDS,
} refusal_kind;

typedef struct refusal_log {
  log_pace of[REFUSAL_KINDS];
} refusal_log;

/* Logs at once or counts. `origin` is that of this request; empty when it came from no page. */
void refusal_log_add(refusal_log *log, refusal_kind kind, au_slice origin, int64_t now_ms);

#endif
