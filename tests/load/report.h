/* What is printed: named figures, as lines of text or as one JSON object. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include "hist.h"
#include "utils/buffer.h"

#include <stdio.h>

enum { REPORT_MAX_BYTES = 16 << 10 };

typedef struct report {
  buffer out;
  bool json;
} report;

void report_init(report *r, bool json);
void report_free(report *r);

/* Quotes, backslashes and control characters become question marks. */
void report_text(report *r, const char *key, const char *value);
void report_number(report *r, const char *key, double value, unsigned decimals);

/* `key`_p50_ms, _p90_ms, _p99_ms and _max_ms of nanoseconds; nothing when it is empty. */
void report_latency(report *r, const char *key, const hist *h);

void report_print(report *r, FILE *to);

#endif
