/* The command line of au-load: one table gives the flag, its range, its default and its help. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include "target.h"

#include <stdio.h>

typedef enum load_mode {
  LOAD_BEAT,
  LOAD_JOIN,
  LOAD_CHURN,
  LOAD_METRICS,
  LOAD_HEALTH,
  LOAD_SOCKETS,
  LOAD_STORM,
} load_mode;

/* Every loop has an end, in count and in time. */
enum {
  LOAD_MAX_CONNECTIONS = 10000,
  LOAD_MAX_REQUESTS = 100000000,
  LOAD_MAX_SOCKETS = 1000000,
  LOAD_MAX_FANOUTS = 10000,
  LOAD_MAX_DURATION_S = 3600,
  LOAD_MAX_PIDS = 4,
  LOAD_PREFIX_MAX = 32,
  LOAD_PAGE_MAX = 256,
};

typedef struct load_options {
  load_mode mode;
  const char *mode_name;
  const char *target_text;
  target target;
  const char *change_text;
  target change_target; /* the target itself where change_text is "" */
  uint32_t connections; /* under way at once */
  uint32_t requests;    /* 0: until the time is over */
  uint32_t duration_s;
  uint32_t rate; /* requests a second in all; 0: each as soon as the last is answered */
  uint32_t customers, sessions, first;
  uint32_t sockets, fanouts, pause_ms, hold_ms;
  const char *prefix, *page;
  const char *pid_list; /* as given */
  int pids[LOAD_MAX_PIDS];
  unsigned pid_count;
  bool no_auth, watch, stream, json;
} load_options;

enum { LOAD_PROBLEM_SIZE = 256 };

typedef enum load_action { LOAD_RUN, LOAD_HELP, LOAD_VERSION } load_action;

/* Texts in `out` are borrowed from argv. Returns AU_OK, or AU_EINVAL and one line in `problem`. */
AU_MUST_CHECK au_status load_parse(int argc, char *const *argv, load_options *out,
                                   load_action *action, char problem[LOAD_PROBLEM_SIZE]);

void load_print_help(FILE *to);

#endif
