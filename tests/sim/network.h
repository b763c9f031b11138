/* Connections between daemons and scripted servers: socket pairs inside this process, whose
 * bytes arrive later. hiredis's connect functions are defined here in place of the library's,
 * so that the addresses of a Redis URL are names of this network.
 *
 * Bytes of one connection keep their order; those of two do not. */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include <active_users/types.h>

#include "rng.h"
#include "utils/buffer.h"

struct fake;
typedef struct chunk chunk;

typedef struct connection {
  struct connection *next;
  struct fake *server;
  int host;         /* the daemon at the other end */
  int fd;           /* the server's end; -1: closed */
  int64_t delay_ms; /* one way; each message has up to as much again */
  chunk *in, *in_last, *out, *out_last;
  int64_t in_due_ms, out_due_ms; /* of the last chunk of each direction */
  buffer input;                  /* arrived and not parsed */
  bool client_gone;              /* it closed its end: the rest that is under way still arrives */
  bool closing;                  /* closed by the server once all is sent */
  bool asking;                   /* ASKING came just before */
  bool subscriber;
  au_slice channels[16]; /* owned */
  size_t channel_count;
} connection;

void network_begin(uint64_t seed);
/* Everything must have been closed by the clients. */
void network_end(void);

/* Delays one way, in ms, of connections made from now on. */
void network_set_delay(int64_t least_ms, int64_t most_ms);

/* Which daemon runs now: connections are made on its behalf. */
void network_enter(int host);

/* Moves what is due. True when anything moved, so that the loops must run again. */
bool network_step(void);
/* When something is due next; INT64_MAX: nothing is. */
int64_t network_next_ms(void);

/* The server sends bytes to a client. */
void network_send(connection *c, au_slice bytes);

typedef enum network_cut {
  CUT_NOW,   /* what is under way is lost in both directions */
  CUT_REPLY, /* commands under way arrive and their replies are lost; half a reply may arrive */
} network_cut;

/* Ends connections of a server (NULL: any) with a host (-1: any). `subscribers`: 1 only those of
 * pub/sub, 0 only the others, -1 all. */
void network_cut_off(struct fake *server, int host, int subscribers, network_cut how);

/* While it lasts, connections between the two are refused; those that are open are cut. */
void network_part(struct fake *server, int host, int64_t until_ms);

connection *network_connections(void);
size_t network_open(void);

#endif
