/* What fan-out costs when nothing else is done: an epoll loop that upgrades sockets, and sends one
 * prebuilt frame to all of them when somebody posts. The yardstick of `make bench`, no server: it
 * believes that a request comes in one piece, answers one fixed key, and checks nothing.
 *
 *   bare    listens on a free port of 127.0.0.1, prints it, and ends with its standard input */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FDS = 1 << 16, EVENTS = 1024, READ_BYTES = 16 << 10, BACKLOG = 4096 };

/* The accept key belongs to the key of RFC 6455's example, which au-load sends. */
static const char upgraded[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char done[] = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}";

/* As long as an update of the daemon. */
static const char update_text[] =
    "{\"type\":\"metrics:update\",\"data\":{\"timestamp\":1790000000000,"
    "\"count\":5000,\"ema\":0,\"customerId\":\"load-0000000\"}}";
static const char hello_text[] =
    "{\"type\":\"hello\",\"timestamp\":1790000000000,\"sessionId\":\"s-00000000\"}";

typedef struct frame {
  size_t len;
  char bytes[128];
} frame;

static frame update, hello;
static int sockets[MAX_FDS]; /* those that said who they are */
static int place[MAX_FDS];   /* of a descriptor in `sockets`, plus one; 0: none */
static bool is_socket[MAX_FDS];
static int count;

_Static_assert(sizeof update_text + 3 < sizeof update.bytes, "the update has to fit");

static frame frame_of(const char *text, size_t len) {
  frame f = {0};
  size_t head = len < 126 ? 2 : 4;
  f.bytes[0] = (char)0x81;
  f.bytes[1] = len < 126 ? (char)len : 126;
  f.bytes[3] = (char)len; /* only read when the length is in two bytes */
  memcpy(f.bytes + head, text, len);
  f.len = head + len;
  return f;
}

static void put(int fd, const char *bytes, size_t len) {
  /* A socket that is full or gone is left out; its end is an event of its own. */
  if (send(fd, bytes, len, MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != EPIPE &&
      errno != ECONNRESET)
    perror("send");
}

static void add(int fd) {
  if (place[fd]) return;
  sockets[count++] = fd;
  place[fd] = count;
}

static void drop(int fd) {
  int at = place[fd] - 1;
  if (at >= 0) {
    sockets[at] = sockets[--count];
    place[sockets[at]] = at + 1;
    place[fd] = 0;
  }
  is_socket[fd] = false;
  close(fd);
}

static void on_readable(int fd) {
  static char bytes[READ_BYTES];
  ssize_t n = recv(fd, bytes, sizeof bytes, 0);
  if (n <= 0) {
    if (n == 0 || errno != EAGAIN) drop(fd);
  } else if (is_socket[fd]) {
    add(fd);
    put(fd, hello.bytes, hello.len);
  } else if (n > 7 && memcmp(bytes, "GET /ws", 7) == 0) {
    is_socket[fd] = true;
    put(fd, upgraded, sizeof upgraded - 1);
  } else {
    put(fd, done, sizeof done - 1);
    if (bytes[0] == 'P')
      for (int i = 0; i < count; i++) put(sockets[i], update.bytes, update.len);
  }
}

static bool watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void accept_all(int epoll, int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    if (fd >= MAX_FDS || !watch(epoll, fd)) {
      close(fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
}

static int listen_anywhere(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, BACKLOG) != 0 ||
      getsockname(fd, (struct sockaddr *)&at, &size) != 0)
    return -1;
  printf("%u\n", (unsigned)ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

int main(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
  update = frame_of(update_text, sizeof update_text - 1);
  hello = frame_of(hello_text, sizeof hello_text - 1);
  int epoll = epoll_create1(EPOLL_CLOEXEC), listener = listen_anywhere();
  if (epoll < 0 || listener < 0 || !watch(epoll, listener) || !watch(epoll, STDIN_FILENO)) {
    perror("bare");
    return EXIT_FAILURE;
  }
  static struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == STDIN_FILENO) return EXIT_SUCCESS;
      if (events[i].data.fd == listener)
        accept_all(epoll, listener);
      else
        on_readable(events[i].data.fd);
    }
  }
}
