/* A whole server, and a client of it. */
#include "client.h"
#include "fuzz.h"

#include <active_users/server.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  CHECK_EVERY = 256,    /* inputs */
  PATIENCE_TURNS = 500, /* of a check, 1 ms each */
};

static uv_loop_t loop;
static au_server *server;
static uint32_t opened;

static void start(void) {
  au_config config;
  au_config_init(&config);
  config.host = "127.0.0.1";
  config.http_port = config.ws_port = 0;
  config.trusted_proxies = "127.128.0.0/9";
  config.max_customers = 200; /* full tables are part of what is fuzzed */
  config.max_sessions = 2000;
  config.log_level = AU_LOG_ERROR;
  signal(SIGPIPE, SIG_IGN);
  must(uv_loop_init(&loop) == 0);
  must(au_server_create(&loop, &config, &server) == AU_OK);
  must(au_server_start(server) == AU_OK);
}

static void hear(client *c) {
  for (;;) {
    char dropped[4096];
    size_t room = sizeof c->heard - c->heard_len;
    ssize_t n = room > 0 ? recv(c->fd, c->heard + c->heard_len, room, MSG_DONTWAIT)
                         : recv(c->fd, dropped, sizeof dropped, MSG_DONTWAIT);
    if (n <= 0) return;
    if (room > 0) c->heard_len += (size_t)n;
  }
}

static void turns(client *c, unsigned n) {
  for (unsigned i = 0; i < n; i++) uv_run(&loop, UV_RUN_NOWAIT);
  hear(c);
}

static bool becomes_connected(int fd) {
  struct pollfd wait = {.fd = fd, .events = POLLOUT};
  int error = 0, n;
  socklen_t size = sizeof error;
  do n = poll(&wait, 1, PATIENCE_TURNS);
  while (n < 0 && errno == EINTR);
  return n == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

void client_open(client *c, bool by_proxy) {
  if (!server) start();
  uint32_t number = ++opened & 0x7ffffe;
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(0x7f000000u | (by_proxy ? 0x800000u : 0) | (number + 2));
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(au_server_http_port(server))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct linger reset = {.l_onoff = 1}; /* leaves no port in TIME_WAIT */

  c->heard_len = 0;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(c->fd >= 0);
  must(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
  must(bind(c->fd, (struct sockaddr *)&from, sizeof from) == 0);
  int status = connect(c->fd, (struct sockaddr *)&to, sizeof to);
  /* libFuzzer's timer interrupts it; then it goes on by itself. */
  must(status == 0 || (errno == EINTR && becomes_connected(c->fd)));
  turns(c, 1);
}

void client_send(client *c, uint8_t how, const void *bytes, size_t len) {
  fuzz_pieces pieces = fuzz_pieces_of(how);
  const char *at = bytes;
  while (len > 0) {
    size_t n = fuzz_piece(&pieces, len);
    for (size_t done = 0; done < n;) {
      ssize_t sent = send(c->fd, at + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent < 0) { /* it reads no more of us: slow, or ended */
        turns(c, CLIENT_TURNS);
        return;
      }
      done += (size_t)sent;
    }
    turns(c, 2);
    at += n;
    len -= n;
  }
  turns(c, CLIENT_TURNS);
}

static void check_others(void) {
  static const char ask[] = "GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  static const char yes[] = "HTTP/1.1 200 ";
  static client other;
  client_open(&other, false);
  client_send(&other, 0, ask, sizeof ask - 1);
  for (unsigned i = 0; i < PATIENCE_TURNS && other.heard_len == 0; i++) {
    usleep(1000);
    turns(&other, 1);
  }
  must(other.heard_len > sizeof yes && memcmp(other.heard, yes, sizeof yes - 1) == 0);
  close(other.fd);
}

void client_close(client *c) {
  close(c->fd);
  for (unsigned i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
  if (opened % CHECK_EVERY == 0) check_others();
}
