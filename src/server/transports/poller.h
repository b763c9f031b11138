/* Ready descriptors, served in turns of bounded length. All connections of both transports
 * are in one epoll of their own, which the loop sees as one descriptor: libuv itself would
 * serve in one turn whatever is ready, up to 32 reads of each stream, and timers, signals
 * and the store would wait behind a crowd. Here a turn ends after POLLER_TURN_US; entries that
 * were not served come first in the next turn. */
#ifndef TRANSPORTS_POLLER_H
#define TRANSPORTS_POLLER_H

#include <active_users/types.h>
#include <uv.h>

enum { POLLER_TURN_US = 2000 };

typedef struct poller poller;
typedef struct poller_entry poller_entry;

/* Serves one descriptor once: one read, some requests. `events` is EPOLLIN, EPOLLOUT, EPOLLHUP
 * or EPOLLERR, or 0 after poller_again. May change, add or drop any entry, also its own. */
typedef void (*poller_ready_fn)(poller_entry *entry, uint32_t events);

/* Embedded in what owns the descriptor. Set `fd` and `ready`, leave the rest zero. */
struct poller_entry {
  int fd;
  uint32_t interest; /* the events asked for; meaningless while not watched */
  bool watched;      /* in the epoll */
  uint8_t slice_at;  /* 1 + its place among those that the kernel named last; 0: none */
  uint32_t again_in; /* the turn that poller_again was called in */
  poller_ready_fn ready;
  poller_entry *again_prev, *again_next; /* both NULL: does not wait for poller_again */
};

/* Returns AU_OK or AU_ENOMEM (no epoll, or no memory). */
AU_MUST_CHECK au_status poller_create(uv_loop_t *loop, poller **out);

/* Watches an entry for these events, level-triggered; also to change them. 0 leaves only
 * EPOLLHUP and EPOLLERR, which cannot be left out. false when the kernel refuses. */
bool poller_watch(poller *p, poller_entry *entry, uint32_t events);

/* Takes an entry out; it is not served any more. Call it before its descriptor is closed. */
void poller_drop(poller *p, poller_entry *entry);

/* Serves the entry on the next turn, whether or not its descriptor is ready. */
void poller_again(poller *p, poller_entry *entry);

static inline bool poller_waits_again(const poller_entry *entry) {
  return entry->again_next != NULL;
}

/* Whether this turn has used up its time. Always true outside of a turn. */
bool poller_turn_is_over(const poller *p);

/* Closes its handles; all entries must have been dropped. `closed` runs once, from the loop. */
void poller_close(poller *p, void (*closed)(void *arg), void *arg);
void poller_free(poller *p);

#endif
