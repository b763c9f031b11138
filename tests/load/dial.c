/* uv_tcp handles. Knows no protocol. */
#include "dial.h"

#include <netinet/in.h>
#include <stdlib.h>

struct conn {
  uv_tcp_t tcp; /* first: handles are cast to connections */
  uv_connect_t request;
  dialer *dialer;
  const conn_events *events;
  void *owner;
  int why;
};

static void on_closed(uv_handle_t *handle) {
  conn *c = (conn *)handle;
  c->events->closed(c->owner, c->why);
  free(c);
}

static void fail(conn *c, int why) {
  if (uv_is_closing((uv_handle_t *)&c->tcp)) return;
  c->why = why;
  /* A handle that is shutting down cannot be reset; ours never are. */
  if (uv_tcp_close_reset(&c->tcp, on_closed) != 0) uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void conn_close(conn *c) {
  fail(c, 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  dialer *d = ((conn *)handle)->dialer;
  *buf = uv_buf_init(d->bytes, sizeof d->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  conn *c = (conn *)stream;
  if (n < 0)
    fail(c, (int)n);
  else if (n > 0)
    c->events->received(c->owner, (au_slice){buf->base, (size_t)n});
}

static void on_connected(uv_connect_t *request, int status) {
  conn *c = (conn *)request->handle;
  if (uv_is_closing((uv_handle_t *)&c->tcp)) return;
  if (status == 0) status = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
  if (status != 0) {
    fail(c, status);
    return;
  }
  uv_tcp_nodelay(&c->tcp, 1);
  c->events->opened(c->owner);
}

/* The port is chosen with the connection, not with the address: otherwise one would be used
 * up for all targets, and each search for one would be longer. */
static int bind_source(conn *c, const struct sockaddr_storage *source) {
  uv_os_fd_t fd;
  int on = 1, status = uv_fileno((uv_handle_t *)&c->tcp, &fd);
  if (status == 0 && source->ss_family == AF_INET &&
      setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0)
    status = UV_ENOTSUP;
  return status != 0 ? status : uv_tcp_bind(&c->tcp, (const struct sockaddr *)source, 0);
}

static void free_unused(uv_handle_t *handle) {
  free(handle);
}

au_status dial(dialer *d, const conn_events *events, void *owner, conn **out) {
  conn *c = calloc(1, sizeof *c);
  if (!c) return AU_ENOMEM;
  *c = (conn){.dialer = d, .events = events, .owner = owner};
  struct sockaddr_storage source = target_source(d->target, d->dialled++);
  int status = uv_tcp_init_ex(d->loop, &c->tcp, source.ss_family);
  if (status != 0) {
    free(c);
    return AU_EFULL;
  }
  status = bind_source(c, &source);
  if (status == 0)
    status = uv_tcp_connect(&c->request, &c->tcp, (const struct sockaddr *)&d->target->address,
                            on_connected);
  if (status != 0) {
    uv_close((uv_handle_t *)&c->tcp, free_unused);
    return status == UV_ENOMEM ? AU_ENOMEM : status == UV_EINVAL ? AU_EINVAL : AU_EFULL;
  }
  *out = c;
  return AU_OK;
}

au_status conn_send(conn *c, au_slice bytes) {
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
  int sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
  return sent >= 0 && (size_t)sent == bytes.len ? AU_OK : AU_ESTORE;
}
