/* Where the load goes: this machine, and nowhere else. */
#ifndef LOAD_TARGET_H
#define LOAD_TARGET_H

#include <active_users/types.h>
#include <sys/socket.h>

enum {
  TARGET_HOST_SIZE = 64, /* "127.0.0.1:3001" and its NUL */
  TARGET_PROBLEM_SIZE = 160,
  /* One source address has some 28,000 ports (ip_local_port_range), but the kernel searches
   * longer for a free one the more are taken: at 18,000 it takes most of the time. */
  TARGET_SOCKETS_A_SOURCE = 4000,
  TARGET_MAX_SOURCES = 250,
};

typedef struct target {
  struct sockaddr_storage address;
  char host[TARGET_HOST_SIZE]; /* for the Host header */
} target;

/* Reads `http://127.0.0.1:3001`; the scheme (http or ws) may be left out, a path after the
 * port is not allowed. `localhost` means 127.0.0.1 and is not looked up.
 *
 * Returns AU_OK, or AU_EINVAL and `problem`: not an address and a port, or one that is
 * neither in 127.0.0.0/8 nor ::1. Nothing overrules that: a load test of somebody else's
 * machine is an attack. */
AU_MUST_CHECK au_status target_parse(const char *text, target *out,
                                     char problem[TARGET_PROBLEM_SIZE]);

/* The address that connection `number` comes from: 127.0.0.2, .3 and so on, or ::1, which has no
 * neighbours. */
struct sockaddr_storage target_source(const target *t, unsigned number);

#endif
