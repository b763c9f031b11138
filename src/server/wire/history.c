/* Prints points, by hand: there are many. */
#include "history.h"

#include "wire.h"

/* At most 2 decimals, and no locale has a say. */
static void print_average(buffer *out, double value) {
  uint64_t hundredths = value > 0 ? (uint64_t)(value * 100 + 0.5) : 0;
  unsigned rest = (unsigned)(hundredths % 100);
  buffer_append_number(out, hundredths / 100);
  if (rest == 0) return;
  const char digits[] = {'.', (char)('0' + rest / 10), (char)('0' + rest % 10)};
  buffer_append(out, digits, rest % 10 == 0 ? 2 : 3);
}

static void print_values(buffer *out, const au_history_point *p) {
  buffer_append_number(out, (uint64_t)p->timestamp_ms);
  buffer_append(out, ",", 1);
  buffer_append_number(out, p->min);
  buffer_append(out, ",", 1);
  print_average(out, p->mean);
  buffer_append(out, ",", 1);
  buffer_append_number(out, p->max);
  buffer_append(out, ",", 1);
  print_average(out, p->ema);
}

static void print_field(buffer *out, const char *name, uint64_t value) {
  buffer_append_text(out, ",\"");
  buffer_append_text(out, name);
  buffer_append_text(out, "\":");
  buffer_append_number(out, value);
}

void wire_print_history(buffer *out, const wire_history *h) {
  buffer_append_text(out, "{\"customerId\":");
  wire_print_string(out, h->customer_id);
  print_field(out, "from", (uint64_t)h->from_ms);
  print_field(out, "to", (uint64_t)h->to_ms);
  print_field(out, "step", (uint64_t)h->step_ms);
  print_field(out, "peakToday", h->peaks.today);
  print_field(out, "peak", h->peaks.ever);
  print_field(out, "uniqueToday", h->unique_today);
  print_field(out, "unique7d", h->unique_week);
  buffer_append_text(out,
                     ",\"columns\":[\"timestamp\",\"min\",\"mean\",\"max\",\"ema\"],\"points\":[");
  for (size_t i = 0; i < h->count; i++) {
    buffer_append_text(out, i == 0 ? "[" : ",[");
    print_values(out, &h->points[i]);
    buffer_append(out, "]", 1);
  }
  buffer_append_text(out, "]}");
}

void wire_print_history_csv(buffer *out, const wire_history *h) {
  buffer_append_text(out, "timestamp,min,mean,max,ema\r\n");
  for (size_t i = 0; i < h->count; i++) {
    print_values(out, &h->points[i]);
    buffer_append_text(out, "\r\n");
  }
}
