/* The callbacks of libwebsockets, the time-outs of sockets, and the stop. */
#include "websocket.h"

#include "utils/log.h"
#include "ws_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
  LWS_RX_BYTES = 1,        /* of each socket: libwebsockets reads the handshake only */
  TX_BYTES = 4096,         /* the longest frame sent in one piece */
  STOP_STEP_MS = 5,        /* between two steps of a stop */
  STOP_PATIENCE_MS = 1500, /* after the last close, for peers to answer it */
  STOP_SLICE = 200,        /* sockets closed in a step */
};

/* ---- sockets that are ready ---------------------------------------------- */

/* libwebsockets is not given the loop: it would serve in one turn however many sockets are
 * ready, and ten thousand that are reset at once held the loop for a quarter of a second. Its
 * sockets are in the poller, with all other connections. */
static void serve_for(ws_socket *s, short revents) {
  struct lws_pollfd pollfd = {s->fd, LWS_POLLIN | LWS_POLLOUT, revents};
  (void)lws_service_fd(s->context->lws, &pollfd); /* s->gone tells whether it has ended */
}

/* One turn of a socket: sends what waited, then reads once. */
static void serve(poller_entry *entry, uint32_t events) {
  ws_socket *s = (ws_socket *)(void *)((char *)entry - offsetof(ws_socket, io));
  poller *ready = s->ws->config.poller;
  s->refs++;
  if (events & EPOLLOUT) {
    s->wants_capacity = false;
    (void)poller_watch(ready, &s->io, EPOLLIN);
    if (lws_partial_buffered(s->wsi)) serve_for(s, LWS_POLLOUT);
    if (!s->gone) ws_socket_writable(s);
  }
  bool on = !s->killed;
  if (on && !s->gone && (events & (EPOLLIN | EPOLLHUP | EPOLLERR) || ws_receive_has_early(s)))
    on = ws_receive(s);
  if ((!on || s->is_over) && !s->gone) serve_for(s, LWS_POLLHUP);
  if (!s->gone && ws_socket_has_unsent(s)) ws_socket_wait_for_capacity(s);
  if (!s->gone && ws_receive_has_early(s)) poller_again(ready, &s->io);
  ws_socket_unref(s);
}

/* ---- eviction -------------------------------------------------------------- */

static void evict_socket(ws_socket *s) {
  ws_socket_close(s, WS_CODE_TRY_AGAIN_LATER);
  ws_socket_kill(s);
}

/* For another connection of its address. Its place there is free at once, its slot when it ends. */
static bool evict_unknown(address_link *link) {
  ws_socket *s = (ws_socket *)(void *)((char *)link - offsetof(ws_socket, link));
  websocket *ws = s->ws;
  int64_t left_ms = s->timer.at_ms - clock_mono_ms(ws->config.clock);
  if (s->closing || s->authing || s->authed) return false;
  if (ws->waits[WS_WAIT_AUTH].lifetime_ms - left_ms < WS_UNKNOWN_MS) return false;
  ws->config.counters->connections_evicted_ip++;
  address_link_remove(link);
  address_disconnect(s->address);
  s->counted = false;
  evict_socket(s);
  return true;
}

/* ---- callbacks ----------------------------------------------------------- */

/* Per session libwebsockets keeps one pointer: operations in flight outlive it. */
static int on_established(websocket *ws, struct lws *wsi, ws_socket **held) {
  *held = ws_socket_create(ws, wsi, serve);
  if (!*held) return -1;
  (*held)->context = lws_context_user(lws_get_context(wsi));
  ws_contexts_opened(&ws->contexts, (*held)->context);
  ws->adopted = true;
  (*held)->link.evict = evict_unknown;
  if ((*held)->counted) address_link_add((*held)->address, &(*held)->link);
  ws->config.counters->ws_sockets++;
  return 0;
}

/* The connection is over: its slot and its place at the address are free. The address itself is
 * kept as long as the socket is. */
static void release(websocket *ws, address *from, bool counted) {
  if (counted) address_disconnect(from);
  ws->config.released(ws->config.released_arg);
}

static void on_closed(websocket *ws, ws_socket *s) {
  if (!s->closing) ws_socket_leave(s, PRESENCE_END_DISCONNECTED);
  deadline_cancel(&s->timer);
  address_link_remove(&s->link);
  if (s->prev)
    s->prev->next = s->next;
  else
    ws->sockets = s->next;
  if (s->next) s->next->prev = s->prev;
  if (ws->sample_at == s) ws->sample_at = s->next;
  s->gone = true;
  ws_contexts_ended(&ws->contexts, s->context);
  poller_drop(ws->config.poller, &s->io);
  ws->config.counters->ws_sockets--;
  if (s->mode_count) --*s->mode_count;
  release(ws, s->address, s->counted);
  ws_socket_unref(s);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
  const ws_context *context = lws_context_user(lws_get_context(wsi));
  websocket *ws = context->owner;
  ws_socket **held = user;
  (void)in;
  (void)len;
  switch (reason) {
  case LWS_CALLBACK_ESTABLISHED: return on_established(ws, wsi, held);
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
     .rx_buffer_size = LWS_RX_BYTES,
     .tx_packet_size = TX_BYTES},
    {.name = NULL},
};

