/* What a process on this machine has used so far. */
#ifndef LOAD_PROC_H
#define LOAD_PROC_H

#include <active_users/types.h>

/* Processor time of all threads, user and system, in nanoseconds. Linux tells it for any
 * process, finer than the hundredths of a second of /proc/PID/stat.
 * Returns AU_OK, or AU_EINVAL: no such process. */
AU_MUST_CHECK au_status proc_cpu_ns(int pid, uint64_t *out);

/* Resident memory in bytes (VmRSS). Returns AU_OK, or AU_EINVAL: no such process. */
AU_MUST_CHECK au_status proc_rss_bytes(int pid, uint64_t *out);

#endif
