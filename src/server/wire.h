/* JSON in and out: every message shape of the contract, both ways. The only file
 * that knows cJSON. Nothing here keeps state.
 *
 * What comes in is taken strictly: one object, valid UTF-8, no control bytes in
 * strings, no \\u0000, no duplicate keys, at most WIRE_MAX_DEPTH levels. Unknown
 * fields are ignored. */
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
  char bytes[3 * AU_ID_MAX + AU_PLATFORM_MAX + AU_USER_AGENT_MAX];
} wire_beat;

/* Whether `id` is one that a customer, session or tab may have. */
bool wire_valid_id(au_slice id);

/* Reads the body of join, beat and leave. Returns AU_OK, AU_EINVAL (*error says
 * why) or AU_ENOMEM. */
AU_MUST_CHECK au_status wire_parse_beat(au_slice body, wire_beat *out, wire_error *error);

typedef enum wire_kind { WIRE_AUTH, WIRE_PING } wire_kind;

typedef struct wire_message {
  wire_kind kind;
  wire_beat who;      /* WIRE_AUTH; session_id and tab_id are empty for a watcher */
  bool has_timestamp; /* WIRE_PING */
  double timestamp;
} wire_message;

/* Reads one message of a socket. Returns as wire_parse_beat. */
AU_MUST_CHECK au_status wire_parse_message(au_slice text, wire_message *out, wire_error *error);

/* Reads the value of a presence key, as this daemon or another program wrote it:
 * any JSON object. Missing or odd fields are left empty. Returns AU_OK, AU_EINVAL
 * (not an object: a foreign value) or AU_ENOMEM. */
AU_MUST_CHECK au_status wire_parse_presence(au_slice text, wire_beat *out);

/* Reads what `metrics:{customer}` carries. `customer_id` must hold AU_ID_MAX bytes,
 * and out->customer_id points into it. Returns AU_OK, AU_EINVAL or AU_ENOMEM. */
AU_MUST_CHECK au_status wire_parse_metrics(au_slice text, char *customer_id, au_metrics *out);

/* Printers append to `out`, whose `failed` tells whether all of it fitted. */

/* A JSON string with its quotes; `s` must be UTF-8. */
void wire_print_string(buffer *out, au_slice s);
/* {"timestamp":…,"count":…,"ema":…,"customerId":"…"} and "stale":true when it is. */
void wire_print_metrics(buffer *out, const au_metrics *metrics);
/* {"success":true} or {"success":true,"metrics":{…}}; `metrics` may be NULL. */
void wire_print_success(buffer *out, const au_metrics *metrics);
/* {"error":"…","message":"…"} and "field" or "blockedBy" where not NULL or "". */
void wire_print_error(buffer *out, const char *error, const char *message, const char *field,
                      const char *blocked_by);
/* The value of a presence key. */
void wire_print_presence(buffer *out, const au_beat *beat, int64_t updated_at_ms);
/* The EMA as Redis keeps it: the shortest text that reads back as the same number. */
void wire_print_number(buffer *out, double value);

/* Frames of a socket, each with one reference; NULL when out of memory. */
frame *wire_frame_hello(int64_t timestamp_ms, au_slice session_id);
frame *wire_frame_pong(double timestamp);
frame *wire_frame_error(const char *message);
frame *wire_frame_update(const au_metrics *metrics);

#endif
