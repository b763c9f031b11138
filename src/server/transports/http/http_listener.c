/* Listens, accepts connections up to the limits, and closes idle ones at the limit. */
#include "http_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "utils/log.h"

enum {
  LISTEN_BACKLOG = 4096, /* what waits while another daemon hands over; the kernel may lower it */
  ACCEPT_SLICE = 64,     /* connections let in each time that a listener is served */
  ALONE_MS = 1,          /* since the last one, after which a connection is likely to be alone */
};

/* ---- pauses ---------------------------------------------------------------- */

/* Peers wait in the kernel's queue. A free slot or the timer ends the pause. */
static void pause_listener(http_listener *listener) {
  http_server *server = listener->server;
  (void)poller_watch(server->config.poller, &listener->io, 0);
  if (!deadline_armed(&server->accept_pause))
    expiry_arm(&server->expiry, &server->waits[HTTP_WAIT_ACCEPT], &server->accept_pause);
}

static void pause_listeners(http_server *server) {
  for (unsigned i = 0; i < server->listener_count; i++) pause_listener(&server->listeners[i]);
}

static bool is_private(const http_listener *listener) {
  return listener->id == listener->server->config.private_listener;
}

/* A listener found no slot: it pauses, and so do those that would want the same slots. */
static void pause_full(const http_listener *full) {
  http_server *server = full->server;
  for (unsigned i = 0; i < server->listener_count; i++)
    if (is_private(&server->listeners[i]) == is_private(full))
      pause_listener(&server->listeners[i]);
}

void http_listeners_resume(http_server *server) {
  if (server->stopping) return;
  deadline_cancel(&server->accept_pause);
  for (unsigned i = 0; i < server->listener_count; i++)
    if (!poller_watch(server->config.poller, &server->listeners[i].io, EPOLLIN)) {
      pause_listeners(server);
      return;
    }
}

/* ---- eviction -------------------------------------------------------------- */

/* Closes the one that has waited longest, if that is long enough: half of its time-out, and at
 * most HTTP_IDLE_ENOUGH_MS. */
static bool close_first(http_server *server, http_wait wait) {
  const deadline_queue *queue = &server->waits[wait];
  deadline *first = deadline_first(queue);
  if (!first) return false;
  int64_t left_ms = first->at_ms - clock_mono_ms(server->config.clock);
  int64_t waited_ms = queue->lifetime_ms - left_ms;
  if (waited_ms < HTTP_IDLE_ENOUGH_MS && waited_ms < queue->lifetime_ms / 2) return false;
  http_conn_close((http_conn *)(void *)((char *)first - offsetof(http_conn, timer)));
  return true;
}

typedef enum slot {
  SLOT_FREE,
  SLOT_SOON,     /* its connection is ending: the slot comes with http_server_release */
  SLOT_RESERVED, /* none but for health checks */
  SLOT_NONE,
} slot;

/* At the limit the idlest connection goes, then a socket, then the slowest reader of a reply,
 * then the slowest request. A connection that is between requests comes back when it has one. */
static slot evict(http_server *server) {
  const http_server_config *config = &server->config;
  bool now = close_first(server, HTTP_WAIT_IDLE);
  bool soon = !now && config->evict && config->evict(config->evict_arg);
  if (!now && !soon)
    now = close_first(server, HTTP_WAIT_WRITE) || close_first(server, HTTP_WAIT_REQUEST);
  if (now || soon) config->counters->connections_evicted++;
  if (soon) return SLOT_SOON;
  return now ? SLOT_FREE : SLOT_NONE;
}

/* The private listener has its own slots, so that visitors cannot keep an operator out. At its
 * limit the connection that has been open for longest without a request makes room: all of them
 * are walked, which the few connections of operators make rare. */
