/* One daemon without its transports: a loop, a store and the services above it, put together as
 * server.c does, with one listener for each customer. */
#ifndef SIM_INSTANCE_H
#define SIM_INSTANCE_H

#include <active_users/config.h>
#include <active_users/store.h>
#include <uv.h>

#include "model.h"
#include "services/presence.h"

typedef struct instance instance;

/* What a listener was told last. */
typedef struct heard {
  au_metrics metrics; /* without an id */
  int64_t at_ms;      /* true time */
  unsigned frames;
} heard;

/* `host` is a number of this start alone. Clocks differ from true time by what `seed` says. */
instance *instance_start(int host, uint64_t seed, const au_config *config, bool listens);
/* Runs one turn of its loop. */
void instance_run(instance *d);
/* True time of its next timer; now when it has something to do; INT64_MAX: never. */
int64_t instance_next_ms(const instance *d);
/* It does not run until then, and nobody is answered. */
void instance_freeze(instance *d, int64_t until_ms);

/* Begins to stop. A killed one has its connections cut first. */
void instance_stop(instance *d, bool killed);
bool instance_is_frozen(const instance *d);
bool instance_is_stopping(const instance *d);
bool instance_has_stopped(const instance *d);
/* Nothing may be left of it in its loop. */
void instance_free(instance *d);

int instance_host(const instance *d);
presence *instance_presence(instance *d);
au_store *instance_store(instance *d);
/* "" when it says that all is well. */
const char *instance_reason(const instance *d);
const heard *instance_heard(const instance *d, int customer);
/* Every operation must end in time, unless the daemon was frozen. */
void instance_check(const instance *d);

/* Calls into it are made as from its loop. */
void instance_enter(instance *d);

#endif
