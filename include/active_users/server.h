/* The server: REST, WebSocket, ticker and store on a libuv loop of the caller.
 * Everything runs on that loop's thread; nothing here may be called from another.
 *
 *   au_config config;
 *   au_config_init(&config);
 *   if (au_server_create(&loop, &config, &server) == AU_OK &&
 *       au_server_start(server) == AU_OK) uv_run(&loop, UV_RUN_DEFAULT);
 */
#ifndef ACTIVE_USERS_SERVER_H
#define ACTIVE_USERS_SERVER_H

#include <active_users/config.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct au_server au_server;

/* Builds the parts; nothing listens yet.
 *
 * loop    the caller's; must outlive the server.
 * config  copied, but its strings are borrowed for the server's life.
 * out     set only on AU_OK; owned by the caller, freed with au_server_free.
 *
 * Returns AU_OK, AU_EINVAL (a field out of its range or a text that cannot be
 * parsed) or AU_ENOMEM. */
AU_MUST_CHECK au_status au_server_create(uv_loop_t *loop, const au_config *config, au_server **out);

/* Why the last create or start on this thread failed: one line for a person,
 * never NULL, valid until the next call. */
const char *au_server_error(void);

/* Binds the ports and begins. Returns AU_OK or AU_ELISTEN (nothing listens then;
 * stop and free the server). */
AU_MUST_CHECK au_status au_server_start(au_server *server);

/* The ports in use, which differ from the configuration when that says 0. */
uint16_t au_server_http_port(const au_server *server);
uint16_t au_server_ws_port(const au_server *server);

/* Takes over limits, origins, trusted proxies and the log level of `config`;
 * other fields are ignored. Returns AU_OK or AU_EINVAL (nothing changed). */
AU_MUST_CHECK au_status au_server_reload(au_server *server, const au_config *config);

/* Stops: no new connections, requests in flight finish, sockets are closed with
 * 1001 spread over `drain_ms`, the store ends. `stopped` runs once from the loop;
 * all handles are closed by then. May be called at any time after create. */
void au_server_stop(au_server *server, void (*stopped)(void *arg), void *arg);

/* Frees a server that has stopped, or that was never started. */
void au_server_free(au_server *server);

#ifdef __cplusplus
}
#endif
#endif
