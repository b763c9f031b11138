/* Nodes of a Redis Cluster made up for a test, on the same loop: they tell whatever map they
 * are told to, and answer commands as a Redis would, or with one answer to all. */
#ifndef FAKE_CLUSTER_H
#define FAKE_CLUSTER_H

#include "redis_fixture.h"

enum { FAKE_NODES = 3, FAKE_BYTES = 64 * 1024 };

typedef struct fake_node {
  uv_tcp_t listener;
  int port;
  unsigned open;     /* connections */
  const char *map;   /* the answer to CLUSTER SLOTS */
  const char *says;  /* to every command about keys; NULL: what Redis says; "": nothing */
  bool only_asking;  /* such a command without ASKING is said to be elsewhere */
  unsigned looks;    /* CLUSTER SLOTS */
  unsigned commands; /* about keys */
  unsigned asked;    /* of them, those that ASKING went before */
  struct fake_peer *peers;
} fake_node;

typedef struct fake_peer {
  uv_tcp_t tcp;
  fake_node *node;
  struct fake_peer *next;
  bool asking, silent;
  size_t len;
  char bytes[FAKE_BYTES];
} fake_peer;

/* Closes what is connected; what comes next is served. */
void fake_drop(fake_node *n);
void fake_start(uv_loop_t *loop, fake_node *n);

void fake_end(uv_loop_t *loop, fake_node *n);

#endif
