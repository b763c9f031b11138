/* Prints the table of stats.h. */
#include "prometheus.h"

#include "utils/process_figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- which format ------------------------------------------------------------------ */

const char *prometheus_content_type(prometheus_format format) {
  return format == PROMETHEUS_OPENMETRICS
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

/* The weight of a media range in thousandths, by its parameter q (RFC 9110, 12.4.2). */
static int weight_of(au_slice parameters) {
  au_slice one;
  while (slice_next(&parameters, ';', &one)) {
    one = slice_trim(one);
    if (one.len < 3 || slice_lower(one.ptr[0]) != 'q' || one.ptr[1] != '=') continue;
    int weight = one.ptr[2] == '1' ? 1000 : 0, unit = 100;
    for (size_t i = 4; i < one.len && one.ptr[i] >= '0' && one.ptr[i] <= '9'; i++, unit /= 10)
      weight += (one.ptr[i] - '0') * unit;
    return weight;
  }
  return 1000;
}

prometheus_format prometheus_format_of(au_slice accept) {
  int text = 0, open_metrics = 0;
  au_slice range, type;
  while (slice_next(&accept, ',', &range)) {
    if (!slice_next(&range, ';', &type)) continue;
    type = slice_trim(type);
    int weight = weight_of(range);
    if (slice_eq_nocase(type, slice_of("application/openmetrics-text")) && weight > open_metrics)
      open_metrics = weight;
    if (slice_eq_nocase(type, slice_of("text/plain")) && weight > text) text = weight;
  }
  return open_metrics > 0 && open_metrics >= text ? PROMETHEUS_OPENMETRICS : PROMETHEUS_TEXT;
}

/* ---- printing ---------------------------------------------------------------------- */

typedef struct page {
  buffer *out;
  prometheus_format format;
  const char *family; /* of the rows printed last */
} page;

static const char *type_of(stats_kind kind) {
  return kind < STATS_GAUGE ? "counter" : "gauge";
}

/* In OpenMetrics a family of counters is named without the ending of its samples. */
static void begin_family(page *p, const char *name, const char *type, const char *help) {
  if (p->family && strcmp(p->family, name) == 0) return;
  p->family = name;
  static const char total[] = "_total";
  size_t len = strlen(name), ending = sizeof total - 1;
  if (p->format == PROMETHEUS_OPENMETRICS && len > ending &&
      strcmp(name + len - ending, total) == 0)
    len -= ending;
  buffer_append_format(p->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, name, help, (int)len,
                       name, type);
}

/* Microseconds as seconds. By hand: printf has the decimal point of its locale. */
static void append_seconds(buffer *out, uint64_t us) {
  buffer_append_number(out, us / 1000000);
  uint64_t rest = us % 1000000;
  if (rest == 0) return;
  char digits[7] = ".000000";
  size_t len = sizeof digits;
  for (size_t i = len - 1; i > 0; i--, rest /= 10) digits[i] = (char)('0' + rest % 10);
  while (digits[len - 1] == '0') len--;
  buffer_append(out, digits, len);
}

static void append_value(buffer *out, stats_kind kind, uint64_t value) {
  if (kind == STATS_COUNTER_MS || kind == STATS_GAUGE_MS)
    append_seconds(out, value * 1000);
  else if (kind == STATS_COUNTER_US || kind == STATS_GAUGE_US)
    append_seconds(out, value);
  else
    buffer_append_number(out, value);
}

static void print_row(page *p, stats_kind kind, const char *name, const char *labels,
                      const char *help, uint64_t value) {
  begin_family(p, name, type_of(kind), help);
  buffer_append_text(p->out, name);
  if (labels[0]) buffer_append_format(p->out, "{%s}", labels);
  buffer_append_text(p->out, " ");
  append_value(p->out, kind, value);
  buffer_append_text(p->out, "\n");
}

/* label  as `route="beat"`, or "". */
static void print_histogram(page *p, const char *name, const char *label,
                            const stats_histogram *h) {
  uint64_t count = 0;
  const char *comma = label[0] ? "," : "";
  for (unsigned i = 0; i <= STATS_BUCKETS; i++) {
    count += h->counts[i];
    buffer_append_format(p->out, "%s_bucket{%s%sle=\"", name, label, comma);
    if (i < STATS_BUCKETS)
      append_seconds(p->out, stats_bucket_us(i));
    else
      buffer_append_text(p->out, "+Inf");
    buffer_append_text(p->out, "\"} ");
    buffer_append_number(p->out, count);
    buffer_append_text(p->out, "\n");
  }
  char labels[40] = "";
  if (label[0]) snprintf(labels, sizeof labels, "{%s}", label);
  buffer_append_format(p->out, "%s_sum%s ", name, labels);
  append_seconds(p->out, h->sum_us);
  buffer_append_format(p->out, "\n%s_count%s ", name, labels);
  buffer_append_number(p->out, count);
  buffer_append_text(p->out, "\n");
}

static bool is_empty(const stats_histogram *h) {
  static const stats_histogram empty;
  return memcmp(h->counts, empty.counts, sizeof empty.counts) == 0;
}

/* Histograms of a list, without those that have nothing. */
static void print_list(page *p, const char *name, const char *help, const char *const labels[],
                       const stats_histogram *h, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (is_empty(&h[i])) continue;
    begin_family(p, name, "histogram", help);
    print_histogram(p, name, labels[i], &h[i]);
  }
}

