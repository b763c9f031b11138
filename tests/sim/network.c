/* Socket pairs with delays. */
#include "network.h"
#include "adapters/redis/link/connect.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fake.h"
#include "fleet.h"
#include "report.h"

struct chunk {
  chunk *next;
  int64_t due_ms;
  size_t len, sent;
  char bytes[];
};

enum { PARTITIONS_MAX = 64, CONNECTIONS_MAX = 128, INPUT_MAX = 4 * 1024 * 1024 };

static struct {
  connection *first;
  rng random;
  int host;
  int64_t least_ms, most_ms;
  struct {
    const struct fake *server;
    int host;
    int64_t until_ms;
  } parts[PARTITIONS_MAX];
  size_t part_count;
} net;

void network_begin(uint64_t seed) {
  memset(&net, 0, sizeof net);
  net.random = rng_of(seed, 2);
  net.most_ms = 2;
}

void network_set_delay(int64_t least_ms, int64_t most_ms) {
  net.least_ms = least_ms;
  net.most_ms = most_ms;
}

void network_enter(int host) {
  net.host = host;
}

connection *network_connections(void) {
  return net.first;
}

size_t network_open(void) {
  size_t n = 0;
  for (const connection *c = net.first; c; c = c->next) n++;
  return n;
}

/* ---- chunks ----------------------------------------------------------------- */

static void drop_chunks(chunk **first, chunk **last) {
  while (*first) {
    chunk *next = (*first)->next;
    free(*first);
    *first = next;
  }
  *last = NULL;
}

static void queue(connection *c, bool inwards, au_slice bytes) {
  int64_t *last_due = inwards ? &c->in_due_ms : &c->out_due_ms;
  int64_t due = sim_ms() + c->delay_ms + rng_below(&net.random, c->delay_ms + 1);
  if (due < *last_due) due = *last_due;
  *last_due = due;
  chunk *k = malloc(sizeof *k + bytes.len);
  if (!k) abort();
  k->next = NULL;
  k->due_ms = due;
  k->len = bytes.len;
  k->sent = 0;
  if (bytes.len > 0) memcpy(k->bytes, bytes.ptr, bytes.len);
  chunk **first = inwards ? &c->in : &c->out, **last = inwards ? &c->in_last : &c->out_last;
  if (*last)
    (*last)->next = k;
  else
    *first = k;
  *last = k;
}

static void pop(chunk **first, chunk **last) {
  chunk *k = *first;
  *first = k->next;
  if (!*first) *last = NULL;
  free(k);
}

void network_send(connection *c, au_slice bytes) {
  if (c->fd >= 0 && bytes.len > 0) queue(c, false, bytes);
}

/* ---- connections ------------------------------------------------------------ */

static void close_end(connection *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  drop_chunks(&c->out, &c->out_last);
}

static void connection_free(connection *c) {
  for (connection **at = &net.first; *at; at = &(*at)->next) {
    if (*at != c) continue;
    *at = c->next;
    break;
  }
  close_end(c);
  drop_chunks(&c->in, &c->in_last);
  for (size_t i = 0; i < c->channel_count; i++) free((char *)(uintptr_t)c->channels[i].ptr);
  buffer_free(&c->input);
  free(c);
}

static bool is_parted(const struct fake *server) {
  for (size_t i = 0; i < net.part_count; i++)
    if (net.parts[i].until_ms > sim_ms() &&
        (!net.parts[i].server || net.parts[i].server == server) &&
        (net.parts[i].host < 0 || net.parts[i].host == net.host))
      return true;
  return false;
}

static redisContext *refused(void) {
  redisContext *context = redisConnectFd(-1);
  if (!context) abort();
  context->err = REDIS_ERR_IO;
  strcpy(context->errstr, "Connection refused");
  return context;
}

/* In place of hiredis's. */
redisContext *redis_connect_unix(const char *path) {
  (void)path;
  return refused();
}

redisContext *redis_connect_tcp(const char *host, uint32_t port) {
  struct fake *server = fleet_at(host, port);
  if (!server || !fake_accepts(server) || is_parted(server)) return refused();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
    report_failure("the simulation has no more descriptors", "%s", strerror(errno));
  connection *c = calloc(1, sizeof *c);
  if (!c) abort();
  c->server = server;
  c->host = net.host;
  c->fd = ends[1];
  c->delay_ms = rng_between(&net.random, net.least_ms, net.most_ms);
  buffer_init(&c->input, INPUT_MAX);
  connection **at = &net.first; /* behind the others: the oldest is served first */
  while (*at) at = &(*at)->next;
  *at = c;
  redisContext *context = redisConnectFd(ends[0]);
  if (!context) abort();
  context->connection_type = REDIS_CONN_UNIX; /* no keep-alive on a socket pair */
  return context;
}

/* ---- moving ----------------------------------------------------------------- */

