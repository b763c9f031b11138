/* Throws bytes at every parser of wire.h, and prints what they took. A libFuzzer
 * entry point, needs no corpus:
 *
 *   clang -std=c11 -g -O1 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -Iinclude \
 *     -Isrc/server tests/fuzz/fuzz_wire.c src/server/wire*.c \
 *     src/server/utils/{buffer,frame}.c -lcjson -lm -o build/fuzz_wire
 *   build/fuzz_wire -max_len=1000 -max_total_time=60
 *
 * The first byte picks the parser, the rest is its text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
  if (!ok) abort();
}

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
  must(wire_parse_presence(buffer_slice(&out), &back) == AU_OK);
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
  char *copy = malloc(size - 1);
  must(copy != NULL || size == 1);
  if (size > 1) memcpy(copy, data + 1, size - 1);
  au_slice text = {copy, size - 1};

  switch (data[0] % 4) {
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
    if (taken(wire_parse_presence(text, &beat), NULL)) check_beat(&beat.beat);
    break;
  }
  default: {
    char customer_id[AU_ID_MAX];
    au_metrics metrics;
    if (taken(wire_parse_metrics(text, customer_id, &metrics), NULL)) check_metrics(&metrics);
  }
  }
  free(copy);
  return 0;
}
