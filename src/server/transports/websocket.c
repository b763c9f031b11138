/* libwebsockets' callbacks as a thin dispatcher, the time-outs of sockets, and the
 * end of it all. Must not know messages. */
#include "websocket.h"

#include "../utils/log.h"
#include "ws_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
  RX_BYTES = 512,          /* a socket's own receive buffer; longer messages come in pieces */
  TX_BYTES = 4096,         /* the longest frame sent in one piece */
  STOP_STEP_MS = 5,        /* between two steps of a stop */
  STOP_PATIENCE_MS = 2000, /* after the last close, for peers to answer it */
  BUFFERED_MAX = 64,       /* reads of what came behind one handshake */
  SERVE_SLICE = 64,        /* sockets served in a turn; a reset of one takes up to 40 us */
  STOP_SLICE = 200,        /* sockets closed in a step */
};

/* ---- callbacks ----------------------------------------------------------- */

/* Per session libwebsockets keeps one pointer: operations in flight outlive it. */
static int on_established(websocket *ws, struct lws *wsi, ws_socket **held) {
  *held = ws_socket_create(ws, wsi);
  if (!*held) return -1;
  ws->adopted = true;
  ws->config.counters->ws_sockets++;
  return 0;
}

static void on_closed(websocket *ws, ws_socket *s) {
  /* A staged close reason means that libwebsockets itself refused what came. */
  if (!s->closing) ws_socket_leave(s, lws_get_close_length(s->wsi) == 0);
  deadline_cancel(&s->timer);
  if (s->prev)
    s->prev->next = s->next;
  else
    ws->sockets = s->next;
  if (s->next) s->next->prev = s->prev;
  s->gone = true;
  ws->config.counters->ws_sockets--;
  ws->config.released(ws->config.released_arg);
  ws_socket_unref(s);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
  websocket *ws = lws_context_user(lws_get_context(wsi));
  ws_socket **held = user;
  switch (reason) {
  case LWS_CALLBACK_ESTABLISHED: return on_established(ws, wsi, held);
  case LWS_CALLBACK_RECEIVE: ws_socket_receive(*held, (au_slice){in, len}); return 0;
  case LWS_CALLBACK_RECEIVE_PONG:
    if (!(*held)->closing && (*held)->authed)
      expiry_arm(&ws->expiry, &ws->waits[WS_WAIT_IDLE], &(*held)->timer);
    return 0;
  case LWS_CALLBACK_SERVER_WRITEABLE: ws_socket_writable(*held); return 0;
  case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    if (!(*held)->closing) {
      ws_socket_leave(*held, true);
      expiry_arm(&ws->expiry, &ws->waits[WS_WAIT_CLOSE], &(*held)->timer);
    }
    return (*held)->close_sent ? -1 : 0; /* the answer to ours ends it */
  case LWS_CALLBACK_CLOSED:
    if (held && *held) on_closed(ws, *held);
    return 0;
  default: return 0;
  }
}

static const struct lws_protocols protocols[] = {
    {.name = "active-users",
     .callback = callback,
     .per_session_data_size = sizeof(ws_socket *),
     .rx_buffer_size = RX_BYTES,
     .tx_packet_size = TX_BYTES},
    {.name = NULL},
};

/* Idle sockets are pinged by us. */
static const lws_retry_bo_t no_pings = {0};

/* ---- sockets that are ready ---------------------------------------------- */

/* libwebsockets is not given the loop: it would serve in one turn however many sockets
 * are ready, and ten thousand that are reset at once held the loop for a quarter of a
 * second. Its sockets are in an epoll of their own, which the loop sees as one
 * descriptor and serves a slice of in each turn. */
static bool poll_for(ws_socket *s, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = s};
  return epoll_ctl(s->ws->epoll, operation, s->fd, &event) == 0;
}

bool ws_watch(ws_socket *s) {
  return poll_for(s, EPOLL_CTL_ADD, EPOLLIN);
}

