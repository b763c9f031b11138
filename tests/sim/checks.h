/* Rules about the whole world; those about single answers are in spy.c and model*.c. */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "instance.h"

/* Notes memory and descriptors; checks_end compares. */
void checks_begin(void);
void checks_end(void);

/* After every step. */
void check_step(instance *const *daemons, int count);

/* All faults are over for long, and somebody is not well. */
void check_unwell(instance *const *daemons, int count);

/* Before and after a few intervals in which nobody comes or goes and nothing is wrong. */
void check_begin_quiet(instance *const *daemons, int count);
void check_end_quiet(instance *const *daemons, int count);

#endif
