/* What a seed did, and how it failed. */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins a seed; `verbose` prints each step as it happens. */
void report_begin(uint64_t seed, bool verbose);

/* Notes a step. The last ones are printed with a failure. */
void report_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The seed breaks a rule: prints both and the last steps, and ends the process with status 1. */
_Noreturn void report_failure(const char *rule, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A hash of all that went over the wires, to tell whether two runs were the same. */
void report_mix(const void *bytes, size_t len);
uint64_t report_hash(void);

#endif