void ws_wait_for_room(ws_socket *s) {
  if (s->wants_room || s->gone) return;
  s->wants_room = poll_for(s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  if (!s->wants_room) ws_socket_kill(s);
}

static void serve_for(ws_socket *s, short revents) {
  struct lws_pollfd pollfd = {s->fd, LWS_POLLIN | LWS_POLLOUT, revents};
  (void)lws_service_fd(s->ws->context, &pollfd); /* s->gone tells whether it has ended */
}

/* What libwebsockets holds and has not yet read: what came behind the handshake. */
static void serve_buffered(websocket *ws) {
  for (int i = 0; i < BUFFERED_MAX && lws_service_adjust_timeout(ws->context, 1, 0) == 0; i++)
    _lws_plat_service_forced_tsi(ws->context, 0);
}

static void serve(ws_socket *s, uint32_t events) {
  short revents = 0;
  if (events & EPOLLIN) revents |= LWS_POLLIN;
  if (events & (EPOLLHUP | EPOLLERR)) revents |= LWS_POLLHUP;
  s->refs++;
  if (revents) serve_for(s, revents);
  serve_buffered(s->ws);
  if (s->wants_room && !s->gone) {
    s->wants_room = false;
    poll_for(s, EPOLL_CTL_MOD, EPOLLIN);
  }
  /* Always: whether libwebsockets has something to say of its own, a pong or the answer
   * to a close, it does not tell. */
  if (!s->gone) serve_for(s, LWS_POLLOUT);
  if (!s->gone && ws_socket_has_unsent(s)) ws_wait_for_room(s);
  if (!s->gone && !s->closing && lws_get_close_length(s->wsi) > 0) {
    ws_socket_leave(s, false); /* libwebsockets refuses what came, and waits for the end */
    expiry_arm(&s->ws->expiry, &s->ws->waits[WS_WAIT_CLOSE], &s->timer);
  }
  ws_socket_unref(s);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  websocket *ws = poll->data;
  struct epoll_event ready[SERVE_SLICE];
  (void)status;
  (void)events;
  int n = epoll_wait(ws->epoll, ready, SERVE_SLICE, 0);
  /* Held until their turn: what libwebsockets has buffered of one may end it while another
   * is served. */
  for (int i = 0; i < n; i++) ((ws_socket *)ready[i].data.ptr)->refs++;
  for (int i = 0; i < n; i++) {
    ws_socket *s = ready[i].data.ptr;
    if (!s->gone) serve(s, ready[i].events);
    ws_socket_unref(s);
  }
}

/* ---- time-outs ----------------------------------------------------------- */

static void on_expired(void *arg, deadline_queue *queue, deadline *d) {
  websocket *ws = arg;
  ws_wait wait = (ws_wait)(queue - ws->waits);
  size_t offset = wait == WS_WAIT_STALL ? offsetof(ws_socket, stall) : offsetof(ws_socket, timer);
  ws_socket *s = (ws_socket *)(void *)((char *)d - offset);
  switch (wait) {
  case WS_WAIT_AUTH: ws_socket_close(s, LWS_CLOSE_STATUS_POLICY_VIOLATION); break;
  case WS_WAIT_IDLE: ws_socket_ping(s); break;
  case WS_WAIT_PONG:
    ws_socket_leave(s, true);
    ws_socket_kill(s);
    break;
  case WS_WAIT_STALL: ws_socket_close_slow(s); break;
  default: ws_socket_kill(s);
  }
}

/* ---- connections come in ------------------------------------------------- */

/* libwebsockets gets a handshake of our own making: the request was checked, and
 * what matters of it is the key. Subprotocols and extensions are left out, so none
 * is agreed on. */
void websocket_adopt(websocket *ws, int fd, au_slice key, au_slice early) {
  static const char head[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: ";
  buffer bytes;
  buffer_init(&bytes, sizeof head + key.len + early.len + 8);
  buffer_append(&bytes, head, sizeof head - 1);
  buffer_append_slice(&bytes, key);
  buffer_append_text(&bytes, "\r\n\r\n");
  buffer_append_slice(&bytes, early);
  ws->adopted = false;
  /* libwebsockets writes past its table when it is given a higher descriptor. */
  bool fits = fd < ws->fd_limit;
  if (!fits)
    log_error("websocket", "descriptor too high, raise the limit before the start",
              LOG_INT("limit", ws->fd_limit));
  if (bytes.failed || ws->stopping || !fits) {
    close(fd);
  } else {
    lws_adopt_socket_vhost_readbuf(ws->vhost, fd, bytes.ptr, bytes.len);
    if (early.len > 0 && ws->sockets) serve(ws->sockets, 0); /* the newest */
  }
  buffer_free(&bytes);
  /* An adopted one gives its slot back when it closes. */
  if (!ws->adopted) ws->config.released(ws->config.released_arg);
}

/* ---- life ---------------------------------------------------------------- */

long websocket_fd_limit(void) {
  long limit = sysconf(_SC_OPEN_MAX);
  return limit > 0 && limit <= 10000000 ? limit : 2560;
}

au_status websocket_create(const websocket_config *config, const char **reason, websocket **out) {
  websocket *ws = calloc(1, sizeof *ws);
  if (!ws) return AU_ENOMEM;
  ws->config = *config;
  const au_config *settings = config->config;
  deadline_queue_init(&ws->waits[WS_WAIT_AUTH], settings->ws_auth_timeout_ms);
  deadline_queue_init(&ws->waits[WS_WAIT_IDLE], settings->ws_ping_interval_ms);
  deadline_queue_init(&ws->waits[WS_WAIT_PONG], settings->ws_pong_timeout_ms);
  deadline_queue_init(&ws->waits[WS_WAIT_STALL], settings->ws_pong_timeout_ms);
  deadline_queue_init(&ws->waits[WS_WAIT_CLOSE], WS_CLOSE_MS);

  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN,
      .protocols = protocols,
      .retry_and_idle_policy = &no_pings,
      .user = ws,
      .pcontext = &ws->context, /* set to NULL when it has ended */
      .gid = (gid_t)-1,
      .uid = (uid_t)-1,
  };
  ws->fd_limit = websocket_fd_limit();
  lws_set_log_level(0, NULL); /* its lines are not ours; what matters we log */
  ws->context = lws_create_context(&info);
  if (ws->context) ws->vhost = lws_get_vhost_by_name(ws->context, "default");
  ws->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (!ws->vhost || ws->epoll < 0 || uv_poll_init(config->loop, &ws->ready, ws->epoll) != 0) {
    if (ws->context) lws_context_destroy(ws->context);
    if (ws->epoll >= 0) close(ws->epoll);
    free(ws);
    *reason = "libwebsockets or epoll cannot be had";
    return AU_EINVAL;
  }
  ws->ready.data = ws;
  uv_poll_start(&ws->ready, UV_READABLE, on_ready);
  expiry_init(&ws->expiry, config->loop, config->clock, ws->waits, WS_WAIT_COUNT, on_expired, ws);
  uv_timer_init(config->loop, &ws->stop_timer);
  ws->stop_timer.data = ws;
  ws->open_handles = 3;
  *out = ws;
  return AU_OK;
}

static void handle_closed(websocket *ws) {
  if (--ws->open_handles == 0) ws->stopped(ws->stopped_arg);
}

static void on_expiry_closed(void *arg) {
  handle_closed(arg);
}

static void on_uv_closed(uv_handle_t *handle) {
  handle_closed(handle->data);
}

/* Closes as many sockets as the share of the drain that has passed, a slice at most a
 * step, so that many sockets make the drain longer rather than a step. True when all
 * have been told. */
static bool drain(websocket *ws, int64_t now_ms) {
  uint64_t drain_ms = ws->config.config->drain_ms;
  uint64_t elapsed_ms = (uint64_t)(now_ms - ws->stop_began_ms);
  uint64_t due = UINT64_MAX;
  if (elapsed_ms < drain_ms) due = ws->stop_sockets * elapsed_ms / drain_ms + 1;
  unsigned budget = STOP_SLICE;
  for (ws_socket *s = ws->sockets; s; s = s->next) {
    if (s->closing) continue;
    if (budget == 0 || ws->stop_closed >= due) return false;
    ws_socket_close(s, LWS_CLOSE_STATUS_GOINGAWAY);
    ws->stop_closed++;
    ws->stop_told_ms = now_ms;
    budget--;
  }
  return true;
}

/* Those that did not answer in time; each had its close, so none counts as vanished. */
static void kill_some(websocket *ws) {
  unsigned budget = STOP_SLICE;
  for (ws_socket *s = ws->sockets; s && budget > 0; s = s->next) {
    if (s->killed) continue;
    ws_socket_kill(s);
    budget--;
  }
}

/* Its sockets end first, then libwebsockets itself; it can do neither inside its own
 * callback, hence a timer of ours. */
static void on_stop_step(uv_timer_t *timer) {
  websocket *ws = timer->data;
  if (ws->sockets) {
    int64_t now_ms = clock_mono_ms(ws->config.clock);
    if (drain(ws, now_ms) && now_ms > ws->stop_told_ms + STOP_PATIENCE_MS) kill_some(ws);
    return;
  }
  lws_context_destroy(ws->context);
  uv_close((uv_handle_t *)&ws->stop_timer, on_uv_closed);
  uv_close((uv_handle_t *)&ws->ready, on_uv_closed);
  expiry_close(&ws->expiry, on_expiry_closed);
}

void websocket_stop(websocket *ws, void (*stopped)(void *arg), void *arg) {
  ws->stopping = true;
  ws->stopped = stopped;
  ws->stopped_arg = arg;
  ws->stop_began_ms = clock_mono_ms(ws->config.clock);
  ws->stop_told_ms = ws->stop_began_ms;
  ws->stop_sockets = ws->config.counters->ws_sockets;
  uv_timer_start(&ws->stop_timer, on_stop_step, 0, STOP_STEP_MS);
}

void websocket_free(websocket *ws) {
  if (ws) close(ws->epoll);
  free(ws);
}
