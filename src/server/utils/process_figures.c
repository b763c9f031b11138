/* Reads /proc/self and the process's limits. */
#include "process_figures.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t resident_bytes(void) {
  char line[128]; /* pages by blanks: of the whole process, those in memory, and others */
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file) return 0;
  const char *blank = fgets(line, sizeof line, file) ? strchr(line, ' ') : NULL;
  uint64_t resident = blank ? strtoull(blank, NULL, 10) : 0;
  (void)fclose(file);
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t walk_fds(void) {
  uint64_t n = 0;
  DIR *folder = opendir("/proc/self/fd");
  if (!folder) return 0;
  for (const struct dirent *d; (d = readdir(folder)) != NULL;)
    if (d->d_name[0] != '.') n++;
  (void)closedir(folder);
  return n > 0 ? n - 1 : 0; /* without the walk's own */
}

/* Since Linux 6.2 the size of the folder is the number of descriptors. */
static uint64_t open_fds(uint64_t connections) {
  struct stat folder;
  if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) return (uint64_t)folder.st_size;
  return connections > PROCESS_FIGURES_WALK_MAX ? connections : walk_fds();
}

static uint64_t micros(struct timeval t) {
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

void process_figures_read(process_figures *out, uint64_t connections) {
  struct rusage used;
  struct rlimit fds;
  *out = (process_figures){.resident_bytes = resident_bytes(), .open_fds = open_fds(connections)};
  if (getrusage(RUSAGE_SELF, &used) == 0)
    out->cpu_us = micros(used.ru_utime) + micros(used.ru_stime);
  if (getrlimit(RLIMIT_NOFILE, &fds) == 0) out->max_fds = fds.rlim_cur;
}
