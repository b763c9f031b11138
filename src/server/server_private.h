/* The parts of a server. Included by server.c (builds and joins them), server_start.c and
 * server_stop.c (stops them in order) only. */
#ifndef SERVER_PRIVATE_H
#define SERVER_PRIVATE_H

#include <active_users/server.h>

#include "adapters/webhooks/sender.h"
#include "listen.h"
#include "services/addresses.h"
#include "services/broadcast.h"
#include "services/history/history.h"
#include "services/operators/office.h"
#include "services/places.h"
#include "services/presence.h"
#include "services/ticker.h"
#include "services/top_customers.h"
#include "services/webhooks/webhooks.h"
#include "stores.h"
#include "transports/access/access_rules.h"
#include "transports/http/http_conn.h"
#include "transports/poller.h"
#include "transports/rest.h"
#include "transports/stream/streams.h"
#include "transports/websocket/websocket.h"
#include "turn_clock.h"
#include "utils/join_stop.h"

struct au_server {
  uv_loop_t *loop;
  au_config config;
  turn_clock turns;
  stats counters;
  stores stores;
  au_store *store; /* the one of sessions */
  au_store_events events;
  history *history;
  presence *presence;
  broadcast *broadcast;
  ticker *ticker;
  webhooks *webhooks; /* when to tell */
  sender *sender;     /* and how */
  top_customers *top; /* NULL: the exposition names none */
  poller *poller;
  addresses *addresses;
  places *places;
  access_rules *access;
  office *office;
  rest *rest;
  http_server *http;
  websocket *websocket;
  streams *streams;
  bool evicts_stream;   /* who is asked first to make room, sockets or streams: in turn */
  listen_sockets given; /* to be used in place of the ports */
  listen_ports ports;

  uv_timer_t timer; /* of a start that waits, and then of the stop */

  bool has_state;       /* the state file, if there is one, is read and ours */
  uint64_t begin_by_ms; /* of the loop: a start waits no longer for a shared store */
  bool started;         /* it serves */
  bool stopping;
  join_stop stop; /* of one step of the stop after the other */
  void (*stopped)(void *arg);
  void *stopped_arg;
};

/* What au_server_error returns. */
enum { SERVER_ERROR_SIZE = 512 };

/* Remembers why, for au_server_error, as "what: why" or "what"; gives `status` back. */
au_status server_failed(au_status status, const char *what, const char *why);

/* What tells and what watches, with the webhooks of the config that the server was created with. */
au_status server_create_webhooks(au_server *server);

/* What is to be set in them for `config`; the caller owns both. With an error one may be there. */
au_status server_read_webhooks(au_server *server, const au_config *config,
                               sender_settings **deliveries, webhooks_rules **rules);

#endif
