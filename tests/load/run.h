/* What every mode works with. */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include "dial.h"
#include "meter.h"

enum {
  RUN_PROBLEM_SIZE = 160,
  RUN_PROGRESS_MS = 200,
  RUN_GRACE_MS = 3000, /* how long answers may take when the time is over */
};

typedef struct run {
  uv_loop_t *loop;
  const load_options *options;
  dialer dialer;
  dialer changes; /* to where the joins of fan-outs go */
  meter meter;
  report report;
  bool stopped;        /* by a signal: come to an end, with the figures so far */
  bool shows_progress; /* standard error is a terminal */
  uint64_t failed;     /* requests or sockets */
  uint64_t shown_ns;
  char problem[RUN_PROBLEM_SIZE]; /* the first thing that went wrong */
} run;

/* Each mode runs the loop until it is done and writes its figures to the report. Returns AU_OK,
 * also when requests failed, or what dial returned for the first connection. */
AU_MUST_CHECK au_status requests_run(run *r);
AU_MUST_CHECK au_status sockets_run(run *r);

/* Counts a failure and keeps the first reason. */
void run_failed(run *r, const char *why);

/* Whether it is time to show how far it is; then run_progress does, on one line. */
bool run_shows_now(run *r);
void run_progress(run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
