/* JSON in and out: every message shape of the contract, both ways. Nothing here keeps state.
 *
 * What comes in is taken strictly: one object, valid UTF-8, no control bytes in
 * strings, no \\u0000, no duplicate keys, at most WIRE_MAX_DEPTH levels. Unknown
 * fields are ignored, and a field that is null is absent. */
#ifndef WIRE_H
#define WIRE_H

#include <active_users/types.h>

#include "utils/buffer.h"
#include "utils/frame.h"

enum {
  WIRE_MAX_BODY_BYTES = 16 * 1024, /* of a request */
  WIRE_MAX_MESSAGE_BYTES = 4096,   /* of a WebSocket message */
  WIRE_MAX_DEPTH = 32,
};

/* What was wrong with the input. `field` is "" when the whole text is at fault. */
typedef struct wire_error {
  const char *field;   /* static */
  const char *message; /* static, a sentence for the client */
} wire_error;

/* A parsed beat and the bytes that its slices point into. Not to be copied. */
typedef struct wire_beat {
  au_beat beat;
  bool webdriver; /* sent by a browser that a program drives */
  au_slice token; /* borrowed from the text that was parsed; ptr NULL: it has none */
  char bytes[3 * AU_ID_MAX + AU_PLATFORM_MAX + AU_USER_AGENT_MAX + AU_PATH_MAX];
} wire_beat;

/* What an id must be, behind "must be " in an error. */
#define WIRE_ID_RULE "1 to 128 characters of A-Z a-z 0-9 . _ ~ @ = + / -"

/* Whether `id` is one that a customer, session or tab may have. */
bool wire_valid_id(au_slice id);

/* Reads the path of a page out of UTF-8: without its query and fragment, and cut before the
 * character that crosses AU_PATH_MAX. False when it does not begin with `/` or has control
 * characters. */
bool wire_read_page(au_slice text, char at[AU_PATH_MAX], au_slice *out);
#define WIRE_PAGE_RULE "a path that begins with / and has no control characters"

/* Reads the body of join and beat. Returns AU_OK, AU_EINVAL (*error says why) or AU_ENOMEM. */
AU_MUST_CHECK au_status wire_parse_beat(au_slice body, wire_beat *out, wire_error *error);

/* Reads the body of leave. `grace_ms` is 0 when the body has none, and `max_grace_ms` when the body
 * asks for more. Returns as wire_parse_beat. */
AU_MUST_CHECK au_status wire_parse_leave(au_slice body, int64_t max_grace_ms, wire_beat *out,
                                         int64_t *grace_ms, wire_error *error);

/* What an operator wants blocked. Not to be copied. */
enum { WIRE_MAX_BLOCK_S = 30 * 24 * 60 * 60 };
typedef struct wire_block {
  au_slice target; /* an address as text, not checked; or a hash */
  bool is_hash;
  uint32_t seconds; /* 1 to WIRE_MAX_BLOCK_S */
  char bytes[64];
} wire_block;

/* Returns as wire_parse_beat. */
AU_MUST_CHECK au_status wire_parse_block(au_slice body, wire_block *out, wire_error *error);

typedef enum wire_kind { WIRE_AUTH, WIRE_PING } wire_kind;

typedef struct wire_message {
  wire_kind kind;
  /* WIRE_AUTH; session_id and tab_id are empty for a watcher. Of a WIRE_PING only `webdriver`, the
   * page and its visibility. */
  wire_beat who;
  bool has_timestamp; /* WIRE_PING */
  double timestamp;
} wire_message;

/* Reads one message of a socket. Returns as wire_parse_beat. */
AU_MUST_CHECK au_status wire_parse_message(au_slice text, wire_message *out, wire_error *error);

enum { WIRE_MAX_KEY_ID_BYTES = 64 };

