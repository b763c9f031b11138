/* The connections of a flood: one thread, one epoll. */
#include "flood.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  EVENTS = 512,
  READ_BYTES = 65536,
  WRITES_A_TURN = 8, /* of one connection, so that none starves the others */
  RETRY_MS = 20,     /* after a refused connection */
  TICK_MS = 5,
  TICK_US = TICK_MS * 1000,
  PEER_FIRST = 100,
  PEER_COUNT = 150,
};

typedef enum peer_state { PEER_IDLE, PEER_CONNECTING, PEER_OPEN } peer_state;

typedef struct peer {
  int fd, number;
  peer_state state;
  bool greeted, tried, done, wants_write, ended;
  const flood_payload *now;
  char *copy; /* of a marked payload, with its numbers filled in */
  size_t sent, copy_size;
  uint64_t payloads, answers;
  int64_t retry_ms, next_write_us;
  uint8_t matched; /* of STATUS_LINE, across reads */
  int status;
} peer;

struct flood {
  const flood_options *o;
  flood_report *report;
  int epoll, tried, connected_now;
  uint64_t number, opened_at_rate;
  int64_t began_us;
  peer *peers;
};

static const char STATUS_LINE[] = "HTTP/1.1 ";

static int64_t now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

static void watch(flood *f, peer *p, bool write) {
  struct epoll_event event = {.data.ptr = p};
  event.events = (uint32_t)(p->ended ? 0 : f->o->deaf ? EPOLLRDHUP : EPOLLIN);
  if (write) event.events |= EPOLLOUT;
  p->wants_write = write;
  epoll_ctl(f->epoll, EPOLL_CTL_MOD, p->fd, &event);
}

static bool no_more(const flood *f) {
  return f->o->max_payloads > 0 && f->report->payloads >= f->o->max_payloads;
}

static void close_peer(flood *f, peer *p, bool again) {
  if (f->o->reset) {
    const struct linger none = {1, 0};
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  close(p->fd);
  if (p->state == PEER_OPEN) f->report->open--;
  p->fd = -1;
  p->state = PEER_IDLE;
  p->done = !again || no_more(f);
  p->retry_ms = now_us() / 1000;
}

/* Fills the numbers in; a payload without marks is sent from where it is. */
static const char *bytes_of(flood *f, peer *p) {
  if (!p->now->marked) return p->now->bytes;
  if (p->sent > 0) return p->copy;
  if (p->copy_size < p->now->len) {
    char *grown = realloc(p->copy, p->now->len);
    if (!grown) return NULL;
    p->copy = grown;
    p->copy_size = p->now->len;
  }
  memcpy(p->copy, p->now->bytes, p->now->len);
  char text[24];
  char *end = p->copy + p->now->len, *at = p->copy;
  snprintf(text, sizeof text, "%08llu", (unsigned long long)(f->number++ % 100000000));
  while ((at = memmem(at, (size_t)(end - at), FLOOD_COUNT_MARK, 8))) memcpy(at, text, 8);
  snprintf(text, sizeof text, "%03d", PEER_FIRST + p->number % PEER_COUNT);
  for (at = p->copy; (at = memmem(at, (size_t)(end - at), FLOOD_PEER_MARK, 3));)
    memcpy(at, text, 3);
  return p->copy;
}

static void start_payload(peer *p, const flood_payload *payload) {
  p->now = payload->len > 0 ? payload : NULL;
  p->sent = 0;
}

/* Closes a connection that has sent all that it was to send. */
static bool finished(flood *f, peer *p) {
  const flood_options *o = f->o;
  if (!no_more(f) && (o->per_connection == 0 || p->payloads < o->per_connection)) return false;
  close_peer(f, p, o->reconnect);
  return true;
}

/* One payload is out: what comes behind it. */
static void payload_sent(flood *f, peer *p) {
  const flood_options *o = f->o;
  bool was_first = p->now == &o->first;
  p->now = NULL;
  if (!was_first) {
    p->payloads++;
    f->report->payloads++;
    if (o->next == FLOOD_HOLD || o->next == FLOOD_CLOSE) return;
    if (o->next == FLOOD_ANSWER && p->answers < p->payloads) return;
    if (finished(f, p)) return;
  }
  start_payload(p, &o->payload);
}

static void write_some(flood *f, peer *p) {
  const flood_options *o = f->o;
  for (int i = 0; i < WRITES_A_TURN && p->now; i++) {
    if (o->writes_per_s > 0) {
      int64_t now = now_us();
      if (now < p->next_write_us) {
        if (p->wants_write) watch(f, p, false); /* the tick goes on with it */
        return;
      }
      p->next_write_us = now + 1000000 / (int64_t)o->writes_per_s;
    }
    const char *bytes = bytes_of(f, p);
    if (!bytes) return;
    size_t len = p->now->len - p->sent;
    if (o->write_bytes > 0 && len > o->write_bytes) len = o->write_bytes;
    ssize_t sent = send(p->fd, bytes + p->sent, len, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) {
        if (!p->wants_write) watch(f, p, true);
        return;
      }
      f->report->resets++;
      close_peer(f, p, o->reconnect);
      return;
    }
    f->report->bytes_out += (uint64_t)sent;
    p->sent += (size_t)sent;
    if (p->sent == p->now->len) payload_sent(f, p);
    if (p->state != PEER_OPEN) return;
  }
  if ((p->now != NULL) != p->wants_write) watch(f, p, p->now != NULL);
}