static slot find_private_slot(http_server *server) {
  if (server->private_slots < server->config.private_connections) return SLOT_FREE;
  http_conn *idle = NULL;
  for (http_conn *conn = server->conns; conn; conn = conn->next)
    if (conn->slots == &server->private_slots && conn->state == CONN_IDLE && !conn->unsent)
      idle = conn; /* the newest are first */
  if (!idle) return SLOT_NONE;
  http_conn_close(idle);
  return SLOT_FREE;
}

static slot find_slot(http_listener *listener) {
  http_server *server = listener->server;
  if (is_private(listener)) return find_private_slot(server);
  if (server->slots < server->config.max_connections) return SLOT_FREE;
  if (http_may_log(server, &server->limit_logged_ms))
    log_warn("http", "connection limit reached, idle connections are closed",
             LOG_INT("max_connections", server->config.max_connections));
  slot found = evict(server);
  if (found != SLOT_NONE) return found;
  return server->reserved_slots < server->config.reserved_connections ? SLOT_RESERVED : SLOT_NONE;
}

static bool is_full(const http_listener *listener) {
  const http_server *server = listener->server;
  return is_private(listener) ? server->private_slots >= server->config.private_connections
                              : server->slots >= server->config.max_connections;
}

/* ---- accepting ------------------------------------------------------------- */

/* A trusted proxy may have any number of connections: its clients are counted by request. */
static void let_in(http_server *server, const http_listener *listener, int fd,
                   const struct sockaddr *from, uint32_t *slots) {
  const http_handler *handler = &server->config.handler;
  int64_t now_ms = clock_mono_ms(server->config.clock);
  net_addr peer = net_from_sockaddr(from);
  address *entry = addresses_hold(server->config.addresses, &peer, now_ms);
  bool counted =
      slots != &server->private_slots && !(handler->trusts && handler->trusts(handler->arg, &peer));
  bool admitted = !counted || http_conn_admits(server, entry);
  if (admitted && http_conn_create(server, fd, listener->id, &peer, entry, slots, counted) == AU_OK)
    return;
  if (admitted && counted) address_disconnect(entry);
  address_release(entry, now_ms);
  close(fd);
}

/* Out of descriptors or memory: some will be free again when other connections end. */
static bool must_pause(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_listener_ready(poller_entry *entry, uint32_t events) {
  http_listener *listener = (http_listener *)(void *)entry;
  http_server *server = listener->server;
  (void)events;
  /* Those who come one by one are not followed by a question for the next, which costs as much as
   * they do: the kernel says so again. */
  int64_t now_ms = clock_mono_ms(server->config.clock);
  bool alone = now_ms - listener->accepted_ms > ALONE_MS;
  listener->accepted_ms = now_ms;
  for (int i = 0; i < (alone ? 1 : ACCEPT_SLICE); i++) {
    if (server->stopping) return;
    if (i > 0 && poller_turn_is_over(server->config.poller)) return;
    /* Whether one more peer waits is not known: evicts only when it is. */
    if (i > 0 && is_full(listener)) return;
    slot found = find_slot(listener);
    if (found == SLOT_SOON || found == SLOT_NONE) {
      pause_full(listener);
      return;
    }
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept4(listener->io.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      uint32_t *slots = is_private(listener)     ? &server->private_slots
                        : found == SLOT_RESERVED ? &server->reserved_slots
                                                 : &server->slots;
      let_in(server, listener, fd, (struct sockaddr *)&peer, slots);
      continue;
    }
    if (must_pause(errno)) {
      if (http_may_log(server, &server->limit_logged_ms))
        log_warn("http", "a connection could not be accepted, accepting pauses",
                 LOG_STR("reason", strerror(errno)));
      pause_listeners(server);
      return;
    }
    if (errno != ECONNABORTED && errno != EINTR) return; /* the queue is empty */
  }
}

/* ---- listening ------------------------------------------------------------- */

static int set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

/* Accepted sockets inherit these. Small buffers bound what a peer that does not read costs the
 * kernel. */
static void set_buffers(int fd) {
  (void)set(fd, SOL_SOCKET, SO_SNDBUF, HTTP_SEND_BUFFER_BYTES);
  (void)set(fd, SOL_SOCKET, SO_RCVBUF, HTTP_RECEIVE_BUFFER_BYTES);
  (void)set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, HTTP_UNSENT_LOW_BYTES);
  (void)set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* The port may be shared with other daemons that say so. */
static int prepare(const http_server *server, int fd, int family) {
  if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0) return -1;
  if (server->config.reuse_port && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0) return -1;
  if (family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) != 0) return -1;
  set_buffers(fd);
  return 0;
}

