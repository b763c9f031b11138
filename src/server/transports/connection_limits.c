/* The arithmetic of connection limits. Counts nothing. */
#include "connection_limits.h"

#include "utils/limits/share.h"
#include "utils/log.h"

#include <string.h>
#include <sys/resource.h>

enum {
  SPARE_DESCRIPTORS = 64,    /* for Redis, logs and files */
  ADMIN_CONNECTIONS = 32,    /* at admin-port: of dashboards, monitoring and operators */
  HEALTH_CONNECTIONS = 32,   /* kept for health checks when all others are taken */
  SOCKETS_A_DESCRIPTOR = 64, /* so many sockets take one more: see ws_contexts.h */
  LEAST_CONNECTIONS_IP = 32, /* that a share of few connections still leaves to an address */
};

connection_limits connection_limits_of(const au_config *config) {
  struct rlimit files = {.rlim_cur = 1024};
  (void)getrlimit(RLIMIT_NOFILE, &files);
  uint64_t limit = files.rlim_cur > UINT32_MAX ? UINT32_MAX : files.rlim_cur;
  uint32_t admin = config->admin_port[0] != '\0' ? ADMIN_CONNECTIONS : 0;
  uint64_t spare = SPARE_DESCRIPTORS + HEALTH_CONNECTIONS + admin;
  bool scarce = limit / 2 <= spare;
  uint64_t most =
      scarce ? limit / 2 : (limit - spare) * SOCKETS_A_DESCRIPTOR / (SOCKETS_A_DESCRIPTOR + 1);
  uint64_t wanted = config->max_connections ? config->max_connections : limit / 10 * 9;
  if (wanted > most && config->max_connections)
    log_warn("server", "max-connections is cut to what the descriptor limit allows",
             LOG_INT("max_connections", most));
  return (connection_limits){
      .all = (uint32_t)(wanted < most ? wanted : most),
      .health = scarce ? 0 : HEALTH_CONNECTIONS,
      .admin = admin,
  };
}

uint32_t connection_limits_of_address(const au_config *config, uint32_t all) {
  uint32_t most = 0, least = all / 2 < LEAST_CONNECTIONS_IP ? all / 2 : LEAST_CONNECTIONS_IP;
  (void)share_parse(config->max_connections_ip, all, &most);
  if (strchr(config->max_connections_ip, '%') && most < least) most = least;
  return most;
}
