/* A Redis made up for a fuzzer: reads commands, and answers with what the fuzzer found. On the
 * same thread; the caller serves it between the turns of its loop. */
#ifndef TESTS_FUZZ_FAKE_H
#define TESTS_FUZZ_FAKE_H

#include <stdbool.h>
#include <stddef.h>

enum {
  FAKE_PEERS_MAX = 4,
  FAKE_GREETS = 1,     /* answers the handshake of a link as a Redis does */
  FAKE_IDENTIFIES = 2, /* INFO and TIME too, and the first GET */
  FAKE_SUBSCRIBES = 4, /* confirms subscriptions */
  FAKE_SCRIPTS = 8,    /* knows no script by its hash, as one that was restarted */
};

/* Where it listens, for a URL. Begins the first time. */
const char *fake_path(void);

/* Makes it ready for another input. `answers` are borrowed: parts that end with a byte 0xfe, one
 * for each command without an answer of its own; behind the last it hangs up. `does` are flags
 * FAKE_…. */
void fake_reset(unsigned does, const char *answers, size_t len);

/* Accepts, reads and answers what is there. */
void fake_serve(void);

/* Drops all connections. */
void fake_hang_up(void);

#endif