/* Takes what a client has sent. */
static bool take(connection *c) {
  char room[64 * 1024];
  bool moved = false;
  while (!c->client_gone && c->fd >= 0) {
    ssize_t n = recv(c->fd, room, sizeof room, 0);
    if (n > 0) {
      queue(c, true, (au_slice){room, (size_t)n});
      moved = true;
    } else if (n == 0 || errno != EAGAIN) {
      c->client_gone = true;
      drop_chunks(&c->out, &c->out_last);
    } else {
      break;
    }
  }
  return moved;
}

static bool give(connection *c) {
  bool moved = false;
  while (c->fd >= 0 && !c->client_gone && c->out && c->out->due_ms <= sim_ms()) {
    chunk *k = c->out;
    ssize_t n = send(c->fd, k->bytes + k->sent, k->len - k->sent, MSG_NOSIGNAL);
    if (n < 0) break;
    report_mix(k->bytes + k->sent, (size_t)n);
    moved = true;
    k->sent += (size_t)n;
    if (k->sent == k->len) pop(&c->out, &c->out_last);
  }
  if (c->closing && !c->out) close_end(c);
  return moved;
}

/* When the next bytes reach the server; INT64_MAX: none. */
static int64_t arrival_ms(const connection *c) {
  if (!c->in) return INT64_MAX;
  int64_t free_ms = fake_serves_from_ms(c->server);
  return c->in->due_ms > free_ms ? c->in->due_ms : free_ms;
}

static void deliver(connection *c) {
  chunk *k = c->in;
  report_mix(k->bytes, k->len);
  buffer_append(&c->input, k->bytes, k->len);
  pop(&c->in, &c->in_last);
  fake_receive(c->server, c);
}

static connection *next_arrival(void) {
  connection *best = NULL;
  for (connection *c = net.first; c; c = c->next)
    if (arrival_ms(c) <= sim_ms() && (!best || c->in->due_ms < best->in->due_ms)) best = c;
  return best;
}

/* From all clients that have sent something or have gone: one question for all. */
static bool take_all(void) {
  struct pollfd ends[CONNECTIONS_MAX];
  connection *at[CONNECTIONS_MAX];
  nfds_t n = 0;
  bool moved = false;
  for (connection *c = net.first; c && n < CONNECTIONS_MAX; c = c->next) {
    if (c->fd < 0 || c->client_gone) continue;
    ends[n] = (struct pollfd){.fd = c->fd, .events = POLLIN};
    at[n++] = c;
  }
  if (n == 0 || poll(ends, n, 0) <= 0) return false;
  for (nfds_t i = 0; i < n; i++)
    if (ends[i].revents != 0) moved = take(at[i]) || moved;
  return moved;
}

bool network_step(void) {
  bool moved = take_all();
  for (connection *c; (c = next_arrival()) != NULL;) {
    deliver(c);
    moved = true;
  }
  for (connection *c = net.first, *next; c; c = next) {
    next = c->next;
    moved = give(c) || moved;
    if ((c->client_gone && !c->in) || (c->fd < 0 && !c->in)) connection_free(c);
  }
  return moved;
}

int64_t network_next_ms(void) {
  int64_t next = INT64_MAX;
  for (const connection *c = net.first; c; c = c->next) {
    int64_t at = arrival_ms(c);
    if (c->out && c->out->due_ms < at) at = c->out->due_ms;
    if (at < next) next = at;
  }
  return next;
}

/* ---- faults ----------------------------------------------------------------- */

/* The first half of the reply that would come next. */
static void give_half(connection *c) {
  const chunk *k = c->out;
  if (k && c->fd >= 0 && !c->client_gone) (void)!send(c->fd, k->bytes, k->len / 2, MSG_NOSIGNAL);
}

void network_cut_off(struct fake *server, int host, int subscribers, network_cut how) {
  for (connection *c = net.first; c; c = c->next) {
    if ((server && c->server != server) || (host >= 0 && c->host != host)) continue;
    if (subscribers >= 0 && c->subscriber != (subscribers == 1)) continue;
    if (how == CUT_NOW)
      drop_chunks(&c->in, &c->in_last);
    else if (rng_chance(&net.random, 50))
      give_half(c);
    close_end(c);
  }
}

void network_part(struct fake *server, int host, int64_t until_ms) {
  if (net.part_count < PARTITIONS_MAX) {
    net.parts[net.part_count].server = server;
    net.parts[net.part_count].host = host;
    net.parts[net.part_count++].until_ms = until_ms;
  }
  network_cut_off(server, host, -1, CUT_NOW);
}

void network_end(void) {
  while (net.first) {
    if (net.first->fd >= 0 && !net.first->client_gone)
      report_failure("a connection was left open", "to %s", fake_name(net.first->server));
    connection_free(net.first);
  }
}
