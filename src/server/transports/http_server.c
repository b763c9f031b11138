/* Doors, slots and time-outs of the HTTP connections. Must not know what is said
 * on them. */
#include "http_private.h"

#include "../utils/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  LISTEN_BACKLOG = 1024,
  ACCEPT_SLICE = 128,          /* connections let in a millisecond */
  LIMIT_SAID_EVERY_MS = 10000, /* a peer that comes and goes at the limit fills no log */
};

/* ---- time-outs ----------------------------------------------------------- */

static void open_doors(http_server *server);
static void close_idle_when_alone(http_server *server);

static void on_expired(void *arg, deadline_queue *queue, deadline *d) {
  http_server *server = arg;
  if (queue == &server->waits[HTTP_WAIT_ACCEPT])
    open_doors(server);
  else
    http_conn_expired((http_conn *)(void *)((char *)d - offsetof(http_conn, timer)));
}

void http_server_arm(http_server *server, http_wait wait, http_conn *conn) {
  expiry_arm(&server->expiry, &server->waits[wait], &conn->timer);
}

/* RFC 9110, 6.6.1; made once a second. */
const char *http_server_date(http_server *server) {
  int64_t now_s = clock_wall_ms(server->config.clock) / 1000;
  if (now_s != server->date_s) {
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)now_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    char *at = server->date;
    size_t room = sizeof server->date;
    size_t used = strftime(at, room, "Date: ---, %d --- %Y %H:%M:%S GMT\r\n", &tm);
    if (used == 0) return "";
    memcpy(at + 6, days[tm.tm_wday], 3); /* names by hand: strftime's depend on the locale */
    memcpy(at + 14, months[tm.tm_mon], 3);
    server->date_s = now_s;
  }
  return server->date;
}

/* ---- doors and slots ----------------------------------------------------- */

/* A crowd that comes at once is let in over some turns: libuv would accept all of it in
 * one, and behind each connection comes a handshake. */
static bool turn_is_full(http_server *server) {
  int64_t now_ms = clock_mono_ms(server->config.clock);
  if (now_ms != server->accepting_ms) server->accepted = 0;
  server->accepting_ms = now_ms;
  return server->accepted++ >= ACCEPT_SLICE;
}

/* Without a free slot the connection is left unaccepted, which makes libuv stop
 * polling this door until uv_accept: waiting peers stay in the kernel's queue. */
static void on_connection(uv_stream_t *stream, int status) {
  http_door *door = stream->data;
  http_server *server = door->server;
  if (status < 0) {
    log_warn("http", "a connection could not be accepted", LOG_STR("reason", uv_strerror(status)));
    return;
  }
  if (server->stopping) return;
  if (server->slots >= server->config.max_connections) {
    int64_t now_ms = clock_mono_ms(server->config.clock);
    if (!door->waiting && now_ms >= server->limit_said_ms + LIMIT_SAID_EVERY_MS) {
      server->limit_said_ms = now_ms;
      log_warn("http", "connection limit reached, accepting pauses",
               LOG_INT("max_connections", server->config.max_connections));
    }
    door->waiting = true;
    return;
  }
  if (turn_is_full(server)) {
    door->waiting = true;
    expiry_arm(&server->expiry, &server->waits[HTTP_WAIT_ACCEPT], &server->accept_pause);
    return;
  }
  server->slots++;
  if (http_conn_accept(server, door) != AU_OK) {
    log_warn("http", "a connection could not be accepted", LOG_STR("reason", "out of memory"));
    server->slots--;
    door->waiting = true; /* tried again when a slot is given back */
  }
}

static void open_doors(http_server *server) {
  if (server->stopping) return;
  for (unsigned i = 0; i < server->door_count; i++) {
    http_door *door = &server->doors[i];
    if (!door->waiting || server->slots >= server->config.max_connections) continue;
    door->waiting = false;
    on_connection((uv_stream_t *)&door->tcp, 0);
  }
}

void http_server_release(http_server *server) {
  server->slots--;
  if (server->stopping)
    close_idle_when_alone(server);
  else
    open_doors(server);
}

static void on_door_closed(uv_handle_t *handle) {
  http_door *door = handle->data;
  http_server_handle_closed(door->server);
}

/* The kernel then spreads connections over all that listen there (SO_REUSEPORT). */
static int share_port(uv_tcp_t *tcp) {
  uv_os_fd_t fd;
  int on = 1, rc = uv_fileno((uv_handle_t *)tcp, &fd);
  if (rc != 0) return rc;
  return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0
             ? 0
             : uv_translate_sys_error(errno);
}

