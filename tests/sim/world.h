/* One seed: builds a world, lets it run, and checks the rules. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

/* Before the first seed of a process. */
void world_warm_up(void);

/* Ends the process with a report when a rule is broken. Returns a hash of all that happened:
 * the same for the same seed. */
uint64_t world_run(uint64_t seed, bool verbose);

#endif