static const char *const routes[] = {
#define LABEL(id, label) "route=\"" label "\"",
    STATS_ROUTES(LABEL)
#undef LABEL
};

static const char *const store_ops[] = {
#define LABEL(id, label) "operation=\"" label "\"",
    STATS_STORE_OPS(LABEL)
#undef LABEL
};

static void print_responses(page *p, const stats *counters) {
  for (size_t route = 0; route < STATS_ROUTE_COUNT; route++)
    for (size_t i = 0; i < STATS_CODE_MAX; i++) {
      char labels[48];
      if (counters->responses[route][i] == 0) continue;
      snprintf(labels, sizeof labels, "%s,code=\"%u\"", routes[route],
               (unsigned)counters->codes[i]);
      print_row(p, STATS_COUNTER, STATS_RESPONSES_NAME, labels, STATS_RESPONSES_HELP,
                counters->responses[route][i]);
    }
}

static void print_store_ops(page *p, const stats *counters) {
  print_list(p, STATS_STORE_NAME, STATS_STORE_HELP, store_ops, counters->store_ops,
             STATS_STORE_OP_COUNT);
  for (size_t i = 0; i < STATS_STORE_OP_COUNT; i++)
    if (!is_empty(&counters->store_ops[i]))
      print_row(p, STATS_COUNTER, STATS_STORE_ERRORS_NAME, store_ops[i], STATS_STORE_ERRORS_HELP,
                counters->store_op_errors[i]);
}

void prometheus_refresh(stats *counters, const au_store_health *store, int64_t uptime_ms) {
  process_figures process;
  process_figures_read(&process, counters->http_connections + counters->ws_sockets);
  counters->uptime_ms = (uint64_t)uptime_ms;
  counters->store_acknowledges = store->ever_up;
  counters->store_available = store->ever_up && store->reason[0] == '\0';
  counters->store_degraded_ms = (uint64_t)store->degraded_ms;
  counters->store_in_flight = store->in_flight;
  counters->hints = store->hints;
  counters->sessions = store->sessions;
  counters->customers = store->customers;
  counters->cpu_us = process.cpu_us;
  counters->resident_bytes = process.resident_bytes;
  counters->open_fds = process.open_fds;
  counters->max_fds = process.max_fds;
}

static void print_customer(page *p, const char *name, au_slice id) {
  buffer_append_text(p->out, name);
  buffer_append_text(p->out, "{customer=\"");
  buffer_append_slice(p->out, id); /* an id has nothing that needs an escape */
  buffer_append_text(p->out, "\"} ");
}

static void print_count(page *p, au_slice id, const top_customer *c) {
  print_customer(p, STATS_CUSTOMER_NAME, id);
  buffer_append_number(p->out, c->count);
  buffer_append_text(p->out, "\n");
}

/* With four decimals at most, as everywhere. */
static void print_ema(page *p, au_slice id, const top_customer *c) {
  print_customer(p, STATS_CUSTOMER_EMA_NAME, id);
  append_seconds(p->out, (uint64_t)llround(c->ema * 1e4) * 100);
  buffer_append_text(p->out, "\n");
}

static void print_customers(page *p, const top_customers *top) {
  static void (*const prints[])(page *, au_slice, const top_customer *) = {print_count, print_ema};
  size_t n;
  top_customer others;
  const top_customer *list = top_customers_list(top, &n, &others);
  for (size_t i = 0; i < 2; i++) {
    begin_family(p, i == 0 ? STATS_CUSTOMER_NAME : STATS_CUSTOMER_EMA_NAME, "gauge",
                 i == 0 ? STATS_CUSTOMER_HELP : STATS_CUSTOMER_EMA_HELP);
    for (size_t k = 0; k < n; k++) prints[i](p, (au_slice){list[k].id, list[k].id_len}, &list[k]);
    prints[i](p, slice_of(TOP_CUSTOMERS_OTHER), &others);
  }
}

void prometheus_print(buffer *out, const stats *counters, const top_customers *top,
                      const char *store_name, prometheus_format format) {
  page p = {out, format, NULL};
  begin_family(&p, STATS_BUILD_NAME, "gauge", STATS_BUILD_HELP);
  buffer_append_format(out, STATS_BUILD_NAME "{version=\"" AU_VERSION "\",store=\"%s\"} 1\n",
                       store_name);
#define PRINT(field, kind, name, labels, help) \
  print_row(&p, STATS_##kind, name, labels, help, counters->field);
  STATS_TABLE(PRINT)
#undef PRINT
#define PRINT(field, name, help)             \
  begin_family(&p, name, "histogram", help); \
  print_histogram(&p, name, "", &counters->field);
  STATS_HISTOGRAMS(PRINT)
#undef PRINT
  print_list(&p, STATS_REQUEST_NAME, STATS_REQUEST_HELP, routes, counters->requests,
             STATS_ROUTE_COUNT);
  print_responses(&p, counters);
  print_store_ops(&p, counters);
  if (top) print_customers(&p, top);
  if (format == PROMETHEUS_OPENMETRICS) buffer_append_text(out, "# EOF\n");
}
