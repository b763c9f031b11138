/* Prints figures. Measures nothing. */
#include "report.h"

static void begin(report *r, const char *key) {
  if (r->json)
    buffer_append_format(&r->out, "%s\"%s\":", r->out.len == 0 ? "{" : ",", key);
  else
    buffer_append_format(&r->out, "%-26s ", key);
}

static void end(report *r) {
  if (!r->json) buffer_append_text(&r->out, "\n");
}

void report_init(report *r, bool json) {
  *r = (report){.json = json};
  buffer_init(&r->out, REPORT_MAX_BYTES);
}

void report_free(report *r) {
  buffer_free(&r->out);
}

void report_text(report *r, const char *key, const char *value) {
  begin(r, key);
  if (r->json) buffer_append_text(&r->out, "\"");
  for (; *value; value++) {
    bool plain = *value >= ' ' && *value < 0x7f && *value != '"' && *value != '\\';
    buffer_append(&r->out, plain ? value : "?", 1);
  }
  if (r->json) buffer_append_text(&r->out, "\"");
  end(r);
}

void report_number(report *r, const char *key, double value, unsigned decimals) {
  begin(r, key);
  buffer_append_format(&r->out, "%.*f", (int)decimals, value);
  end(r);
}

void report_latency(report *r, const char *key, const hist *h) {
  static const struct {
    const char *name;
    double percent;
  } wanted[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}};
  char name[64];
  if (h->count == 0) return;
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    snprintf(name, sizeof name, "%s_%s_ms", key, wanted[i].name);
    report_number(r, name, (double)hist_percentile(h, wanted[i].percent) / 1e6, 3);
  }
  snprintf(name, sizeof name, "%s_max_ms", key);
  report_number(r, name, (double)h->max / 1e6, 3);
}

void report_print(report *r, FILE *to) {
  if (r->json) buffer_append_text(&r->out, r->out.len == 0 ? "{}\n" : "}\n");
  fwrite(r->out.ptr, 1, r->out.len, to);
}