/* ---- time-outs ----------------------------------------------------------- */

static void on_expired(void *arg, deadline_queue *queue, deadline *d) {
  websocket *ws = arg;
  ws_wait wait = (ws_wait)(queue - ws->waits);
  size_t offset = wait == WS_WAIT_STALL    ? offsetof(ws_socket, stall)
                  : wait == WS_WAIT_PARTED ? offsetof(ws_socket, parted)
                  : wait >= WS_WAIT_TOKEN  ? offsetof(ws_socket, token)
                                           : offsetof(ws_socket, timer);
  ws_socket *s = (ws_socket *)(void *)((char *)d - offset);
  switch (wait) {
  case WS_WAIT_AUTH: ws_socket_close_for(s, WS_CODE_POLICY, "no auth message came in time"); break;
  case WS_WAIT_IDLE:
    if (!ws_socket_close_blocked(s)) ws_socket_ping(s);
    break;
  case WS_WAIT_PONG:
    ws_socket_leave(s, PRESENCE_END_DISCONNECTED);
    ws_socket_kill(s);
    break;
  case WS_WAIT_STALL: ws_socket_close_slow(s); break;
  case WS_WAIT_PARTED: ws_socket_end_part(s); break;
  case WS_WAIT_CLOSE:
  case WS_WAIT_FAIL: ws_socket_kill(s); break;
  default: ws_socket_token_due(s);
  }
}

/* ---- connections come in ------------------------------------------------- */

/* libwebsockets gets a handshake of our own making: the request was checked, and
 * what matters of it is the key. Subprotocols and extensions are left out, so none
 * is agreed on. */
