/* The server: REST, WebSocket, ticker and store on a libuv loop of the caller.
 * Everything runs on that loop's thread; nothing here may be called from another.
 *
 *   au_config config;
 *   au_config_init(&config);
 *   if (au_server_create(&loop, &config, &server) == AU_OK &&
 *       au_server_start(server) != AU_OK) au_server_stop(server, on_stopped, NULL);
 *   uv_run(&loop, UV_RUN_DEFAULT);
 *
 * The process must ignore SIGPIPE, as libuv asks. */
#ifndef ACTIVE_USERS_SERVER_H
#define ACTIVE_USERS_SERVER_H

#include <active_users/config.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct au_server au_server;

/* Builds the parts; nothing listens yet. Also when it fails the loop must be run
 * afterwards, until it ends by itself: what was built has handles that close there.
 *
 * loop    the caller's; must outlive the server.
 * config  copied, but its strings are borrowed for the server's life; none is NULL.
 * out     set only on AU_OK; owned by the caller, freed with au_server_free.
 *
 * Returns AU_OK, AU_EINVAL (a field out of its range, a text that cannot be parsed, or
 * no libuv support in libwebsockets) or AU_ENOMEM. */
AU_MUST_CHECK au_status au_server_create(uv_loop_t *loop, const au_config *config, au_server **out);

/* Why the last create, start or reload on this thread failed: one line for a person,
 * never NULL, valid until the next call. */
const char *au_server_error(void);

/* Sockets that listen already, to be used in place of the ports of the configuration, as systemd
 * passes them: HTTP, then WebSocket if that is enabled, then the admin port if there is one. Before
 * the start, which takes the descriptors over; `fds` is borrowed until then. */
void au_server_use_sockets(au_server *server, const int *fds, size_t count);

/* Binds the ports and begins. Connections wait in the kernel while another process has the state
 * file, and for up to two seconds until Redis is reached. Returns AU_OK, AU_ELISTEN or AU_EINVAL
 * (the host is no address, or the sockets are not what is needed); then stop and free the server,
 * which may hold one of the ports. */
AU_MUST_CHECK au_status au_server_start(au_server *server);

/* The ports in use, which differ from the configuration when that says 0. */
uint16_t au_server_http_port(const au_server *server);
uint16_t au_server_ws_port(const au_server *server);
/* 0 without an admin port. */
uint16_t au_server_admin_port(const au_server *server);

/* Takes over limits, origins, trusted proxies and the log level of `config`;
 * other fields are ignored. Returns AU_OK or AU_EINVAL (nothing changed). */
AU_MUST_CHECK au_status au_server_reload(au_server *server, const au_config *config);

/* Stops: no new connections, requests in flight finish, sockets are closed with
 * 1001 spread over `drain_ms`; meanwhile idle connections are answered once more, and
 * they go last; the store ends. `stopped` runs once from the loop; all handles are
 * closed by then. May be called at any time after create, once: a second call is
 * ignored, its callback too. */
void au_server_stop(au_server *server, void (*stopped)(void *arg), void *arg);

/* Frees a server whose `stopped` has run, or is running. A server that was created must
 * be stopped first, started or not. NULL is fine. */
void au_server_free(au_server *server);

#ifdef __cplusplus
}
#endif
#endif
