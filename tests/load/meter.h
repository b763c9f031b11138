/* CPU time and memory of the servers under load, between a start and a stop. */
#ifndef LOAD_METER_H
#define LOAD_METER_H

#include "load_options.h"
#include "report.h"

/* How long to wait before meter_stop: the kernel accounts a process that still runs at its next
 * clock tick only, one that sleeps at once. */
enum { METER_SETTLE_MS = 20 };

typedef struct meter {
  const load_options *options;
  uint64_t cpu_from_ns[LOAD_MAX_PIDS], cpu_ns[LOAD_MAX_PIDS];
  uint64_t rss_from[LOAD_MAX_PIDS], rss_to[LOAD_MAX_PIDS];
  bool lost; /* a process was gone: its figures are not reported */
} meter;

/* Looks at each process once. AU_EINVAL when one of them does not exist. */
AU_MUST_CHECK au_status meter_init(meter *m, const load_options *o);

/* Several windows add up. */
void meter_start(meter *m);
void meter_stop(meter *m);

/* cpu_us_per_`unit`, cpu_us_per_`unit`_2 … for each process, of `count` units. */
void meter_report_cpu(const meter *m, report *r, const char *unit, uint64_t count);

/* Looks at the memory, for meter_report_memory. */
void meter_weigh(meter *m);

/* rss_bytes, and rss_bytes_per_`unit`: what was added from meter_init to meter_weigh. */
void meter_report_memory(const meter *m, report *r, const char *unit, uint64_t count);

#endif
