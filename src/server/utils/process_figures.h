/* What the process uses of the system, as the kernel counts it. */
#ifndef UTILS_PROCESS_FIGURES_H
#define UTILS_PROCESS_FIGURES_H

#include <stdint.h>

typedef struct process_figures {
  uint64_t cpu_us; /* user and system time */
  uint64_t resident_bytes;
  uint64_t open_fds, max_fds;
} process_figures;

enum { PROCESS_FIGURES_WALK_MAX = 4096 }; /* descriptors that are counted one by one */

/* connections  descriptors that the caller knows to be open. Older kernels tell the number of
 *              descriptors only by a walk over them: with more than PROCESS_FIGURES_WALK_MAX
 *              connections it is taken to be theirs, for the walk would hold the loop.
 * What cannot be read is 0. */
void process_figures_read(process_figures *out, uint64_t connections);

#endif
