/* A whole server in this process, on the memory store, and a client of it on the same loop: what
 * the fuzzers of connections send bytes to. */
#ifndef TESTS_FUZZ_CLIENT_H
#define TESTS_FUZZ_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  CLIENT_TURNS = 6,           /* of the loop, for one piece to be read, handled and answered */
  CLIENT_HEARD_BYTES = 65536, /* of an answer; what is longer is dropped */
};

/* One connection, from a loopback address that none had before: so no input meets the limits that
 * another one has used up, and none can block the next. */
typedef struct client {
  int fd;
  char heard[CLIENT_HEARD_BYTES]; /* all that came, `heard_len` bytes */
  size_t heard_len;
} client;

/* `by_proxy`: from an address that the server trusts as a proxy. Starts the server the first
 * time. */
void client_open(client *c, bool by_proxy);

/* Sends bytes cut as `how` says (fuzz.h), with turns of the loop behind each piece. Stops early
 * where the server has closed. */
void client_send(client *c, uint8_t how, const void *bytes, size_t len);

/* Closes it at once, and lets the server see that. From time to time checks that the server
 * still answers others. */
void client_close(client *c);

#endif
