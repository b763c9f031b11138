/* The slots and time-outs of HTTP connections, and the stop. */
#include "http_private.h"

#include <stdlib.h>
#include <sys/socket.h>

/* ---- time-outs ----------------------------------------------------------- */

static void on_expired(void *arg, deadline_queue *queue, deadline *d) {
  http_server *server = arg;
  if (queue == &server->waits[HTTP_WAIT_ACCEPT])
    http_listeners_resume(server);
  else
    http_conn_expired((http_conn *)(void *)((char *)d - offsetof(http_conn, timer)));
}

/* ---- slots ----------------------------------------------------------------- */

static void close_idle_when_alone(http_server *server);

static void give_back(http_server *server, uint32_t *slots) {
  (*slots)--;
  if (server->stopping)
    close_idle_when_alone(server);
  else
    http_listeners_resume(server);
}

void http_server_release(http_server *server) {
  give_back(server, &server->slots);
}

static void close_timer_when_alone(http_server *server);

static void on_conn_gone(http_server *server, http_conn *conn) {
  if (conn->prev)
    conn->prev->next = conn->next;
  else
    server->conns = conn->next;
  if (conn->next) conn->next->prev = conn->prev;
  if (conn->idle_at_stop) server->idle_at_stop--;
  if (!conn->detached) give_back(server, conn->slots);
  close_timer_when_alone(server);
}

/* ---- life ---------------------------------------------------------------- */

au_status http_server_create(const http_server_config *config, http_server **out) {
  http_server *server = calloc(1, sizeof *server);
  if (!server) return AU_ENOMEM;
  server->config = *config;
  deadline_queue_init(&server->waits[HTTP_WAIT_REQUEST], config->header_timeout_ms);
  deadline_queue_init(&server->waits[HTTP_WAIT_IDLE], config->idle_timeout_ms);
  deadline_queue_init(&server->waits[HTTP_WAIT_WRITE], config->idle_timeout_ms);
  deadline_queue_init(&server->waits[HTTP_WAIT_SLOW], HTTP_SLOW_MS);
  deadline_queue_init(&server->waits[HTTP_WAIT_RESERVED], HTTP_RESERVED_MS);
  deadline_queue_init(&server->waits[HTTP_WAIT_LINGER], HTTP_LINGER_MS);
  deadline_queue_init(&server->waits[HTTP_WAIT_FIRST], HTTP_FIRST_MS);
  deadline_queue_init(&server->waits[HTTP_WAIT_ACCEPT], HTTP_ACCEPT_PAUSE_MS);
  buffer_init(&server->out, HTTP_MAX_REPLY_BYTES);
  server->date.second = -1;
  server->on_conn_gone = on_conn_gone;
  server->limit_logged_ms = server->address_limit_logged_ms = INT64_MIN / 2;
  expiry_init(&server->expiry, config->loop, config->clock, server->waits, HTTP_WAIT_COUNT,
              on_expired, server);
  *out = server;
  return AU_OK;
}

/* The timer goes last: connections that finish their request still need it. */
static void close_timer_when_alone(http_server *server) {
  if (!server->stopping || server->conns || server->expiry_closing) return;
  server->expiry_closing = true;
  expiry_close(&server->expiry, &server->stop);
  join_stop_done(&server->stop);
}

static bool is_idle(const http_conn *conn) {
  return conn->state == CONN_IDLE && !conn->unsent && conn->in.len == 0;
}

/* Its next request may be with the kernel: closing would lose that. */
static bool has_unread(const http_conn *conn) {
  char byte;
  return recv(conn->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Idle connections close last, so that health checks still work. They wait only for requests
 * and sockets that were open when the stop began; a request that arrives later does not
 * extend the wait, nor does a connection whose reply is with the kernel. */
static void close_idle_when_alone(http_server *server) {
  uint32_t all = server->slots + server->reserved_slots + server->private_slots;
  if (all > server->idle_at_stop || server->idle_closed) return;
  server->idle_closed = true;
  for (http_conn *conn = server->conns, *next; conn; conn = next) {
    next = conn->next;
    if ((is_idle(conn) && !has_unread(conn)) || conn->state == CONN_LINGERING)
      http_conn_close(conn);
  }
}

/* Who has just connected is about to ask. */
static bool is_new(const http_conn *conn) {
  return is_idle(conn) && !conn->served && !conn->slow && !conn->reserved;
}

void http_server_stop(http_server *server, void (*stopped)(void *arg), void *arg) {
  server->stopping = true;
  join_stop_begin(&server->stop, stopped, arg);
  http_listeners_close(server);
  for (http_conn *conn = server->conns; conn; conn = conn->next) {
    if (is_new(conn))
      expiry_arm(&server->expiry, &server->waits[HTTP_WAIT_FIRST], &conn->timer);
    else
      conn->idle_at_stop = is_idle(conn);
    if (conn->idle_at_stop) server->idle_at_stop++;
  }
  close_idle_when_alone(server);
  close_timer_when_alone(server);
}

void http_server_force_close(http_server *server) {
  server->idle_closed = true; /* here, with the others */
  for (http_conn *conn = server->conns, *next; conn; conn = next) {
    next = conn->next;
    http_conn_close(conn);
  }
}

void http_server_free(http_server *server) {
  if (!server) return;
  buffer_free(&server->out);
  free(server);
}