au_status http_server_listen(http_server *server, const char *host, uint16_t *port, int id,
                             const char **reason) {
  if (server->door_count == HTTP_MAX_DOORS) return AU_EFULL;
  struct sockaddr_storage addr;
  memset(&addr, 0, sizeof addr);
  if (uv_ip4_addr(host, *port, (struct sockaddr_in *)&addr) != 0 &&
      uv_ip6_addr(host, *port, (struct sockaddr_in6 *)&addr) != 0) {
    *reason = "not an IPv4 or IPv6 address";
    return AU_EINVAL;
  }
  http_door *door = &server->doors[server->door_count++];
  door->server = server;
  door->id = id;
  int rc = uv_tcp_init_ex(server->config.loop, &door->tcp, addr.ss_family); /* with a socket */
  if (rc != 0) {
    server->door_count--;
    *reason = uv_strerror(rc);
    return AU_ELISTEN;
  }
  server->open_handles++;
  door->tcp.data = door;
  if (server->config.reuse_port) rc = share_port(&door->tcp);
  if (rc == 0) rc = uv_tcp_bind(&door->tcp, (struct sockaddr *)&addr, 0);
  if (rc == 0) rc = uv_listen((uv_stream_t *)&door->tcp, LISTEN_BACKLOG, on_connection);
  int len = (int)sizeof addr;
  if (rc == 0) rc = uv_tcp_getsockname(&door->tcp, (struct sockaddr *)&addr, &len);
  if (rc != 0) {
    *reason = uv_strerror(rc);
    return AU_ELISTEN; /* the handle is closed by http_server_stop */
  }
  *port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                           : ((struct sockaddr_in *)&addr)->sin_port);
  return AU_OK;
}

/* ---- life ---------------------------------------------------------------- */

au_status http_server_create(const http_server_config *config, http_server **out) {
  http_server *server = calloc(1, sizeof *server);
  if (!server) return AU_ENOMEM;
  server->config = *config;
  deadline_queue_init(&server->waits[HTTP_WAIT_REQUEST], config->header_timeout_ms);
  deadline_queue_init(&server->waits[HTTP_WAIT_IDLE], config->idle_timeout_ms);
  deadline_queue_init(&server->waits[HTTP_WAIT_LINGER], HTTP_LINGER_MS);
  deadline_queue_init(&server->waits[HTTP_WAIT_TURN], 0);
  deadline_queue_init(&server->waits[HTTP_WAIT_ACCEPT], 1);
  buffer_init(&server->out, HTTP_MAX_REPLY_BYTES);
  server->date_s = -1;
  server->limit_said_ms = -LIMIT_SAID_EVERY_MS;
  expiry_init(&server->expiry, config->loop, config->clock, server->waits, HTTP_WAIT_COUNT,
              on_expired, server);
  server->open_handles = 1;
  *out = server;
  return AU_OK;
}

void http_server_handle_closed(http_server *server) {
  if (--server->open_handles == 0 && server->stopped) server->stopped(server->stopped_arg);
}

static void on_expiry_closed(void *arg) {
  http_server_handle_closed(arg);
}

/* The timer goes last: connections that finish their request still need it. */
static void close_timer_when_alone(http_server *server) {
  if (!server->stopping || server->conns || server->expiry_closing) return;
  server->expiry_closing = true;
  expiry_close(&server->expiry, on_expiry_closed);
}

static bool is_idle(const http_conn *conn) {
  return conn->state == CONN_IDLE && !conn->writing && !conn->yielded;
}

/* Idle connections go last: whoever holds one can still ask how the daemon is. They are
 * held by what was there when the stop began, sockets and requests in flight. A request
 * that comes on one of them holds none of the others, or a crowd that asks in turn would
 * make the stop longer; nor does one that has had its answer, which is with the kernel. */
static void close_idle_when_alone(http_server *server) {
  if (server->slots > server->spared || server->idle_closed) return;
  server->idle_closed = true;
  for (http_conn *conn = server->conns, *next; conn; conn = next) {
    next = conn->next;
    if (is_idle(conn) || conn->state == CONN_LINGERING) http_conn_close(conn);
  }
}

void http_server_stop(http_server *server, void (*stopped)(void *arg), void *arg) {
  server->stopping = true;
  server->stopped = stopped;
  server->stopped_arg = arg;
  for (unsigned i = 0; i < server->door_count; i++)
    uv_close((uv_handle_t *)&server->doors[i].tcp, on_door_closed);
  for (http_conn *conn = server->conns; conn; conn = conn->next) {
    conn->spared = is_idle(conn);
    if (conn->spared) server->spared++;
  }
  close_idle_when_alone(server);
  close_timer_when_alone(server);
}

void http_server_hurry(http_server *server) {
  server->idle_closed = true; /* here, with the others */
  for (http_conn *conn = server->conns, *next; conn; conn = next) {
    next = conn->next;
    http_conn_close(conn);
  }
}

void http_server_conn_gone(http_server *server, http_conn *conn) {
  if (conn->prev)
    conn->prev->next = conn->next;
  else
    server->conns = conn->next;
  if (conn->next) conn->next->prev = conn->prev;
  if (conn->spared) server->spared--;
  close_timer_when_alone(server);
}

void http_server_free(http_server *server) {
  if (!server) return;
  buffer_free(&server->out);
  free(server);
}
