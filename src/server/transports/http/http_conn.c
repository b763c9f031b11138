/* One connection: reads bytes, parses them, writes replies. Routes are in rest.c. */
#include "http_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "utils/log.h"
#include "utils/net/proxy_protocol.h"

/* ---- waiting ------------------------------------------------------------------ */

/* A connection in a reserved slot has one kind of wait, whatever it waits for: it lives for its
 * request and for the end of its reply. */
static void arm(http_conn *conn, http_wait wait) {
  http_server *server = conn->server;
  if (conn->reserved) wait = HTTP_WAIT_RESERVED;
  if (!conn->reserved || !deadline_armed(&conn->timer))
    expiry_arm(&server->expiry, &server->waits[wait], &conn->timer);
}

/* ---- what the kernel is asked for ------------------------------------------- */

/* Nothing is read while a reply is unsent: a peer that does not read pays with its own input. */
static void watch(http_conn *conn) {
  uint32_t events = conn->unsent ? EPOLLOUT : EPOLLIN;
  if (!poller_watch(conn->server->config.poller, &conn->io, events)) http_conn_close(conn);
}

/* Counts what the connection holds; false when all connections together hold too much. */
static bool count_kept(http_conn *conn) {
  http_server *server = conn->server;
  size_t bytes =
      conn->in.cap + http_parser_kept_bytes(&conn->parser) + (conn->unsent ? conn->unsent_len : 0);
  server->kept_bytes += bytes - conn->kept_bytes;
  conn->kept_bytes = bytes;
  return bytes == 0 || server->kept_bytes <= HTTP_MAX_KEPT_BYTES;
}

/* Not before the handler has returned: its request lies in there. */
static void free_bytes(http_conn *conn) {
  if (conn->processing) return;
  buffer_free(&conn->in);
  buffer_free(&conn->lines);
  http_parser_reset(&conn->parser);
  free(conn->unsent);
  conn->unsent = NULL;
  (void)count_kept(conn);
}

/* ---- from bytes to the handler ---------------------------------------------- */

static void name_peer(http_conn *conn) {
  http_request *request = &conn->parser.request;
  request->peer = &conn->peer;
  request->address = conn->address;
  request->listener = conn->listener;
  request->reserved = conn->reserved;
  request->minor = conn->parser.llhttp.http_minor;
}

static void bad_request(http_conn *conn, int status, const char *message) {
  const http_handler *handler = &conn->server->config.handler;
  name_peer(conn);
  conn->state = CONN_HANDLING;
  conn->exchange = (http_exchange){0};
  conn->close_after_reply = true;
  deadline_cancel(&conn->timer);
  handler->on_bad_request(handler->arg, conn, &conn->parser.request, status, message);
}

static void dispatch(http_conn *conn, au_slice rest) {
  const http_handler *handler = &conn->server->config.handler;
  name_peer(conn);
  conn->state = CONN_HANDLING;
  conn->rest = rest;
  conn->exchange = (http_exchange){.began_us = clock_now_us()};
  conn->close_after_reply = !conn->parser.keep_alive;
  deadline_cancel(&conn->timer);
  handler->on_request(handler->arg, conn, &conn->parser.request);
}