void websocket_adopt(websocket *ws, const websocket_opening *opening) {
  static const char head[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: ";
  buffer bytes;
  buffer_init(&bytes, sizeof head + opening->key.len + 8);
  buffer_append(&bytes, head, sizeof head - 1);
  buffer_append_slice(&bytes, opening->key);
  buffer_append_text(&bytes, "\r\n\r\n");
  ws->adopted = false;
  ws->opening = opening;
  const ws_context *context = ws->stopping ? NULL : ws_contexts_with_room(&ws->contexts);
  if (bytes.failed || !context) {
    close(opening->fd);
  } else {
    lws_adopt_socket_vhost_readbuf(context->vhost, opening->fd, bytes.ptr, bytes.len);
    if (ws->adopted && opening->early.len > 0)
      ws_receive_early(ws->sockets, opening->early); /* the newest */
  }
  buffer_free(&bytes);
  ws->opening = NULL;
  /* An adopted one gives its slot back when it closes. */
  if (ws->adopted) return;
  address_release(opening->from, clock_mono_ms(ws->config.clock));
  release(ws, opening->from, opening->counted);
}

/* ---- room for any connection ------------------------------------------------ */

/* Sockets looked at to find the address with most connections: an approximate choice, as Redis
 * samples keys to evict. A crowd of watchers shows up in it. */
enum { ROOM_SAMPLE = 16 };

static bool is_watcher(const ws_socket *s) {
  return s->authed && !s->tab && !s->closing;
}

bool websocket_evict(websocket *ws) {
  const deadline_queue *unknown = &ws->waits[WS_WAIT_AUTH];
  deadline *waiting = deadline_first(unknown);
  int64_t now_ms = clock_mono_ms(ws->config.clock);
  if (waiting && waiting->at_ms - now_ms <= unknown->lifetime_ms / 2) {
    evict_socket((ws_socket *)(void *)((char *)waiting - offsetof(ws_socket, timer)));
    return true;
  }
  ws_socket *worst = NULL, *s = ws->sample_at ? ws->sample_at : ws->sockets;
  for (unsigned i = 0; s && i < ROOM_SAMPLE; i++, s = s->next)
    if (is_watcher(s) &&
        (!worst || address_connections(s->address) > address_connections(worst->address)))
      worst = s;
  ws->sample_at = s; /* NULL: from the newest again */
  if (worst) evict_socket(worst);
  return worst != NULL;
}

/* ---- life ---------------------------------------------------------------- */

void websocket_set_access(websocket *ws, const access_rules *access) {
  ws->config.access = access;
}

void websocket_reload(websocket *ws, const au_config *config) {
  uint32_t rate = config->socket_rate_per_s;
  ws->message_rate = (token_rate){.tokens = rate, .burst = 2 * rate, .period_ms = 1000};
}

static int64_t renew_ms(const au_config *config) {
  int64_t quarter_ms = (int64_t)config->presence_ttl_s * 250;
  return quarter_ms < WS_RENEW_MS ? quarter_ms : WS_RENEW_MS;
}

au_status websocket_create(const websocket_config *config, const char **reason, websocket **out) {
  websocket *ws = calloc(1, sizeof *ws);
  if (!ws) return AU_ENOMEM;
  ws->config = *config;
  const au_config *settings = config->config;
  websocket_reload(ws, settings);
  ws->renew_ms = renew_ms(settings);
  deadline_queue_init(&ws->waits[WS_WAIT_AUTH], settings->ws_auth_timeout_ms);
  deadline_queue_init(&ws->waits[WS_WAIT_IDLE], settings->ws_ping_interval_ms);
  deadline_queue_init(&ws->waits[WS_WAIT_PONG], settings->ws_pong_timeout_ms);
  deadline_queue_init(&ws->waits[WS_WAIT_STALL], settings->ws_pong_timeout_ms);
  deadline_queue_init(&ws->waits[WS_WAIT_CLOSE], WS_CLOSE_MS);
  deadline_queue_init(&ws->waits[WS_WAIT_FAIL], WS_FAIL_MS);
  deadline_queue_init(&ws->waits[WS_WAIT_PARTED], presence_part_ms(config->presence));
  for (int wait = WS_WAIT_TOKEN; wait <= WS_WAIT_TOKEN_LAST; wait++)
    deadline_queue_init(&ws->waits[wait], (int64_t)WS_TOKEN_STEP_MS << (wait - WS_WAIT_TOKEN));

  lws_set_log_level(0, NULL); /* its lines are not ours; what matters we log */
  ws_contexts_init(&ws->contexts, protocols, ws);
  if (!ws_contexts_with_room(&ws->contexts)) {
    free(ws);
    *reason = "libwebsockets cannot be had";
    return AU_EINVAL;
  }
  expiry_init(&ws->expiry, config->loop, config->clock, ws->waits, WS_WAIT_COUNT, on_expired, ws);
  uv_timer_init(config->loop, &ws->stop_timer);
  ws->stop_timer.data = ws;
  *out = ws;
  return AU_OK;
}

/* Closes as many sockets as the share of the drain that has passed, a slice at most a
 * step, so that many sockets make the drain longer rather than a step. True when all
 * have been sent their close. */
static bool drain(websocket *ws, int64_t now_ms) {
  uint64_t drain_ms = ws->config.config->drain_ms;
  uint64_t elapsed_ms = (uint64_t)(now_ms - ws->stop_began_ms);
  uint64_t due = UINT64_MAX;
  if (elapsed_ms < drain_ms) due = ws->stop_sockets * elapsed_ms / drain_ms + 1;
  unsigned budget = STOP_SLICE;
  for (ws_socket *s = ws->sockets; s; s = s->next) {
    if (s->closing) continue;
    if (budget == 0 || ws->stop_closed >= due) return false;
    ws_socket_close(s, WS_CODE_GOING_AWAY);
    ws->stop_closed++;
    ws->stop_closed_ms = now_ms;
    budget--;
  }
  return true;
}

/* Kills sockets that did not answer in time; each was sent its close, so none counts as
 * disconnected. */
static void kill_some(websocket *ws) {
  unsigned budget = STOP_SLICE;
  for (ws_socket *s = ws->sockets; s && budget > 0; s = s->next) {
    if (s->killed) continue;
    ws_socket_kill(s);
    budget--;
  }
}

/* The sockets end first, then libwebsockets itself. Both need a timer of ours, for neither can
 * be done inside a callback of libwebsockets. */
static void on_stop_step(uv_timer_t *timer) {
  websocket *ws = timer->data;
  if (ws->sockets) {
    int64_t now_ms = clock_mono_ms(ws->config.clock);
    if (drain(ws, now_ms) && now_ms > ws->stop_closed_ms + STOP_PATIENCE_MS) kill_some(ws);
    return;
  }
  ws_contexts_free(&ws->contexts);
  join_stop_close(&ws->stop, (uv_handle_t *)&ws->stop_timer);
  expiry_close(&ws->expiry, &ws->stop);
  join_stop_done(&ws->stop);
}

/* The store is told of pages that went before it stops too. */
static void end_parts(websocket *ws) {
  for (deadline *d; (d = deadline_expire(&ws->waits[WS_WAIT_PARTED], INT64_MAX)) != NULL;)
    ws_socket_end_part((ws_socket *)(void *)((char *)d - offsetof(ws_socket, parted)));
}

void websocket_stop(websocket *ws, void (*stopped)(void *arg), void *arg) {
  ws->stopping = true;
  end_parts(ws);
  join_stop_begin(&ws->stop, stopped, arg);
  ws->stop_began_ms = clock_mono_ms(ws->config.clock);
  ws->stop_closed_ms = ws->stop_began_ms;
  ws->stop_sockets = ws->config.counters->ws_sockets;
  uv_timer_start(&ws->stop_timer, on_stop_step, 0, STOP_STEP_MS);
}

void websocket_free(websocket *ws) {
  free(ws);
}
