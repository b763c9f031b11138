/* The listeners of REST, WebSocket and operators, one after the other. */
#include "listen.h"

#include "transports/rest.h"
#include "utils/log.h"

#include <stdio.h>
#include <string.h>

typedef struct place {
  const char *host;
  uint32_t port;
  rest_listener listener;
} place;

static void print_error(au_status status, const place *p, const char *reason, char *error,
                        size_t size) {
  const char *setting = p->listener == REST_LISTENER_ADMIN ? "admin-host: " : "host: ";
  snprintf(error, size, "%scannot listen on host %s, port %u: %s",
           status == AU_EINVAL ? setting : "", p->host, (unsigned)p->port, reason);
  /* The kernel does not say by whom. */
  if (strcmp(reason, uv_strerror(UV_EADDRINUSE)) == 0)
    snprintf(error, size,
             "cannot listen on host %s, port %u: %s, perhaps by another active-users; `ss -ltnp "
             "'sport = :%u'` shows by what, and --reuse-port lets daemons share a port",
             p->host, (unsigned)p->port, reason, (unsigned)p->port);
}

static au_status listen_on(http_server *http, const place *p, uint16_t *in_use, char *error,
                           size_t size) {
  const char *reason = "";
  *in_use = (uint16_t)p->port;
  au_status status = http_server_listen(http, p->host, in_use, p->listener, &reason);
  if (status != AU_OK) print_error(status, p, reason, error, size);
  return status;
}

static au_status adopt(http_server *http, const place *p, int fd, uint16_t *in_use, char *error,
                       size_t size) {
  const char *reason = "";
  au_status status = http_server_adopt(http, fd, in_use, p->listener, &reason);
  if (status != AU_OK) {
    snprintf(error, size, "cannot use descriptor %d, which was passed: %s", fd, reason);
  } else if (p->port != 0 && *in_use != p->port) {
    log_warn("server", "a socket that was passed has another port than the setting; it is used",
             LOG_INT("port", *in_use), LOG_INT("setting", p->port));
  }
  return status;
}

au_status listen_on_all(http_server *http, const au_config *config, bool websocket,
                        const listen_sockets *given, listen_ports *ports, char *error,
                        size_t size) {
  place places[HTTP_MAX_LISTENERS];
  uint16_t *in_use[HTTP_MAX_LISTENERS];
  size_t count = 0;
  in_use[count] = &ports->http;
  places[count++] = (place){config->host, config->http_port, REST_LISTENER_HTTP};
  if (websocket) {
    in_use[count] = &ports->ws;
    places[count++] = (place){config->host, config->ws_port, REST_LISTENER_WS};
  }
  if (config->admin_port[0] != '\0') {
    in_use[count] = &ports->admin;
    places[count++] = (place){config->admin_host, ports->admin, REST_LISTENER_ADMIN};
  }
  if (given->count > 0 && given->count != count) {
    snprintf(error, size,
             "LISTEN_FDS passes %zu, but these settings need %zu: http-port%s%s, in this order",
             given->count, count, websocket ? ", ws-port" : "",
             config->admin_port[0] != '\0' ? ", admin-port" : "");
    return AU_EINVAL;
  }
  au_status status = AU_OK;
  for (size_t i = 0; i < count && status == AU_OK; i++)
    status = given->count > 0 ? adopt(http, &places[i], given->fds[i], in_use[i], error, size)
                              : listen_on(http, &places[i], in_use[i], error, size);
  return status;
}