/* The head is whole and a body follows: the handler may refuse it unread. */
static void begin_body(http_conn *conn) {
  const http_handler *handler = &conn->server->config.handler;
  name_peer(conn);
  const char *message = "";
  int status =
      handler->on_head ? handler->on_head(handler->arg, conn, &conn->parser.request, &message) : 0;
  if (status) {
    bad_request(conn, status, message);
    return;
  }
  conn->state = CONN_BODY;
  static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
  /* A peer whose window has no room for 25 bytes does without. */
  if (conn->parser.expects_continue)
    (void)!send(conn->io.fd, line, sizeof line - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A connection between two requests may end for another one of its address; its client makes a new
 * one with its next request. One that has sent nothing yet gets a moment. */
static bool evict(address_link *link) {
  http_conn *conn = (http_conn *)(void *)((char *)link - offsetof(http_conn, link));
  const http_server *server = conn->server;
  if (conn->state != CONN_IDLE || conn->unsent || conn->in.len > 0 || conn->slow) return false;
  int64_t left_ms = conn->timer.at_ms - clock_mono_ms(server->config.clock);
  int64_t waited_ms = server->waits[HTTP_WAIT_IDLE].lifetime_ms - left_ms;
  if (!conn->served && waited_ms < HTTP_SILENT_ENOUGH_MS) return false;
  char byte;
  if (recv(conn->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return false; /* a request waits */
  server->config.counters->connections_evicted_ip++;
  http_conn_close(conn);
  return true;
}

bool http_conn_admits(http_server *server, address *from) {
  if (address_connect(from)) return true;
  server->config.counters->connections_refused_ip++;
  if (http_may_log(server, &server->address_limit_logged_ms))
    log_warn("http", "an address has as many connections as it may, more are closed",
             LOG_STR("option", "max-connections-ip, or trusted-proxies if it is a proxy"));
  return false;
}

/* A PROXY header named the client: the connection counts for that address from now on. */
static void take_client(http_conn *conn, const net_addr *client) {
  http_server *server = conn->server;
  int64_t now_ms = clock_mono_ms(server->config.clock);
  address *from = addresses_hold(server->config.addresses, client, now_ms);
  address_link_remove(&conn->link);
  address_release(conn->address, now_ms);
  conn->address = from;
  conn->peer = *client;
  const http_handler *handler = &server->config.handler;
  if (handler->trusts && handler->trusts(handler->arg, client)) return; /* one more proxy */
  conn->counted = http_conn_admits(server, from);
  if (conn->counted)
    address_link_add(from, &conn->link);
  else
    http_conn_close(conn);
}

/* A part of a head, or of what comes before it. */
static void begin_head(http_conn *conn) {
  if (conn->state != CONN_IDLE) return;
  conn->state = CONN_HEAD;
  arm(conn, HTTP_WAIT_REQUEST);
}

/* Returns as `step`. */
static size_t step_proxy_header(http_conn *conn, const char *bytes, size_t len) {
  proxy_header header;
  proxy_result result = proxy_protocol_parse(bytes, len, &header);
  if (result == PROXY_MORE) {
    begin_head(conn);
    return 0;
  }
  conn->from_proxy = false;
  if (result == PROXY_BAD) {
    conn->server->config.counters->proxy_malformed++;
    log_debug("http", "a PROXY header is malformed, the connection is closed",
              LOG_INT("bytes", len));
    http_conn_close(conn);
  }
  if (result != PROXY_OK) return 0;
  conn->state = CONN_IDLE;
  arm(conn, HTTP_WAIT_IDLE);
  if (header.has_client) take_client(conn, &header.client);
  return header.used;
}

/* One step: a head, some of a body, or empty lines. Returns how many bytes it used; 0: it needs
 * more than these. */
static size_t step(http_conn *conn, const char *bytes, size_t len) {
  if (conn->from_proxy) {
    size_t header_len = step_proxy_header(conn, bytes, len);
    if (header_len > 0 || conn->from_proxy || conn->state == CONN_CLOSED) return header_len;
  }
  size_t used;
  http_parsed parsed = http_parser_feed(&conn->parser, bytes, len, &used);
  switch (parsed) {
  case HTTP_PARSED_REQUEST: dispatch(conn, (au_slice){bytes + used, len - used}); break;
  case HTTP_PARSED_REFUSED:
    bad_request(conn, conn->parser.status, conn->parser.message);
    return len;
  case HTTP_PARSED_HEAD:
    begin_body(conn);
    if (conn->state == CONN_BODY) used += step(conn, bytes + used, len - used);
    if (conn->state == CONN_BODY) arm(conn, HTTP_WAIT_REQUEST); /* now for the whole body */
    break;
  default:
    if (used == 0 && len > 0) begin_head(conn);
  }
  return used;
}

/* Parses until a request is in flight, output waits, bytes run out, or others must have their
 * turn. */
static size_t process(http_conn *conn, const char *bytes, size_t len) {
  poller *turns = conn->server->config.poller;
  size_t used = 0;
  conn->processing = true;
  for (unsigned requests = 0;
       used < len && conn->state <= CONN_BODY && !conn->unsent && !conn->slow; requests++) {
    if (requests == HTTP_TURN_REQUESTS || (requests > 0 && poller_turn_is_over(turns))) {
      poller_again(turns, &conn->io);
      break;
    }
    size_t n = step(conn, bytes + used, len - used);
    if (n == 0) break;
    used += n;
  }
  conn->processing = false;
  if (conn->state == CONN_CLOSED) free_bytes(conn);
  return used;
}

/* What was not used is kept. */
static void keep(http_conn *conn, const char *bytes, size_t len) {
  if (conn->state >= CONN_LINGERING) return;
  buffer_append(&conn->in, bytes, len);
  if (conn->in.failed || !count_kept(conn)) http_conn_close(conn);
}

/* Goes on with the bytes that were kept. */
static void go_on(http_conn *conn) {
  if (conn->in.len > 0) {
    size_t used = process(conn, conn->in.ptr, conn->in.len);
    if (conn->state >= CONN_LINGERING) return;
    buffer_consume(&conn->in, used);
    if (conn->in.len == 0) buffer_free(&conn->in); /* an idle connection holds no memory */
    if (!count_kept(conn)) {
      http_conn_close(conn);
      return;
    }
  }
  if (poller_waits_again(&conn->io) || conn->slow) return;
  if (!conn->peer_done)
    watch(conn);
  else if (conn->state <= CONN_BODY && !conn->unsent)
    http_conn_close(conn); /* what it sent is answered, and no more will come */
}

/* ---- reading ----------------------------------------------------------------- */

static void on_eof(http_conn *conn) {
  conn->peer_done = true;
  /* A peer that has finished sending may still wait for its answers. */
  bool waits = conn->state == CONN_HANDLING || conn->unsent || poller_waits_again(&conn->io);
  if (conn->state == CONN_LINGERING || !waits)
    http_conn_close(conn);
  else if (!poller_watch(conn->server->config.poller, &conn->io, conn->unsent ? EPOLLOUT : 0))
    http_conn_close(conn);
}

static void read_on(http_conn *conn) {
  http_server *server = conn->server;
  /* While a request is handled, or others have their turn first, the kernel keeps the rest. */
  if (conn->state == CONN_HANDLING || conn->slow || poller_waits_again(&conn->io)) {
    if (!poller_watch(server->config.poller, &conn->io, 0)) http_conn_close(conn);
    return;
  }
  ssize_t n = recv(conn->io.fd, server->read_bytes, HTTP_READ_BYTES, 0);
  if (n == 0) {
    on_eof(conn);
    return;
  }
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) http_conn_close(conn);
    return;
  }
  size_t len = (size_t)n;
  server->config.counters->http_bytes_in += len;
  if (conn->state == CONN_LINGERING) {
    conn->linger_bytes += len;
    if (conn->linger_bytes > HTTP_LINGER_BYTES) http_conn_close(conn);
  } else if (conn->in.len > 0) {
    keep(conn, server->read_bytes, len);
    if (conn->state < CONN_LINGERING) go_on(conn);
  } else {
    size_t used = process(conn, server->read_bytes, len);
    keep(conn, server->read_bytes + used, len - used);
  }
}

/* ---- replies ------------------------------------------------------------------ */

/* Closing with unread input would reset the connection and could take the reply back from the
 * peer's kernel: shut our side, then read on for a while. */
static void linger(http_conn *conn) {
  conn->state = CONN_LINGERING;
  conn->slow = false;
  conn->linger_bytes = 0;
  buffer_free(&conn->in);
  (void)count_kept(conn);
  if (conn->peer_done || shutdown(conn->io.fd, SHUT_WR) != 0) {
    http_conn_close(conn);
    return;
  }
  arm(conn, HTTP_WAIT_LINGER);
  watch(conn);
}

/* The reply is with the kernel. What has come behind the request is parsed on the connection's
 * next turn: this one may belong to the store. */
static void reply_done(http_conn *conn) {
  http_server *server = conn->server;
  if (conn->close_after_reply || server->stopping) {
    linger(conn);
    return;
  }
  arm(conn, conn->slow ? HTTP_WAIT_SLOW : HTTP_WAIT_IDLE);
  if (conn->processing || conn->slow) return;
  if (conn->in.len > 0 || conn->peer_done)
    poller_again(server->config.poller, &conn->io);
  else
    watch(conn);
}

static void flush(http_conn *conn) {
  size_t left = conn->unsent_len - conn->unsent_at;
  ssize_t sent =
      send(conn->io.fd, conn->unsent + conn->unsent_at, left, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    http_conn_close(conn);
    return;
  }
  if (sent > 0) conn->unsent_at += (size_t)sent;
  if (conn->unsent_at < conn->unsent_len) return;
  free(conn->unsent);
  conn->unsent = NULL;
  (void)count_kept(conn);
  reply_done(conn);
}

static void send_reply(http_conn *conn, const buffer *out) {
  ssize_t sent = send(conn->io.fd, out->ptr, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == (ssize_t)out->len) {
    reply_done(conn);
    return;
  }
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    http_conn_close(conn);
    return;
  }
  /* Nothing more is parsed until the peer has taken the rest. */
  size_t begun = sent > 0 ? (size_t)sent : 0;
  conn->unsent_at = 0;
  conn->unsent_len = out->len - begun;
  conn->unsent = malloc(conn->unsent_len);
  if (!conn->unsent) {
    http_conn_close(conn);
    return;
  }
  memcpy(conn->unsent, out->ptr + begun, conn->unsent_len);
  if (!count_kept(conn)) {
    http_conn_close(conn);
    return;
  }
  arm(conn, HTTP_WAIT_WRITE);
  watch(conn);
}

void http_conn_reply(http_conn *conn, const http_reply *reply) {
  if (conn->state == CONN_CLOSED) return;
  if (reply->close || conn->reserved) conn->close_after_reply = true;

  buffer *out = &conn->server->out;
  http_reply_print(conn, reply, out);
  http_exchange answered = conn->exchange; /* sending may begin the next */
  bool complete = !out->failed && !conn->lines.failed;
  http_parser_reset(&conn->parser);
  buffer_clear(&conn->lines);
  conn->state = CONN_IDLE;
  conn->served = true;
  if (complete)
    send_reply(conn, out);
  else
    http_conn_close(conn);
  http_count_reply(conn->server, &answered, reply->status, out->len);
}

void http_conn_slow_down(http_conn *conn) {
  conn->slow = conn->counted;
}

void *http_conn_context(http_conn *conn) {
  return conn->context;
}

buffer *http_conn_headers(http_conn *conn) {
  return &conn->lines;
}

/* ---- life ---------------------------------------------------------------------- */

static void on_ready(poller_entry *entry, uint32_t events) {
  http_conn *conn = (http_conn *)(void *)entry;
  http_conn_ref(conn); /* it may close meanwhile */
  if (events == 0)
    go_on(conn); /* its turn has come */
  else if (conn->unsent)
    flush(conn);
  else if (events & EPOLLIN)
    read_on(conn);
  else if (events & (EPOLLHUP | EPOLLERR))
    http_conn_close(conn); /* the peer has reset it */
  else
    (void)poller_watch(conn->server->config.poller, &conn->io, 0); /* its turn comes first */
  http_conn_unref(conn);
}

au_status http_conn_create(http_server *server, int fd, int listener, const net_addr *peer,
                           address *from, uint32_t *slots, bool counted) {
  http_conn *conn = calloc(1, sizeof *conn);
  if (!conn) return AU_ENOMEM;
  conn->io = (poller_entry){.fd = fd, .ready = on_ready};
  if (!poller_watch(server->config.poller, &conn->io, EPOLLIN)) {
    free(conn);
    return AU_ENOMEM;
  }
  conn->server = server;
  conn->listener = listener;
  conn->refs = 1;
  conn->address = from;
  conn->slots = slots;
  conn->reserved = slots == &server->reserved_slots;
  conn->counted = counted;
  conn->peer = *peer;
  conn->from_proxy = !counted && slots != &server->private_slots;
  http_parser_init(&conn->parser, server->config.max_head_bytes);
  buffer_init(&conn->in, server->config.max_head_bytes + HTTP_READ_BYTES);
  buffer_init(&conn->lines, HTTP_MAX_LINES_BYTES);
  conn->next = server->conns;
  if (conn->next) conn->next->prev = conn;
  server->conns = conn;
  (*slots)++;
  server->config.counters->http_connections++;
  conn->link.evict = evict;
  if (counted) address_link_add(from, &conn->link);
  arm(conn, HTTP_WAIT_IDLE);
  return AU_OK;
}

void http_conn_close(http_conn *conn) {
  http_server *server = conn->server;
  if (conn->state == CONN_CLOSED) return;
  conn->state = CONN_CLOSED;
  deadline_cancel(&conn->timer);
  poller_drop(server->config.poller, &conn->io);
  free_bytes(conn);
  address_link_remove(&conn->link);
  if (!conn->detached) {
    close(conn->io.fd);
    if (conn->counted) address_disconnect(conn->address);
    address_release(conn->address, clock_mono_ms(server->config.clock));
  }
  conn->address = NULL;
  server->config.counters->http_connections--;
  server->on_conn_gone(server, conn);
  http_conn_unref(conn);
}

bool http_conn_detach(http_conn *conn, http_detached *out) {
  if (conn->state != CONN_HANDLING || conn->reserved) return false;
  *out = (http_detached){conn->io.fd, conn->rest, conn->address, conn->counted};
  conn->detached = true;
  http_conn_close(conn);
  return true;
}

/* The pause is over: what the kernel kept meanwhile is read. */
static void speed_up(http_conn *conn) {
  conn->slow = false;
  arm(conn, HTTP_WAIT_IDLE);
  poller_again(conn->server->config.poller, &conn->io);
}

void http_conn_expired(http_conn *conn) {
  http_conn_ref(conn);
  if (conn->slow && conn->state == CONN_IDLE && !conn->unsent)
    speed_up(conn);
  else if (conn->state == CONN_HEAD && !conn->reserved)
    bad_request(conn, 408, "the request head did not arrive in time");
  else if (conn->state == CONN_BODY && !conn->reserved)
    bad_request(conn, 408, "the request body did not arrive in time");
  else
    http_conn_close(conn);
  http_conn_unref(conn);
}
