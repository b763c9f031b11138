/* How many connections there may be, made of the configuration and the descriptor limit. */
#ifndef TRANSPORTS_CONNECTION_LIMITS_H
#define TRANSPORTS_CONNECTION_LIMITS_H

#include <active_users/config.h>

typedef struct connection_limits {
  uint32_t all;    /* HTTP and WebSocket together */
  uint32_t health; /* more, for health checks when all others are taken */
  uint32_t admin;  /* more, at admin-port */
} connection_limits;

/* 90 % of the descriptors unless max_connections is set, and never so many that none is left for
 * the daemon itself. Where descriptors are scarce, none is kept for health checks. Logs when
 * max_connections is cut. */
connection_limits connection_limits_of(const au_config *config);

/* Connections of one address, by max_connections_ip; 0: no limit. `all` is as above. */
uint32_t connection_limits_of_address(const au_config *config, uint32_t all);

#endif
