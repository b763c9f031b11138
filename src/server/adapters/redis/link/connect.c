/* Connects a socket for hiredis. */
#include "connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

static redisContext *refuse(redisContext *context, const char *why) {
  context->err = REDIS_ERR_IO;
  snprintf(context->errstr, sizeof context->errstr, "%s", why);
  return context;
}

static redisContext *connect_to(const struct sockaddr *address, socklen_t len) {
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int error = fd < 0 ? errno : 0, on = 1;
  redisContext *context = redisConnectFd(fd);
  if (!context) {
    if (fd >= 0) close(fd);
    return NULL;
  }
  bool tcp = address->sa_family != AF_UNIX;
  context->flags &= ~REDIS_BLOCK; /* an EAGAIN is no error then */
  context->connection_type = tcp ? REDIS_CONN_TCP : REDIS_CONN_UNIX;
  if (error == 0 && tcp) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (error == 0 && connect(fd, address, len) != 0 && errno != EINPROGRESS) error = errno;
  return error == 0 ? context : refuse(context, strerror(error));
}

redisContext *redis_connect_tcp(const char *numeric_host, uint32_t port) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } to;
  memset(&to, 0, sizeof to);
  if (uv_ip4_addr(numeric_host, (int)port, &to.v4) == 0) return connect_to(&to.any, sizeof to.v4);
  if (uv_ip6_addr(numeric_host, (int)port, &to.v6) == 0) return connect_to(&to.any, sizeof to.v6);
  redisContext *context = redisConnectFd(-1);
  return context ? refuse(context, "no address") : NULL;
}

redisContext *redis_connect_unix(const char *path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (strlen(path) < sizeof to.sun_path) {
    memcpy(to.sun_path, path, strlen(path));
    return connect_to((const struct sockaddr *)&to, sizeof to);
  }
  redisContext *context = redisConnectFd(-1);
  return context ? refuse(context, "the path of the socket is too long") : NULL;
}
