/* A hiredis context under uv_poll. */
#include "socket.h"

#include "connect.h"
#include "filter.h"
#include "utils/buffer.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
  WHY_SIZE = 128,
  ADDRESSES_MAX = 16,
  READ_BYTES = REDIS_TLS_RECORD_BYTES, /* a record at a time, so that TLS holds nothing back */
  OUTPUT_KEPT_BYTES = 64 * 1024,       /* of a buffer that is empty */
  REPLIES_A_LOOK = 8,                  /* between two looks at the clock, or so many */
  BYTES_A_LOOK = 2048,                 /* bytes of them: a large one may take long */
};

typedef enum phase { CONNECTING, SHAKING_HANDS, OPEN } phase;

static const char too_large[] = "a reply is larger than any that was asked for";

struct redis_socket {
  redis_socket_events events;
  redisContext *context; /* NULL until the address is known, and after the end */
  uv_poll_t poll;
  uv_idle_t turn;  /* active while there is a backlog, something to write or a failure to report */
  uv_timer_t wait; /* active while all that there is to write can wait */
  uv_getaddrinfo_t lookup;
  redis_endpoint to;
  redis_tls *tls; /* NULL: plain */
  redis_tls_session *session;
  unsigned attempt;
  unsigned refs; /* handles and requests that still point here */
  int interest;  /* what `poll` waits for */
  phase phase;
  bool polling, looking_up, closed;
  bool backlog;  /* the reader may have replies that were not taken */
  buffer output; /* not sent yet */
  redis_filter filter;
  size_t reply_bytes; /* of the reply that is arriving */
  char why[WHY_SIZE]; /* not "": the failure to report */
#if HIREDIS_MAJOR < 1
  redisReplyObjectFunctions limited, *original;
#endif
};

/* ---- the end -------------------------------------------------------------- */

static void socket_unref(redis_socket *s) {
  if (--s->refs > 0) return;
  redis_socket_events events = s->events;
  buffer_free(&s->output);
  free(s);
  events.freed(events.arg);
}

static void on_handle_closed(uv_handle_t *handle) {
  socket_unref(handle->data);
}

void redis_socket_close(redis_socket *s) {
  if (s->closed) return;
  s->closed = true;
  if (s->polling) uv_close((uv_handle_t *)&s->poll, on_handle_closed); /* before its descriptor */
  uv_close((uv_handle_t *)&s->turn, on_handle_closed);
  uv_close((uv_handle_t *)&s->wait, on_handle_closed);
  if (s->looking_up) uv_cancel((uv_req_t *)&s->lookup); /* its callback runs in any case */
  redis_tls_close(s->session);                          /* before its descriptor, too */
  s->session = NULL;
  redisFree(s->context);
  s->context = NULL;
}

static void keep_why(redis_socket *s, const char *why) {
  if (why != s->why) snprintf(s->why, sizeof s->why, "%s", why);
}

const char *redis_socket_reason(const redis_socket *s) {
  switch (s->phase) {
  case CONNECTING: return "redis cannot be reached";
  case SHAKING_HANDS: return redis_tls_reason(s->session);
  case OPEN: break;
  }
  return "the link to redis was lost";
}

/* `why` may lie in the context that is freed here. */
static void fail(redis_socket *s, const char *why) {
  const char *reason = redis_socket_reason(s);
  keep_why(s, why);
  redis_socket_close(s);
  s->events.closed(s->events.arg, reason, s->why); /* the memory stays until the handles close */
}

/* ---- reading and writing -------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_turn(uv_idle_t *turn);

static void set_interest(redis_socket *s, int interest) {
  if (s->interest == interest) return;
  s->interest = interest;
  uv_poll_start(&s->poll, interest, on_poll);
}

/* What is flushed at the end of this turn, or can wait, need not be waited for: libuv takes a
 * descriptor out of its epoll and puts it back for each change. */
