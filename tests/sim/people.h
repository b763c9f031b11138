/* The people: each has a session, comes, stays, leaves, vanishes, and comes back by another
 * daemon. One operation of a session at a time, or several of one tab at one daemon. */
#ifndef SIM_PEOPLE_H
#define SIM_PEOPLE_H

#include "instance.h"

typedef struct crowd {
  instance *const *daemons; /* borrowed; NULL or stopping: not there */
  int places;
} crowd;

void people_begin(uint64_t seed, const crowd *all);
/* Acts that are due. */
void people_step(void);
int64_t people_next_ms(void);
/* From now on nobody comes or goes: who is there stays. */
void people_calm_down(void);
/* A daemon is about to stop: its sockets are closed. */
void people_leave_daemon(const instance *d);

#endif
