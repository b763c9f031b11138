/* Prints the table of metrics of docs/reference/metrics.md: from stats.h, with the alerts of a file
 * of rules that go by each. */
#include "stats.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_ALERTS = 64, NAME_BYTES = 80, LINE_BYTES = 1024 };

typedef struct alert {
  char name[NAME_BYTES];
  char expr[LINE_BYTES];
} alert;

static alert alerts[MAX_ALERTS];
static size_t alert_count;

static void read_alerts(FILE *file) {
  char line[LINE_BYTES];
  while (fgets(line, sizeof line, file)) {
    const char *name = strstr(line, "- alert: "), *expr = strstr(line, "expr: ");
    if (name && alert_count < MAX_ALERTS)
      (void)sscanf(name, "- alert: %79s", alerts[alert_count++].name);
    if (expr && alert_count > 0)
      (void)snprintf(alerts[alert_count - 1].expr, LINE_BYTES, "%s", expr);
  }
}

/* Whether an expression has a metric, or a part of a histogram. */
static bool uses(const char *expr, const char *metric) {
  size_t len = strlen(metric);
  for (const char *at = expr; (at = strstr(at, metric)) != NULL; at += len) {
    bool begins = at == expr || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
    const char *end = at + len;
    if (strncmp(end, "_bucket", 7) == 0) end += 7;
    if (begins && !isalnum((unsigned char)*end) && *end != '_') return true;
  }
  return false;
}

static const char *last = "";

static void row(const char *name, const char *type, const char *labels, const char *help) {
  if (strcmp(name, last) == 0) return;
  last = name;
  printf("| `%s` | %s | ", name, type);
  for (const char *c = labels; *c && *c != '='; c++) putchar(*c);
  printf(" | %s |", help);
  for (size_t i = 0; i < alert_count; i++)
    if (uses(alerts[i].expr, name)) printf(" `%s`", alerts[i].name);
  puts(" |");
}

int main(int argc, char **argv) {
  FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
  if (!file) return 2;
  read_alerts(file);
  (void)fclose(file);
  puts("<!-- metrics: written by make docs -->");
  puts("| metric | type | by | what it is | alerts |");
  puts("|---|---|---|---|---|");
  row(STATS_BUILD_NAME, "gauge", "version, store", STATS_BUILD_HELP);
#define ROW(field, kind, name, labels, help) \
  row(name, STATS_##kind < STATS_GAUGE ? "counter" : "gauge", labels, help);
  STATS_TABLE(ROW)
#undef ROW
#define ROW(field, name, help) row(name, "histogram", "", help);
  STATS_HISTOGRAMS(ROW)
#undef ROW
  row(STATS_REQUEST_NAME, "histogram", "route", STATS_REQUEST_HELP);
  row(STATS_RESPONSES_NAME, "counter", "route, code", STATS_RESPONSES_HELP);
  row(STATS_STORE_NAME, "histogram", "operation", STATS_STORE_HELP);
  row(STATS_STORE_ERRORS_NAME, "counter", "operation", STATS_STORE_ERRORS_HELP);
  row(STATS_CUSTOMER_NAME, "gauge", "customer", STATS_CUSTOMER_HELP);
  row(STATS_CUSTOMER_EMA_NAME, "gauge", "customer", STATS_CUSTOMER_EMA_HELP);
  puts("<!-- end of metrics -->");
  return 0;
}