static bool listen_on(http_server *server, int fd, struct sockaddr_storage *addr) {
  socklen_t len =
      addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  if (prepare(server, fd, addr->ss_family) != 0) return false;
  if (bind(fd, (struct sockaddr *)addr, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) return false;
  return getsockname(fd, (struct sockaddr *)addr, &len) == 0;
}

static uint16_t port_of(const struct sockaddr_storage *addr) {
  return ntohs(addr->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)addr)->sin6_port
                                           : ((const struct sockaddr_in *)addr)->sin_port);
}

/* Takes `fd`, which listens; nothing is accepted yet. false: errno says why. */
static bool add_listener(http_server *server, int fd, int id) {
  http_listener *listener = &server->listeners[server->listener_count];
  *listener =
      (http_listener){.io = {.fd = fd, .ready = on_listener_ready}, .server = server, .id = id};
  if (!poller_watch(server->config.poller, &listener->io, 0)) return false;
  server->listener_count++;
  return true;
}

au_status http_server_listen(http_server *server, const char *host, uint16_t *port, int id,
                             const char **reason) {
  if (server->listener_count == HTTP_MAX_LISTENERS) return AU_EFULL;
  struct sockaddr_storage addr;
  memset(&addr, 0, sizeof addr);
  if (uv_ip4_addr(host, *port, (struct sockaddr_in *)&addr) != 0 &&
      uv_ip6_addr(host, *port, (struct sockaddr_in6 *)&addr) != 0) {
    *reason = "not an IPv4 or IPv6 address";
    return AU_EINVAL;
  }
  int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || !listen_on(server, fd, &addr) || !add_listener(server, fd, id)) {
    *reason = uv_strerror(uv_translate_sys_error(errno));
    if (fd >= 0) close(fd);
    return AU_ELISTEN;
  }
  *port = port_of(&addr);
  return AU_OK;
}

/* Whether it is a TCP socket that listens. */
static bool listens(int fd, struct sockaddr_storage *addr) {
  int yes = 0;
  socklen_t len = sizeof yes;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) != 0 || !yes) return false;
  len = sizeof *addr;
  if (getsockname(fd, (struct sockaddr *)addr, &len) != 0) return false;
  return addr->ss_family == AF_INET || addr->ss_family == AF_INET6;
}

au_status http_server_adopt(http_server *server, int fd, uint16_t *port, int id,
                            const char **reason) {
  if (server->listener_count == HTTP_MAX_LISTENERS) return AU_EFULL;
  struct sockaddr_storage addr = {0};
  if (!listens(fd, &addr)) {
    *reason = "it is no TCP socket that listens";
    return AU_EINVAL;
  }
  set_buffers(fd);
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || !add_listener(server, fd, id)) {
    *reason = uv_strerror(uv_translate_sys_error(errno));
    return AU_ELISTEN;
  }
  *port = port_of(&addr);
  return AU_OK;
}

void http_server_accept(http_server *server) {
  http_listeners_resume(server);
}

void http_listeners_close(http_server *server) {
  for (unsigned i = 0; i < server->listener_count; i++) {
    poller_drop(server->config.poller, &server->listeners[i].io);
    close(server->listeners[i].io.fd);
  }
  server->listener_count = 0;
  deadline_cancel(&server->accept_pause);
}
