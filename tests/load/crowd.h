/* Many sockets: opened with a bounded number under way, then held. */
#ifndef LOAD_CROWD_H
#define LOAD_CROWD_H

#include "dial.h"
#include "hist.h"
#include "request.h"

typedef struct crowd crowd;

typedef struct crowd_config {
  dialer *dialer;
  request *upgrade;
  request *auth; /* NULL: ready with the handshake, else with the first text, a hello */
  bool stream;   /* `upgrade` asks for server-sent events: ready with the first */
  uint32_t sockets, at_once, customers, first;
} crowd_config;

typedef struct crowd_events {
  void (*full)(void *owner);                  /* once: each is ready or has failed */
  void (*text)(void *owner, uint32_t number); /* to a ready one, other than its hello */
  /* A socket is gone though nobody here closed it, or never came. */
  void (*lost)(void *owner, uint32_t number, const char *why);
} crowd_events;

/* Begins to open; the events come later. `config` and `events` are copied. The figures are of
 * this moment, so the crowd may be asked at any time. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status crowd_open(const crowd_config *config, const crowd_events *events,
                                   void *owner, crowd **out);

/* Ready now. */
uint32_t crowd_ready(const crowd *c);

/* Of these, the sockets of the first customer: numbers that are multiples of `customers`. */
uint32_t crowd_audience(const crowd *c);

/* From a socket's first packet until it is ready, in ns. */
const hist *crowd_opening(const crowd *c);

/* Cuts all connections, and opens no more. No event follows. */
void crowd_close(crowd *c);

/* Only when the loop has run out. */
void crowd_free(crowd *c);

#endif
