/* Stands between the services and a store, and passes everything on: each operation must end
 * exactly once, later, from the loop; and what it says must fit the model. */
#ifndef SIM_SPY_H
#define SIM_SPY_H

#include <active_users/store.h>

typedef struct spy spy;

/* Owns the store from now on. `host` is the daemon's number. */
spy *spy_create(au_store *inner, int host);
au_store *spy_store(spy *s);

/* Operations begun and not ended; the oldest of them began at... */
unsigned spy_open(const spy *s, int64_t *oldest_ms);

#endif