/* Counts answers by their status, wherever in the stream a status line begins. */
static void count_answers(flood *f, peer *p, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (p->matched == 0) {
      const char *found = memchr(bytes + i, 'H', len - i);
      if (!found) return;
      i = (size_t)(found - bytes);
    }
    if (p->matched < sizeof STATUS_LINE - 1) {
      p->matched = bytes[i] == STATUS_LINE[p->matched] ? p->matched + 1 : bytes[i] == 'H';
      p->status = 0;
      continue;
    }
    p->status = p->status * 10 + (bytes[i] - '0');
    if (++p->matched < sizeof STATUS_LINE + 2) continue;
    p->matched = 0;
    p->answers++;
    if (p->status >= 0 && p->status < FLOOD_STATUSES) f->report->by_status[p->status]++;
  }
}

/* The server has ended its side, and a stubborn peer pays no heed. */
static void server_ended(flood *f, peer *p) {
  f->report->ended_by_server++;
  p->ended = true;
  watch(f, p, p->wants_write);
}

static void read_some(flood *f, peer *p) {
  static char bytes[READ_BYTES];
  ssize_t got = recv(p->fd, bytes, sizeof bytes, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got == 0 && f->o->stubborn) {
    server_ended(f, p);
    return;
  }
  if (got <= 0) {
    if (got == 0)
      f->report->ended_by_server++;
    else
      f->report->resets++;
    close_peer(f, p, f->o->reconnect);
    return;
  }
  f->report->bytes_in += (uint64_t)got;
  /* Answers are ASCII: this byte begins the close frame of a WebSocket. */
  if (f->o->next == FLOOD_CLOSE && memchr(bytes, 0x88, (size_t)got)) {
    f->report->ended_by_server++;
    close_peer(f, p, f->o->reconnect);
    return;
  }
  uint64_t before = p->answers;
  count_answers(f, p, bytes, (size_t)got);
  if (f->o->next != FLOOD_ANSWER || p->answers == before || p->now) return;
  if (p->answers < p->payloads || finished(f, p)) return;
  start_payload(p, &f->o->payload);
  write_some(f, p);
}

static void begin_sending(flood *f, peer *p) {
  const flood_options *o = f->o;
  start_payload(p, o->first.len > 0 ? &o->first : &o->payload);
  write_some(f, p);
}

static void tried(flood *f, peer *p) {
  if (!p->tried) f->tried++;
  p->tried = true;
}

static void failed_connect(flood *f, peer *p) {
  f->report->connect_failures++;
  tried(f, p);
  close_peer(f, p, f->o->reconnect);
  p->retry_ms += RETRY_MS;
}

static void connected(flood *f, peer *p) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    failed_connect(f, p);
    return;
  }
  p->state = PEER_OPEN;
  f->report->connects++;
  f->report->open++;
  if (f->report->open > f->report->most_open) f->report->most_open = f->report->open;
  tried(f, p);
  watch(f, p, false);
  if (!f->o->together) begin_sending(f, p);
}

/* The peer's own address: sources follow each other from the first. */
static socklen_t address_of(const flood_options *o, int number, int port,
                            struct sockaddr_storage *out) {
  memset(out, 0, sizeof *out);
  if (strchr(o->source, ':')) {
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_addr = in6addr_loopback;
    v6->sin6_port = htons((uint16_t)port);
    return sizeof *v6;
  }
  struct sockaddr_in *v4 = (struct sockaddr_in *)out;
  v4->sin_family = AF_INET;
  v4->sin_port = htons((uint16_t)port);
  inet_pton(AF_INET, number < 0 ? "127.0.0.1" : o->source, &v4->sin_addr);
  if (number >= 0)
    v4->sin_addr.s_addr = htonl(ntohl(v4->sin_addr.s_addr) + (uint32_t)(number % o->sources));
  return sizeof *v4;
}