static void renew_interest(redis_socket *s) {
  bool waits = s->output.len > 0 && !uv_is_active((uv_handle_t *)&s->turn) &&
               !uv_is_active((uv_handle_t *)&s->wait);
  set_interest(s, (s->backlog ? 0 : UV_READABLE) | (waits ? UV_WRITABLE : 0));
}

/* What arrives and what is sent: the number of bytes, 0 when there is to be waited, or -1
 * with *why. */
static ssize_t receive(redis_socket *s, void *buf, size_t size, const char **why) {
  if (s->session) return redis_tls_read(s->session, buf, size, why);
  ssize_t n = recv(s->context->fd, buf, size, 0);
  if (n > 0) return n;
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  *why = n == 0 ? "the other side closed the connection" : strerror(errno);
  return -1;
}

static ssize_t transmit(redis_socket *s, au_slice bytes, const char **why) {
  if (s->session) return redis_tls_write(s->session, bytes, why);
  ssize_t n = send(s->context->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
  if (n >= 0) return n;
  if (errno == EAGAIN || errno == EINTR) return 0;
  *why = strerror(errno);
  return -1;
}

static void flush(redis_socket *s) {
  const char *why;
  uv_timer_stop(&s->wait);
  if (s->output.len > 0) {
    ssize_t n = transmit(s, buffer_slice(&s->output), &why);
    if (n < 0) {
      fail(s, why);
      return;
    }
    buffer_consume(&s->output, (size_t)n);
  }
  if (s->output.len == 0 && s->output.cap > OUTPUT_KEPT_BYTES) buffer_free(&s->output);
  renew_interest(s);
}

/* One read; false when there is nothing, or the connection has ended. */
static bool feed(redis_socket *s) {
  char buf[READ_BYTES];
  const char *why;
  redisReader *reader = s->context->reader;
  ssize_t n = receive(s, buf, sizeof buf, &why);
  if (n < 0) fail(s, why);
  if (n <= 0) return false;
  au_slice in = {buf, (size_t)n}, out;
  while (redis_filter_next(&s->filter, &in, &out)) {
    s->reply_bytes += out.len;
    if (redisReaderFeed(reader, out.ptr, out.len) == REDIS_OK) continue;
    fail(s, reader->errstr);
    return false;
  }
  return true;
}

/* Whether the bytes that have come can be the beginning of a reply. */
static void check_reader(redis_socket *s) {
  const redisReader *reader = s->context->reader;
  if (reader->err)
    fail(s, s->why[0] != '\0' ? s->why : reader->errstr);
  else if (s->filter.broken)
    fail(s, "Protocol error");
  else if (s->reply_bytes > REDIS_REPLY_MAX_BYTES || reader->ridx > REDIS_REPLY_MAX_DEPTH ||
           s->filter.elements > REDIS_REPLY_MAX_ELEMENTS)
    fail(s, too_large);
}

/* As many whole replies as the budget of a turn allows; the first one in any case. False when
 * there was none. */
static bool take_replies(redis_socket *s) {
  redisReader *reader = s->context->reader;
  uint64_t until_ns = uv_hrtime() + (uint64_t)REDIS_TURN_BUDGET_US * 1000;
  size_t taken = 0, unlooked = 0, looked_at = reader->len - reader->pos;
  void *reply = NULL;
  s->backlog = false;
  while (!s->backlog && redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
    s->reply_bytes = reader->len - reader->pos;
    s->filter.elements = 0;
    s->events.replied(s->events.arg, reply);
    freeReplyObject(reply);
    taken++;
    if (s->closed) return true; /* by the event: reader and context are gone */
    if (++unlooked < REPLIES_A_LOOK && looked_at - s->reply_bytes < BYTES_A_LOOK) continue;
    s->backlog = uv_hrtime() > until_ns;
    unlooked = 0;
    looked_at = s->reply_bytes;
  }
  if (s->backlog)
    uv_idle_start(&s->turn, on_turn);
  else
    check_reader(s);
  if (!s->closed) renew_interest(s);
  return taken > 0;
}

/* Of a backlog nothing but the beginning of a reply may be left. */
void redis_socket_read(redis_socket *s) {
  if (s->closed || s->phase != OPEN) return;
  if (s->backlog && (take_replies(s) || s->closed)) return;
  if (feed(s)) (void)take_replies(s);
}

static void on_waited(uv_timer_t *timer) {
  flush(timer->data);
}

au_status redis_socket_write(redis_socket *s, au_slice bytes, bool can_wait) {
  if (bytes.len > REDIS_OUTPUT_MAX_BYTES - s->output.len) return AU_EBUSY;
  buffer_append_slice(&s->output, bytes);
  if (s->output.failed) {
    s->output.failed = false; /* nothing was appended: what waits is still whole */
    return AU_ENOMEM;
  }
  if (!can_wait || s->output.len > REDIS_WAIT_BYTES)
    uv_idle_start(&s->turn, on_turn);
  else if (!uv_is_active((uv_handle_t *)&s->wait))
    uv_timer_start(&s->wait, on_waited, REDIS_WAIT_MS, 0);
  return AU_OK;
}

/* Idle handles run once a turn and keep the loop from sleeping, so whatever a turn
 * queued leaves in one write, without asking epoll. */
static void on_turn(uv_idle_t *turn) {
  redis_socket *s = turn->data;
  uv_idle_stop(turn);
  if (s->why[0] != '\0') {
    fail(s, s->why);
    return;
  }
  flush(s);
  if (s->backlog) redis_socket_read(s);
}

/* ---- connecting ----------------------------------------------------------- */

/* hiredis 1.x bounds arrays by itself; 0.14 allocates what the reply announces. */
#if HIREDIS_MAJOR >= 1
static void limit_arrays(redis_socket *s) {
  s->context->reader->maxelements = REDIS_REPLY_MAX_ELEMENTS;
}
#else
static void *create_limited_array(const redisReadTask *task, int elements) {
  redis_socket *s = task->privdata;
  if (elements > REDIS_REPLY_MAX_ELEMENTS) {
    keep_why(s, too_large); /* hiredis takes NULL for a lack of memory */
    return NULL;
  }
  return s->original->createArray(task, elements);
}

static void limit_arrays(redis_socket *s) {
  redisReader *reader = s->context->reader;
  s->original = reader->fn;
  s->limited = *reader->fn;
  s->limited.createArray = create_limited_array;
  reader->fn = &s->limited;
  reader->privdata = s;
}
#endif

static int socket_error(const redis_socket *s) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(s->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

static void open_up(redis_socket *s) {
  s->phase = OPEN;
  set_interest(s, UV_READABLE);
  s->events.opened(s->events.arg);
}

static void shake_hands(redis_socket *s) {
  const char *why;
  switch (redis_tls_handshake(s->session, &why)) {
  case REDIS_TLS_DONE: open_up(s); break;
  case REDIS_TLS_WANTS_READ: set_interest(s, UV_READABLE); break;
  case REDIS_TLS_WANTS_WRITE: set_interest(s, UV_WRITABLE); break;
  case REDIS_TLS_FAILED: fail(s, why); break;
  }
}

/* The first event shows whether connecting worked. */
static void settle(redis_socket *s, int status) {
  int error = socket_error(s);
  if (error != 0 || status < 0) {
    fail(s, error != 0 ? strerror(error) : uv_strerror(status));
    return;
  }
  if (s->context->connection_type == REDIS_CONN_TCP) (void)redisEnableKeepAlive(s->context);
  if (!s->tls) {
    open_up(s);
  } else if (redis_tls_open(s->tls, s->context->fd, s->to.host, &s->session) == AU_OK) {
    s->phase = SHAKING_HANDS;
    shake_hands(s);
  } else {
    fail(s, "out of memory");
  }
}

/* libuv reports an error of the descriptor as a status and stops polling. What it means
 * is learned by reading and writing: both are tried then. Each step may end the
 * connection, and the context with it. */
static void on_poll(uv_poll_t *poll, int status, int events) {
  redis_socket *s = poll->data;
  if (status < 0) events = UV_READABLE | UV_WRITABLE;
  if (s->phase == CONNECTING && (events & UV_WRITABLE))
    settle(s, status);
  else if (s->phase == SHAKING_HANDS)
    shake_hands(s);
  if (!s->closed && s->phase == OPEN && (events & UV_READABLE)) redis_socket_read(s);
  if (!s->closed && s->phase == OPEN && (events & UV_WRITABLE)) flush(s);
  if (!s->closed && status < 0) fail(s, uv_strerror(status));
}

/* Reports a failure from the loop instead of from inside the caller. */
static void fail_soon(redis_socket *s, const char *why) {
  keep_why(s, why);
  uv_idle_start(&s->turn, on_turn);
}

static void adopt(redis_socket *s, redisContext *context) {
  if (!context) {
    fail_soon(s, "out of memory");
    return;
  }
  s->context = context;
  if (context->err) {
    fail_soon(s, context->errstr);
    return;
  }
  limit_arrays(s);
  int status = uv_poll_init(s->turn.loop, &s->poll, context->fd);
  if (status != 0) {
    fail_soon(s, uv_strerror(status));
    return;
  }
  s->poll.data = s;
  s->polling = true;
  s->refs++;
  set_interest(s, UV_READABLE | UV_WRITABLE);
}

/* One address of each entry that has one, IPv4 first, as hiredis prefers it. */
static const struct addrinfo *pick(const struct addrinfo *all, unsigned attempt) {
  const struct addrinfo *found[ADDRESSES_MAX] = {NULL};
  static const int families[] = {AF_INET, AF_INET6};
  size_t n = 0;
  for (size_t f = 0; f < 2; f++)
    for (const struct addrinfo *a = all; a && n < ADDRESSES_MAX; a = a->ai_next)
      if (a->ai_family == families[f]) found[n++] = a;
  return n == 0 ? NULL : found[attempt % n];
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *all) {
  redis_socket *s = lookup->data;
  s->looking_up = false;
  if (!s->closed) {
    char host[NI_MAXHOST];
    const struct addrinfo *one = status == 0 ? pick(all, s->attempt) : NULL;
    if (one &&
        getnameinfo(one->ai_addr, one->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) == 0)
      adopt(s, redis_connect_tcp(host, s->to.port));
    else
      fail_soon(s, status < 0 ? uv_strerror(status) : "the host has no address");
  }
  uv_freeaddrinfo(all);
  socket_unref(s);
}

static bool is_numeric(const char *host) {
  unsigned char buf[16];
  return uv_inet_pton(AF_INET, host, buf) == 0 || uv_inet_pton(AF_INET6, host, buf) == 0;
}

static void look_up(redis_socket *s, const char *host) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  s->lookup.data = s;
  int status = uv_getaddrinfo(s->turn.loop, &s->lookup, on_looked_up, host, NULL, &hints);
  if (status != 0) {
    fail_soon(s, uv_strerror(status));
    return;
  }
  s->looking_up = true;
  s->refs++;
}

au_status redis_socket_open(const redis_socket_config *config, redis_socket **out) {
  redis_socket *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->events = config->events;
  s->to = *config->to;
  s->tls = config->tls;
  s->attempt = config->attempt;
  redis_filter_init(&s->filter, config->bulk_max_bytes);
  buffer_init(&s->output, REDIS_OUTPUT_MAX_BYTES);
  uv_idle_init(config->loop, &s->turn);
  uv_timer_init(config->loop, &s->wait);
  s->turn.data = s->wait.data = s;
  s->refs = 2; /* these two */
  if (s->to.port == 0)
    adopt(s, redis_connect_unix(s->to.host));
  else if (is_numeric(s->to.host))
    adopt(s, redis_connect_tcp(s->to.host, s->to.port)); /* nothing to look up: no waiting */
  else
    look_up(s, s->to.host);
  *out = s;
  return AU_OK;
}
