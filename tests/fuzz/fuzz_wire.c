/* Every parser of wire.h: what is taken can be printed, and reads back the same. The first byte
 * picks the parser, the rest is its text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/wire.h"

enum { MAX_GRACE_MS = 10000 };

/* The memory is there, so AU_ENOMEM would mean that cJSON refused what the scan took. */
static bool taken(au_status status, const wire_error *error) {
  must(status == AU_OK || status == AU_EINVAL);
  if (error) must((status == AU_EINVAL) == (error->message[0] != '\0'));
  return status == AU_OK;
}

static bool id_or_empty(au_slice id) {
  return id.len == 0 || wire_valid_id(id);
}

/* Whatever was taken can be printed, and reads back the same. */
static void check_beat(const au_beat *beat) {
  buffer out;
  wire_beat back;

  must(id_or_empty(beat->customer_id) && id_or_empty(beat->session_id) &&
       id_or_empty(beat->tab_id));
  must(beat->platform.len <= AU_PLATFORM_MAX && beat->user_agent.len <= AU_USER_AGENT_MAX);
  buffer_init(&out, WIRE_MAX_BODY_BYTES);
  wire_print_presence(&out, beat, 1700000000000);
  must(!out.failed);
  must(wire_parse_presence(buffer_slice(&out), 1700000000000, &back) == AU_OK);
  must(slice_eq(beat->customer_id, back.beat.customer_id));
  must(slice_eq(beat->session_id, back.beat.session_id));
  must(slice_eq(beat->tab_id, back.beat.tab_id));
  must(slice_eq(beat->platform, back.beat.platform));
  must(slice_eq(beat->user_agent, back.beat.user_agent));
  must(beat->is_leader == back.beat.is_leader);
  must(isnan(beat->timestamp) || beat->timestamp == back.beat.timestamp);
  buffer_free(&out);
}

static void check_message(const wire_message *message) {
  if (message->kind == WIRE_AUTH) {
    must(message->who.beat.customer_id.len > 0);
    must((message->who.beat.session_id.len > 0) == (message->who.beat.tab_id.len > 0));
    check_beat(&message->who.beat);
    return;
  }
  must(message->has_timestamp != (bool)isnan(message->timestamp));
  frame *pong = wire_frame_pong(message->timestamp);
  must(pong != NULL);
  frame_unref(pong);
}

static void check_metrics(const au_metrics *metrics) {
  char customer_id[AU_ID_MAX];
  au_metrics back;
  buffer out;

  must(wire_valid_id(metrics->customer_id) && metrics->ema >= 0 && isfinite(metrics->ema));
  buffer_init(&out, WIRE_MAX_MESSAGE_BYTES);
  wire_print_metrics(&out, metrics);
  must(!out.failed);
  must(wire_parse_metrics(buffer_slice(&out), customer_id, &back) == AU_OK);
  must(back.count == metrics->count && back.timestamp_ms == metrics->timestamp_ms);
  must(metrics->ema > UINT32_MAX || fabs(back.ema - metrics->ema) <= 0.00006);
  buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wire_error error;
  if (size == 0) return 0;
  /* In a block that ends with the text, so that ASan sees a byte read too many. */
  char *copy = fuzz_copy(data + 1, size - 1);
  au_slice text = {copy, size - 1};

  switch (data[0] % 8) {
  case 0: {
    wire_beat beat;
    if (!taken(wire_parse_beat(text, &beat, &error), &error)) break;
    must(beat.beat.customer_id.len > 0 && beat.beat.session_id.len > 0 && beat.beat.tab_id.len > 0);
    check_beat(&beat.beat);
    break;
  }
  case 1: {
    wire_message message;
    if (taken(wire_parse_message(text, &message, &error), &error)) check_message(&message);
    break;
  }
  case 2: {
    wire_beat beat;
    if (taken(wire_parse_presence(text, 1700000000000, &beat), NULL)) check_beat(&beat.beat);
    break;
  }
  case 3: {
    char customer_id[AU_ID_MAX];
    au_metrics metrics;
    if (taken(wire_parse_metrics(text, customer_id, &metrics), NULL)) check_metrics(&metrics);
    break;
  }
  case 4: {
    wire_beat beat;
    int64_t grace_ms;
    if (!taken(wire_parse_leave(text, MAX_GRACE_MS, &beat, &grace_ms, &error), &error)) break;
    must(grace_ms >= 0 && grace_ms <= MAX_GRACE_MS);
    check_beat(&beat.beat);
    break;
  }
  case 5: {
    wire_block block;
    if (!taken(wire_parse_block(text, &block, &error), &error)) break;
    must(block.target.len > 0 && block.target.len <= sizeof block.bytes);
    must(block.seconds >= 1 && block.seconds <= WIRE_MAX_BLOCK_S);
    break;
  }
  case 6: {
    wire_token_header header;
    if (taken(wire_parse_token_header(text, &header), NULL))
      must(header.key_id.len <= WIRE_MAX_KEY_ID_BYTES);
    break;
  }
  default: {
    wire_claims claims;
    if (taken(wire_parse_claims(text, &claims), NULL))
      must(id_or_empty(claims.customer_id) && id_or_empty(claims.session_id));
  }
  }
  free(copy);
  return 0;
}
