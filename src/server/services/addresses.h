/* What each address of the internet takes of this daemon: open connections, live sessions,
 * requests. One entry stands for an IPv4 address or an IPv6 /64, since one host has all of
 * that; an IPv6 entry also counts in one for its /48, whose limits are
 * ADDRESSES_WIDER_FACTOR times as high. Knows no sockets, no requests and no store. */
#ifndef SERVICES_ADDRESSES_H
#define SERVICES_ADDRESSES_H

#include <active_users/types.h>

#include "blocks.h"
#include "pseudonyms.h"
#include "utils/limits/rate_window.h"
#include "utils/map.h"
#include "utils/net/net.h"

enum {
  ADDRESSES_WIDER_FACTOR = 10,
  ADDRESSES_MAX_IDLE = 200000, /* entries that hold nothing; above it the oldest are evicted */
  ADDRESSES_NEW_SESSIONS_BURST = 1000,
  ADDRESSES_OTHER_PER_MIN = 6000,
  ADDRESSES_EVICT_SAMPLE = 16, /* links that asked to end at most, for one connection */
};

typedef struct addresses addresses;
typedef struct address address; /* one entry; counted references */

/* What a request pays from. Each address has one of each. */
typedef enum address_pot {
  ADDRESS_PRESENCE,     /* joins, and what else of presence costs: rate-ip, a sliding minute */
  ADDRESS_READS,        /* reads of metrics: as large, and apart */
  ADDRESS_NEW_SESSIONS, /* sessions that beats and sockets create: a bucket */
  ADDRESS_OTHER,        /* assets, health, exposition, 404: generous */
  ADDRESS_POTS,
} address_pot;

/* Limits; 0 turns one off. */
typedef struct address_limits {
  uint32_t requests_per_min;     /* ADDRESS_PRESENCE and ADDRESS_READS, each */
  uint32_t new_sessions_per_min; /* ADDRESS_NEW_SESSIONS, beyond ADDRESSES_NEW_SESSIONS_BURST */
  uint32_t max_sessions;         /* live at a time */
  uint32_t max_connections;      /* open at a time, sockets included */
  /* What all addresses share; of it an IPv6 /48 has half at most. 0: not limited by that. */
  uint32_t all_sessions, all_connections;
} address_limits;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status addresses_create(map_seed seed, const address_limits *limits,
                                         addresses **out);
/* All references must have been released. NULL is fine. */
void addresses_free(addresses *all);

/* New limits, from now on; nothing that is open or alive ends. */
void addresses_set_limits(addresses *all, const address_limits *limits);

/* The entry of an address, with one reference for the caller; NULL without memory. Every
 * function below takes NULL for an address, and then allows and counts nothing. */
address *addresses_hold(addresses *all, const net_addr *addr, int64_t now_ms);
/* One reference more; returns `a`. */
address *address_ref(address *a);
void address_release(address *a, int64_t now_ms);

/* What a request would meet, and the same with the request counted when it is allowed;
 * address_spend counts one that address_peek has just allowed. The wider entry is asked too: both
 * count the request or neither does, and the narrower of the two states is returned. `limit` is 0
 * where the limit is off. Loopback pays nothing into ADDRESS_OTHER. `remaining` of
 * ADDRESS_NEW_SESSIONS is what is in the bucket, which may be more than its `limit` a minute.
 * Without memory a request is allowed and not counted. */
rate_state address_peek(address *a, address_pot pot, int64_t now_ms);
rate_state address_take(address *a, address_pot pot, int64_t now_ms);
rate_state address_spend(address *a, address_pot pot, int64_t now_ms);

/* Counts one more open connection. At the limit one of the linked connections of the address ends
 * for it; false, and nothing counted, when none can. */
bool address_connect(address *a);
void address_disconnect(address *a);
uint32_t address_connections(const address *a);

/* A connection of an address that may have to end for another one of the same address. Lies in
 * the connection, all zero while it is linked to no address. */
typedef struct address_link address_link;
struct address_link {
  address *owner;
  address_link *prev, *next;
  /* Ends the connection, removes its link and gives its place back (address_disconnect). Returns
   * false, and does nothing, when the connection is in use. */
  bool (*evict)(address_link *link);
};

/* Links a connection, as the youngest. The caller's reference to the address must outlive the
 * link. Nothing when `a` is NULL. */
void address_link_add(address *a, address_link *link);
/* Nothing when it is not linked. */
void address_link_remove(address_link *link);

/* Whether one more live session fits. Sessions on their way to the store are not counted, so
 * an address may pass the limit by what it has in flight. */
bool address_has_capacity(const address *a);
/* A session of this address began or ended in the store. Each began holds a reference. */
void address_session_began(address *a);
void address_session_ended(address *a, int64_t now_ms);
uint32_t address_sessions(const address *a);
/* The limit that address_has_capacity goes by; 0: none. */
uint32_t address_max_sessions(const address *a);
/* Those of its /48, where there is one. */
uint32_t address_sessions_widely(const address *a);

/* ---- for operators */

/* From now on addresses have pseudonyms, and can be blocked. Both are borrowed. */
void addresses_set_names(addresses *all, const pseudonyms *names, const blocks *blocked);

/* Is told of each request that an entry has paid for, wider ones included. NULL: nobody is. */
void addresses_on_spent(addresses *all, void (*spent)(void *arg, address *a, address_pot pot),
                        void *arg);

/* Counts `n` requests that were allowed elsewhere, in this entry alone. */
void address_charge(address *a, address_pot pot, uint32_t n, int64_t now_ms);

/* The pseudonym; 0 without a name. */
uint64_t address_name(const address *a);
/* When the block of an address ends, on the clock of `now_ms`; 0: it is not blocked. */
int64_t address_blocked_until_ms(address *a, int64_t now_ms);

/* How many entries there are, wider ones included. */
size_t addresses_count(const addresses *all);

#endif