/* The header of a JSON Web Token, already decoded. */
typedef struct wire_token_header {
  bool is_hs256;   /* "alg" is HS256 and nothing is "crit" */
  au_slice key_id; /* "kid", in `bytes`; empty when it has none */
  char bytes[WIRE_MAX_KEY_ID_BYTES];
} wire_token_header;

/* Its claims. A time that it does not name is NAN. */
typedef struct wire_claims {
  au_slice customer_id, session_id; /* in `bytes`; empty: not named */
  bool may_be_present, may_watch;   /* "scope"; a token without one may do both */
  double expires_s, not_before_s, issued_s;
  char bytes[2 * AU_ID_MAX];
} wire_claims;

/* Both return AU_OK, AU_EINVAL or AU_ENOMEM, and are as strict as a body is read. */
AU_MUST_CHECK au_status wire_parse_token_header(au_slice json, wire_token_header *out);
AU_MUST_CHECK au_status wire_parse_claims(au_slice json, wire_claims *out);

/* Reads the value of a presence key, as this daemon or another program wrote it:
 * any JSON object. Missing or odd fields are left empty. Returns AU_OK, AU_EINVAL
 * (not an object: a foreign value) or AU_ENOMEM.
 *
 * now_ms  on the clock of whoever wrote it, for `pending_ms` */
AU_MUST_CHECK au_status wire_parse_presence(au_slice text, int64_t now_ms, wire_beat *out);

/* Reads what `metrics:{customer}` carries. `customer_id` must hold AU_ID_MAX bytes,
 * and out->customer_id points into it. Returns AU_OK, AU_EINVAL or AU_ENOMEM. */
AU_MUST_CHECK au_status wire_parse_metrics(au_slice text, char *customer_id, au_metrics *out);

/* Printers append to `out`, whose `failed` tells whether all of it fitted. */

/* A JSON string with its quotes; `s` must be UTF-8. */
void wire_print_string(buffer *out, au_slice s);
/* {"timestamp":…,"count":…,"ema":…,"customerId":"…"}, with "bots":… when there are some,
 * "peakToday":…,"peak":… and "visible":… when they are known, and "stale":true when it is. */
void wire_print_metrics(buffer *out, const au_metrics *metrics);
/* The same with "page":"…","pageCount":… behind it. */
void wire_print_page_metrics(buffer *out, const au_metrics *metrics, au_slice page, uint32_t count);
/* {"success":true}, and "tokenExpiresInMs":… unless that is below 0, and "metrics":{…} unless
 * `metrics` is NULL. */
void wire_print_success(buffer *out, int64_t token_left_ms, const au_metrics *metrics);
/* {"error":"…","message":"…"} and "field" or "blockedBy" where not NULL or "". */
void wire_print_error(buffer *out, const char *error, const char *message, const char *field,
                      const char *blocked_by);
/* The value of a presence key. */
void wire_print_presence(buffer *out, const au_beat *beat, int64_t updated_at_ms);
/* `,"page":"…","visible":…`, each unless it is not known. */
void wire_print_seen(buffer *out, const au_beat *beat);
/* The EMA as clients read it, at most 4 decimals. */
void wire_print_ema(buffer *out, double ema);
/* `,"name":"value"`, or nothing when there is no value. */
void wire_print_optional(buffer *out, const char *name, au_slice value);
/* The EMA as Redis keeps it: the shortest text that reads back as the same number. */
void wire_print_number(buffer *out, double value);

/* Frames of a socket, each with one reference; NULL when out of memory. `token_left_ms` as in
 * wire_print_success. */
frame *wire_frame_hello(int64_t timestamp_ms, au_slice session_id, int64_t token_left_ms);
frame *wire_frame_pong(double timestamp);
frame *wire_frame_error(const char *message);
frame *wire_frame_update(const au_metrics *metrics);
/* The event of a stream (server-sent events) with the data of an update, whose text this is: its id
 * is the timestamp. */
frame *wire_frame_event(au_slice update);

#endif
