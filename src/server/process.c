/* What the daemon asks of the kernel for its own process. The only file that sets limits and
 * privileges. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "utils/log.h"

enum {
  DESCRIPTORS = 65536,      /* unless max-connections asks for more */
  DESCRIPTORS_BESIDE = 256, /* those that are no connections */
};

void process_hold_standard_descriptors(void) {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

/* Those for another process: a shell in between has the variables too. */
static bool is_ours(const char *pid) {
  char own[24];
  snprintf(own, sizeof own, "%ld", (long)getpid());
  return pid && strcmp(pid, own) == 0;
}

size_t process_passed_sockets(const char *(*environment)(const char *name), int *fds, size_t max) {
  enum { FIRST = STDERR_FILENO + 1 };
  const char *number = environment("LISTEN_FDS");
  if (!number || !is_ours(environment("LISTEN_PID"))) return 0;
  size_t count = strtoul(number, NULL, 10);
  for (size_t i = 0; i < count && i < max; i++) {
    fds[i] = FIRST + (int)i;
    (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
  }
  return count;
}

/* Often too low, for programs that use select; and often a million or more, where it
 * costs: libwebsockets keeps a table of that size and walks through it whenever a socket
 * closes, which at a million takes 350 us. Whatever is reached, the server works with it. */
void process_set_descriptor_limit(uint32_t max_connections) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t wanted = (rlim_t)max_connections + DESCRIPTORS_BESIDE;
  if (wanted < DESCRIPTORS) wanted = DESCRIPTORS;
  limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    log_warn("main", "descriptor limit not set", LOG_STR("error", strerror(errno)));
}

/* A mapping of its own for each block of at least LARGE_BYTES. glibc would raise the limit as
 * such blocks are freed, and with it what it keeps. */
void process_return_memory(void) {
  enum { LARGE_BYTES = 4096, KEPT_BYTES = 128 * 1024 };
  (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
  (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

void process_give_up_privileges(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    log_warn("main", "new privileges not ruled out", LOG_STR("error", strerror(errno)));
}

/* The limit alone is not enough: it does not hold where dumps go to a program. */
void process_hide_memory(void) {
  const struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    log_warn("main", "core dumps not ruled out", LOG_STR("error", strerror(errno)));
}

char **process_copy_arguments(int argc, char *const *argv) {
  char **copy = calloc((size_t)argc + 1, sizeof *copy);
  for (int i = 0; copy && i < argc; i++) {
    copy[i] = strdup(argv[i]);
    if (copy[i]) continue;
    process_free_arguments(copy);
    return NULL;
  }
  return copy;
}

void process_free_arguments(char **arguments) {
  for (char **at = arguments; at && *at; at++) free(*at);
  free(arguments);
}
