/* Reads the kernel's accounts. Must not know whose process it is. */
#include "proc.h"

#include <stdio.h>
#include <time.h>

au_status proc_cpu_ns(int pid, uint64_t *out) {
  clockid_t clock;
  struct timespec used;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return AU_EINVAL;
  *out = (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
  return AU_OK;
}

au_status proc_rss_bytes(int pid, uint64_t *out) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "re");
  if (!file) return AU_EINVAL;
  unsigned long long kb = 0;
  bool found = false;
  while (!found && fgets(line, sizeof line, file))
    found = sscanf(line, "VmRSS: %llu kB", &kb) == 1; // NOLINT(cert-err34-c): the kernel's own text
  fclose(file);
  *out = kb * 1024;
  return found ? AU_OK : AU_EINVAL;
}
