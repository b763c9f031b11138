/* All scripted servers together: one Redis, one behind sentinels, or a cluster; who serves
 * which slot, what moves, what is copied to replicas, and who dies. Knows no daemons. */
#ifndef SIM_FLEET_H
#define SIM_FLEET_H

#include "fake.h"

enum { FLEET_MAX = 12 };

typedef enum fleet_kind { FLEET_NONE, FLEET_SINGLE, FLEET_SENTINEL, FLEET_CLUSTER } fleet_kind;

typedef enum fleet_data { DATA_KEPT, DATA_OLD, DATA_LOST } fleet_data;

/* masters  of a cluster, each with a replica; else one, with a replica behind sentinels. */
void fleet_begin(uint64_t seed, fleet_kind kind, int masters);
void fleet_end(void);

/* What a daemon is told; valid until the next seed. */
const char *fleet_url(void);

size_t fleet_count(void);
fake *fleet_get(size_t i);
fake *fleet_at(const char *host, int port);

/* What happens by itself: copies to replicas, news of slots, keys that move. */
void fleet_step(void);
int64_t fleet_next_ms(void);

/* For a command: NULL, or where it belongs, as an error in `room`. */
const char *fleet_redirect(const exec *x, bool asking, char *room, size_t size);

/* Keys in a page of a scan: drawn anew each time. */
size_t fleet_page_size(void);

uint16_t fleet_slot(au_slice key);

/* The server that has a customer's keys; NULL when none is up. */
fake *fleet_server_of(const char *customer_id);
/* Since when the server of a customer is away; 0: it is there, or there is none at all. */
int64_t fleet_lost_ms(const char *customer_id);
/* Whether a server has to do with a customer: its keys, or the list that names it. */
bool fleet_touches(const fake *f, const char *customer_id);
/* The name of a key of a customer, with its braces in a cluster. */
au_slice fleet_key(char room[160], const char *prefix, const char *customer_id, const char *rest);

/* ---- faults ------------------------------------------------------------------ */

void fleet_kill(fake *f);
void fleet_start(fake *f, fleet_data data);
/* A replica of `f` takes its place with what was copied to it; NULL when there is none. */
fake *fleet_promote(fake *f);
/* Moves the slot of a key to another master, key by key, over that time. */
bool fleet_move(au_slice key, int64_t over_ms);
bool fleet_is_moving(void);
bool fleet_is_cluster(void);

/* CLUSTER SLOTS and SENTINEL. */
void fleet_slots(exec *x);
void fleet_sentinel(exec *x);

#endif
