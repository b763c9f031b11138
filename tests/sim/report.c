/* Keeps the last steps of a seed for the case that it fails. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { LAST = 12, LINE = 160 };

static struct {
  uint64_t seed, hash, steps;
  bool verbose;
  char last[LAST][LINE];
} now;

void report_begin(uint64_t seed, bool verbose) {
  memset(&now, 0, sizeof now);
  now.seed = seed;
  now.verbose = verbose;
  now.hash = 0xcbf29ce484222325u;
}

void report_step(const char *format, ...) {
  char *line = now.last[now.steps++ % LAST];
  int n = snprintf(line, LINE, "%6lld ms  ", (long long)sim_ms());
  va_list args;
  va_start(args, format);
  vsnprintf(line + n, LINE - (size_t)n, format, args);
  va_end(args);
  report_mix(line, strlen(line));
  if (now.verbose) fprintf(stderr, "%s\n", line);
}

void report_failure(const char *rule, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "seed %llu failed at %lld ms, step %llu: %s\n  ", (unsigned long long)now.seed,
          (long long)sim_ms(), (unsigned long long)now.steps, rule);
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  va_end(args);
  if (!now.verbose)
    for (uint64_t i = now.steps > LAST ? now.steps - LAST : 0; i < now.steps; i++)
      fprintf(stderr, "  %s\n", now.last[i % LAST]);
  fprintf(stderr, "  again: SEED=%llu make sim (VERBOSE=1 prints all steps)\n",
          (unsigned long long)now.seed);
  fflush(stderr);
  _exit(1);
}

void report_mix(const void *bytes, size_t len) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < len; i++) now.hash = (now.hash ^ at[i]) * 0x100000001b3u;
}

uint64_t report_hash(void) {
  return now.hash;
}
