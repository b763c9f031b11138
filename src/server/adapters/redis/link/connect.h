/* Opens a connection and gives hiredis its descriptor. hiredis 0.14 connects by itself too, but
 * ends the process when there is no memory for its copy of the address. */
#ifndef ADAPTERS_REDIS_CONNECT_H
#define ADAPTERS_REDIS_CONNECT_H

#include <hiredis/hiredis.h>
#include <stdint.h>

/* Begin to connect, without waiting: the descriptor is writable when that is done, and its
 * SO_ERROR says how it went. Returns a context that redisFree ends, with `err` and `errstr`
 * set when it failed at once, or NULL when out of memory. */
redisContext *redis_connect_tcp(const char *numeric_host, uint32_t port);
redisContext *redis_connect_unix(const char *path);

#endif
