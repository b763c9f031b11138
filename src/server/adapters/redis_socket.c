/* A hiredis context under uv_poll. Must not know commands, who waits for an answer, or
 * what happens after a loss. */
#include "redis_socket.h"

#include "../utils/buffer.h"

#include <errno.h>
#include <fcntl.h>
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
};

typedef enum phase { CONNECTING, SHAKING_HANDS, OPEN } phase;

static const char too_large[] = "a reply is larger than any that was asked for";

struct redis_socket {
  redis_socket_events events;
  redisContext *context; /* NULL until the address is known, and after the end */
  uv_poll_t poll;
  uv_idle_t turn; /* active while there is something to write or a failure to tell */
  uv_getaddrinfo_t lookup;
  redis_endpoint to;
  redis_tls *tls; /* NULL: plain */
  redis_tls_session *session;
  unsigned attempt;
  unsigned holds; /* handles and requests that still point here */
  int interest;   /* what `poll` waits for */
  phase phase;
  bool polling, looking_up, closed;
  buffer output;      /* not sent yet */
  size_t reply_bytes; /* of the reply that is arriving */
  char why[WHY_SIZE]; /* not "": the failure to tell */
#if HIREDIS_MAJOR < 1
  redisReplyObjectFunctions limited, *original;
#endif
};

/* ---- the end -------------------------------------------------------------- */

static void let_go(redis_socket *s) {
  if (--s->holds > 0) return;
  redis_socket_events events = s->events;
  buffer_free(&s->output);
  free(s);
  events.freed(events.arg);
}

static void on_handle_closed(uv_handle_t *handle) {
  let_go(handle->data);
}

void redis_socket_close(redis_socket *s) {
  if (s->closed) return;
  s->closed = true;
  if (s->polling) uv_close((uv_handle_t *)&s->poll, on_handle_closed); /* before its descriptor */
  uv_close((uv_handle_t *)&s->turn, on_handle_closed);
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

/* What arrives and what is sent: the number of bytes, 0 when there is to be waited, or -1
 * with *why. */
static ssize_t receive(redis_socket *s, void *room, size_t size, const char **why) {
  if (s->session) return redis_tls_read(s->session, room, size, why);
  ssize_t n = recv(s->context->fd, room, size, 0);
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
  if (s->output.len > 0) {
    ssize_t n = transmit(s, buffer_slice(&s->output), &why);
    if (n < 0) {
      fail(s, why);
      return;
    }
    buffer_consume(&s->output, (size_t)n);
  }
  if (s->output.len == 0 && s->output.cap > OUTPUT_KEPT_BYTES) buffer_free(&s->output);
  set_interest(s, s->output.len == 0 ? UV_READABLE : UV_READABLE | UV_WRITABLE);
}

void redis_socket_read(redis_socket *s) {
  if (s->closed || s->phase != OPEN) return;
  char room[READ_BYTES];
  const char *why;
  ssize_t n = receive(s, room, sizeof room, &why);
  if (n == 0) return;
  if (n < 0) {
    fail(s, why);
    return;
  }
  redisReader *reader = s->context->reader;
  if (redisReaderFeed(reader, room, (size_t)n) != REDIS_OK) {
    fail(s, reader->errstr);
    return;
  }
  s->reply_bytes += (size_t)n;
  void *reply = NULL;
  while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
    s->reply_bytes = reader->len - reader->pos;
    s->events.replied(s->events.arg, reply);
    freeReplyObject(reply);
    if (s->closed) return; /* by the event: reader and context are gone */
  }
  if (reader->err)
    fail(s, s->why[0] != '\0' ? s->why : reader->errstr);
  else if (s->reply_bytes > REDIS_REPLY_MAX_BYTES || reader->ridx > REDIS_REPLY_MAX_DEPTH)
    fail(s, too_large);
}

au_status redis_socket_write(redis_socket *s, au_slice bytes) {
  if (bytes.len > REDIS_OUTPUT_MAX_BYTES - s->output.len) return AU_EBUSY;
  buffer_append_slice(&s->output, bytes);
  if (s->output.failed) {
    s->output.failed = false; /* nothing was appended: what waits is still whole */
    return AU_ENOMEM;
  }
  uv_idle_start(&s->turn, on_turn);
  return AU_OK;
}

/* Idle handles run once a turn and keep the loop from sleeping, so whatever a turn
 * queued leaves in one write, without asking epoll. */
static void on_turn(uv_idle_t *turn) {
  redis_socket *s = turn->data;
  uv_idle_stop(turn);
  if (s->why[0] != '\0')
    fail(s, s->why);
  else
    flush(s);
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

/* The first event tells whether connecting worked. */
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

/* Tells a failure from the loop instead of from inside the caller. */
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
  (void)fcntl(context->fd, F_SETFD, FD_CLOEXEC); /* an embedder may start programs */
  int status = uv_poll_init(s->turn.loop, &s->poll, context->fd);
  if (status != 0) {
    fail_soon(s, uv_strerror(status));
    return;
  }
  s->poll.data = s;
  s->polling = true;
  s->holds++;
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
      adopt(s, redisConnectNonBlock(host, s->to.port));
    else
      fail_soon(s, status < 0 ? uv_strerror(status) : "the host has no address");
  }
  uv_freeaddrinfo(all);
  let_go(s);
}

static bool is_numeric(const char *host) {
  unsigned char room[16];
  return uv_inet_pton(AF_INET, host, room) == 0 || uv_inet_pton(AF_INET6, host, room) == 0;
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
  s->holds++;
}

au_status redis_socket_open(const redis_socket_config *config, redis_socket **out) {
  redis_socket *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->events = config->events;
  s->to = *config->to;
  s->tls = config->tls;
  s->attempt = config->attempt;
  buffer_init(&s->output, REDIS_OUTPUT_MAX_BYTES);
  uv_idle_init(config->loop, &s->turn);
  s->turn.data = s;
  s->holds = 1;
  if (s->to.port == 0)
    adopt(s, redisConnectUnixNonBlock(s->to.host));
  else if (is_numeric(s->to.host))
    adopt(s, redisConnectNonBlock(s->to.host, s->to.port)); /* nothing to look up: no waiting */
  else
    look_up(s, s->to.host);
  *out = s;
  return AU_OK;
}