static void open_peer(flood *f, peer *p) {
  struct sockaddr_storage from, to;
  socklen_t size = address_of(f->o, p->number, 0, &from);
  address_of(f->o, -1, f->o->port, &to);
  p->fd = socket(from.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  p->retry_ms = now_us() / 1000 + RETRY_MS;
  if (p->fd < 0) return;
  const int one = 1;
  setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (f->o->receive_bytes > 0)
    setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &f->o->receive_bytes, sizeof f->o->receive_bytes);
  p->state = PEER_CONNECTING;
  p->payloads = p->answers = 0;
  p->matched = 0;
  p->ended = false;
  p->now = NULL;
  if (bind(p->fd, (struct sockaddr *)&from, size) != 0 ||
      (connect(p->fd, (struct sockaddr *)&to, size) != 0 && errno != EINPROGRESS)) {
    failed_connect(f, p);
    return;
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = p};
  epoll_ctl(f->epoll, EPOLL_CTL_ADD, p->fd, &event);
}

/* Opens what is to be open and goes on with what pauses between two writes.
 * Returns false when nothing is left to wait for. */
static bool tick(flood *f, bool all_tried) {
  const flood_options *o = f->o;
  int64_t now = now_us();
  bool all_done = true;
  uint64_t allowed = UINT64_MAX;
  if (o->connects_per_s > 0) {
    uint64_t due = (uint64_t)(now - f->began_us) * o->connects_per_s / 1000000 + 1;
    allowed = due > f->opened_at_rate ? due - f->opened_at_rate : 0;
  }
  for (int i = 0; i < o->connections; i++) {
    peer *p = &f->peers[i];
    all_done = all_done && p->done;
    if (p->state == PEER_IDLE && !p->done && now / 1000 >= p->retry_ms && allowed > 0) {
      allowed--;
      f->opened_at_rate++;
      open_peer(f, p);
    }
    if (p->state != PEER_OPEN) continue;
    if (o->together && all_tried && !p->greeted) {
      p->greeted = true;
      begin_sending(f, p);
    } else if (o->writes_per_s > 0 && p->now) {
      write_some(f, p);
    }
  }
  return !all_done;
}

static void on_event(flood *f, peer *p, uint32_t what) {
  if (p->state == PEER_CONNECTING) {
    connected(f, p);
    return;
  }
  if (p->state == PEER_OPEN && f->o->deaf && (what & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))) {
    if (f->o->stubborn && !(what & (EPOLLERR | EPOLLHUP))) {
      server_ended(f, p);
      return;
    }
    if (what & EPOLLERR)
      f->report->resets++;
    else
      f->report->ended_by_server++;
    close_peer(f, p, f->o->reconnect);
    return;
  }
  if (p->state == PEER_OPEN && (what & ~(uint32_t)EPOLLOUT)) read_some(f, p);
  if (p->state == PEER_OPEN && (what & EPOLLOUT)) write_some(f, p);
}

int flood_run(const flood_options *o, flood_report *report, const volatile int *stop,
              void (*ready)(const flood_report *)) {
  flood f = {.o = o, .report = report, .number = o->first_number, .began_us = now_us()};
  f.epoll = epoll_create1(EPOLL_CLOEXEC);
  f.peers = calloc((size_t)o->connections, sizeof *f.peers);
  if (f.epoll < 0 || !f.peers) {
    free(f.peers);
    return -1;
  }
  for (int i = 0; i < o->connections; i++) {
    f.peers[i].number = i;
    f.peers[i].fd = -1;
  }
  bool is_ready = false;
  int64_t until_us = f.began_us + (int64_t)o->seconds * 1000000, next_tick_us = 0;
  while (!*stop && now_us() < until_us) {
    if (now_us() >= next_tick_us) {
      if (!tick(&f, is_ready)) break;
      next_tick_us = now_us() + TICK_US;
    }
    struct epoll_event events[EVENTS];
    int count = epoll_wait(f.epoll, events, EVENTS, TICK_MS);
    for (int i = 0; i < count; i++) on_event(&f, events[i].data.ptr, events[i].events);
    if (!is_ready && f.tried == o->connections) {
      is_ready = true;
      ready(report);
    }
  }
  for (int i = 0; i < o->connections; i++) {
    if (f.peers[i].fd >= 0) close(f.peers[i].fd);
    free(f.peers[i].copy);
  }
  free(f.peers);
  close(f.epoll);
  return 0;
}
