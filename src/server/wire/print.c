/* Prints JSON: every answer and frame of the contract, and the values stored in Redis. Prints by
 * itself, without cJSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

enum {
  /* Of a frame; the longest is an error whose sentence is all escapes. */
  FRAME_MAX_BYTES = WIRE_MAX_MESSAGE_BYTES,
};

void wire_print_string(buffer *out, au_slice s) {
  size_t plain = 0; /* where the bytes begin that need no escape and are not yet out */
  buffer_append(out, "\"", 1);
  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.ptr[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    if (i > plain) buffer_append(out, s.ptr + plain, i - plain);
    plain = i + 1;
    if (c == '"' || c == '\\') {
      buffer_append(out, (const char[]){'\\', (char)c}, 2);
    } else {
      buffer_append_format(out, "\\u%04x", (unsigned)c);
    }
  }
  if (s.len > plain) buffer_append(out, s.ptr + plain, s.len - plain);
  buffer_append(out, "\"", 1);
}

static void print_whole(buffer *out, int64_t value) {
  if (value < 0) buffer_append_text(out, "-");
  buffer_append_number(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void wire_print_number(buffer *out, double value) {
  char text[40];

  if (!isfinite(value)) value = 0; /* neither JSON nor Redis's readers know another word */
  if (fabs(value) <= 9007199254740992.0 && value == floor(value)) {
    print_whole(out, (int64_t)value);
    return;
  }
  for (int digits = 15; digits <= 17; digits++) {
    (void)snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  /* An embedder may have set a locale whose decimal point is another, and may take
   * more than one byte. */
  size_t len = 0;
  for (size_t i = 0; text[i] != '\0'; i++) {
    char c = text[i];
    bool ours = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == 'e';
    if (!ours && len > 0 && text[len - 1] == '.') continue;
    text[len++] = ours ? c : '.';
  }
  buffer_append(out, text, len);
}

/* Never an exponent. By hand, for it is in every frame and no
 * locale may have a say. */
void wire_print_ema(buffer *out, double ema) {
  if (!(ema > 0) || !isfinite(ema)) ema = 0;
  if (ema > UINT32_MAX) ema = UINT32_MAX; /* no average of counts is higher */
  uint64_t scaled = (uint64_t)(ema * 10000 + 0.5);
  unsigned fraction = (unsigned)(scaled % 10000);
  int decimals = 4;

  buffer_append_number(out, scaled / 10000);
  if (fraction == 0) return;
  for (; fraction % 10 == 0; fraction /= 10) decimals--;
  buffer_append_format(out, ".%0*u", decimals, fraction);
}

#define METRICS_BEGIN "{\"timestamp\":"

void wire_print_metrics(buffer *out, const au_metrics *metrics) {
  buffer_append_text(out, METRICS_BEGIN);
  print_whole(out, metrics->timestamp_ms);
  buffer_append_text(out, ",\"count\":");
  buffer_append_number(out, metrics->count);
  buffer_append_text(out, ",\"ema\":");
  wire_print_ema(out, metrics->ema);
  buffer_append_text(out, ",\"customerId\":");
  wire_print_string(out, metrics->customer_id);
  if (metrics->bots > 0) {
    buffer_append_text(out, ",\"bots\":");
    buffer_append_number(out, metrics->bots);
  }
  if (metrics->has_peaks) {
    buffer_append_text(out, ",\"peakToday\":");
    buffer_append_number(out, metrics->peak_today);
    buffer_append_text(out, ",\"peak\":");
    buffer_append_number(out, metrics->peak);
  }
  if (metrics->has_visible) {
    buffer_append_text(out, ",\"visible\":");
    buffer_append_number(out, metrics->visible);
  }
  buffer_append_text(out, metrics->stale ? ",\"stale\":true}" : "}");
}

void wire_print_page_metrics(buffer *out, const au_metrics *metrics, au_slice page,
                             uint32_t count) {
  wire_print_metrics(out, metrics);
  if (out->failed) return;
  out->len--; /* its brace */
  buffer_append_text(out, ",\"page\":");
  wire_print_string(out, page);
  buffer_append_text(out, ",\"pageCount\":");
  buffer_append_number(out, count);
  buffer_append_text(out, "}");
}

static void print_token_left(buffer *out, int64_t left_ms) {
  if (left_ms < 0) return;
  buffer_append_text(out, ",\"tokenExpiresInMs\":");
  print_whole(out, left_ms);
}

void wire_print_success(buffer *out, int64_t token_left_ms, const au_metrics *metrics) {
  buffer_append_text(out, "{\"success\":true");
  print_token_left(out, token_left_ms);
  if (metrics) {
    buffer_append_text(out, ",\"metrics\":");
    wire_print_metrics(out, metrics);
  }
  buffer_append_text(out, "}");
}

void wire_print_optional(buffer *out, const char *name, au_slice value) {
  if (value.len == 0) return;
  buffer_append_text(out, ",\"");
  buffer_append_text(out, name);
  buffer_append_text(out, "\":");
  wire_print_string(out, value);
}

static au_slice text_or_empty(const char *text) {
  return slice_of(text ? text : "");
}

void wire_print_error(buffer *out, const char *error, const char *message, const char *field,
                      const char *blocked_by) {
  buffer_append_text(out, "{\"error\":");
  wire_print_string(out, slice_of(error));
  buffer_append_text(out, ",\"message\":");
  wire_print_string(out, slice_of(message));
  wire_print_optional(out, "field", text_or_empty(field));
  wire_print_optional(out, "blockedBy", text_or_empty(blocked_by));
  buffer_append_text(out, "}");
}

void wire_print_seen(buffer *out, const au_beat *beat) {
  if (beat->page.len > 0) {
    buffer_append_text(out, ",\"page\":");
    wire_print_string(out, beat->page);
  }
  if (beat->visibility != AU_VISIBILITY_UNKNOWN)
    buffer_append_text(out, beat->visibility == AU_VISIBILITY_VISIBLE ? ",\"visible\":true"
                                                                      : ",\"visible\":false");
}

void wire_print_presence(buffer *out, const au_beat *beat, int64_t updated_at_ms) {
  buffer_append_text(out, "{\"customerId\":");
  wire_print_string(out, beat->customer_id);
  buffer_append_text(out, ",\"sessionId\":");
  wire_print_string(out, beat->session_id);
  buffer_append_text(out, ",\"tabId\":");
  wire_print_string(out, beat->tab_id);
  buffer_append_text(out, ",\"timestamp\":");
  if (isfinite(beat->timestamp))
    wire_print_number(out, beat->timestamp);
  else
    print_whole(out, updated_at_ms);
  buffer_append_text(out, beat->is_leader ? ",\"isLeader\":true" : ",\"isLeader\":false");
  wire_print_optional(out, "platform", beat->platform);
  wire_print_optional(out, "userAgent", beat->user_agent);
  if (beat->visitor == AU_VISITOR_BOT) buffer_append_text(out, ",\"bot\":true");
  if (beat->visitor == AU_VISITOR_PENDING) {
    buffer_append_text(out, ",\"pendingSince\":");
    print_whole(out, updated_at_ms - beat->pending_ms);
  }
  wire_print_seen(out, beat);
  buffer_append_text(out, ",\"updatedAt\":");
  print_whole(out, updated_at_ms);
  buffer_append_text(out, "}");
}

/* Frees `text`. */
static frame *frame_of(buffer *text) {
  frame *f = text->failed ? NULL : frame_create(buffer_slice(text));
  buffer_free(text);
  return f;
}

frame *wire_frame_hello(int64_t timestamp_ms, au_slice session_id, int64_t token_left_ms) {
  buffer text;
  buffer_init(&text, FRAME_MAX_BYTES);
  buffer_append_text(&text, "{\"type\":\"hello\",\"timestamp\":");
  print_whole(&text, timestamp_ms);
  wire_print_optional(&text, "sessionId", session_id);
  print_token_left(&text, token_left_ms);
  buffer_append_text(&text, "}");
  return frame_of(&text);
}

frame *wire_frame_pong(double timestamp) {
  buffer text;
  buffer_init(&text, FRAME_MAX_BYTES);
  buffer_append_text(&text, "{\"type\":\"pong\",\"timestamp\":");
  wire_print_number(&text, timestamp);
  buffer_append_text(&text, "}");
  return frame_of(&text);
}

frame *wire_frame_error(const char *message) {
  buffer text;
  buffer_init(&text, FRAME_MAX_BYTES);
  buffer_append_text(&text, "{\"type\":\"error\",\"message\":");
  wire_print_string(&text, slice_of(message));
  buffer_append_text(&text, "}");
  return frame_of(&text);
}

#define UPDATE_BEGIN "{\"type\":\"metrics:update\",\"data\":"

frame *wire_frame_update(const au_metrics *metrics) {
  buffer text;
  buffer_init(&text, FRAME_MAX_BYTES);
  buffer_append_text(&text, UPDATE_BEGIN);
  wire_print_metrics(&text, metrics);
  buffer_append_text(&text, "}");
  return frame_of(&text);
}

frame *wire_frame_event(au_slice update) {
  size_t begin = sizeof UPDATE_BEGIN - 1, id = begin + sizeof METRICS_BEGIN - 1, id_len = 0;
  while (update.ptr[id + id_len] != ',') id_len++;
  buffer text;
  buffer_init(&text, FRAME_MAX_BYTES);
  buffer_append_text(&text, "id: ");
  buffer_append(&text, update.ptr + id, id_len);
  buffer_append_text(&text, "\ndata: ");
  buffer_append(&text, update.ptr + begin, update.len - begin - 1);
  buffer_append_text(&text, "\n\n");
  return frame_of(&text);
}
