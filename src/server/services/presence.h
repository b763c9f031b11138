/* Presence rules: who is active now. Knows no sockets, no JSON, no Redis.
 *
 * Asynchronous functions follow the rule of store.h: AU_OK, and `cb` runs exactly
 * once, later; or another status, and `cb` never runs. Beats are borrowed for the
 * call. */
#ifndef SERVICES_PRESENCE_H
#define SERVICES_PRESENCE_H

#include <active_users/store.h>

#include "../utils/map.h"

/* A beat that comes at least this long after the last one of a live session is
 * paced: it costs nothing of a rate limit. */
enum { PRESENCE_PACED_MS = 10000 };

typedef struct presence presence;

/* store     borrowed for the life of the presence.
 * grace_ms  how long a session outlives its last socket.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status presence_create(au_store *store, int64_t grace_ms, map_seed seed,
                                        presence **out);

/* All seats must have been given back. NULL is fine. */
void presence_free(presence *p);

/* Makes a session live for one TTL, held by this tab; an existing one is renewed
 * and taken over. Statuses: AU_OK, AU_EFULL, AU_ESTORE, AU_ETIMEDOUT, AU_EBUSY,
 * AU_ENOMEM, AU_ECANCELED, now or in cb. */
AU_MUST_CHECK au_status presence_join(presence *p, const au_beat *beat, au_done_fn cb, void *arg);

/* Renews a session for one TTL. A session the store has lost is created again. */
AU_MUST_CHECK au_status presence_beat(presence *p, const au_beat *beat, au_done_fn cb, void *arg);

/* Ends a session if this tab holds it; else nothing changes, which is AU_OK too. */
AU_MUST_CHECK au_status presence_leave(presence *p, const au_beat *beat, au_done_fn cb, void *arg);

/* Counts a customer; an unknown one has zeros and stays unknown. */
AU_MUST_CHECK au_status presence_sample(presence *p, au_slice customer_id, au_sample_fn cb,
                                        void *arg);

/* Whether a beat for this session would be paced, as far as this daemon knows. */
bool presence_paced(const presence *p, const au_beat *beat);

/* The place of one tab, shared by all its sockets on this daemon. */
typedef struct presence_seat presence_seat;

/* Takes the seat of `beat`'s tab; ids are copied, the profile is not. Give it back
 * with presence_stand. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status presence_sit(presence *p, const au_beat *beat, presence_seat **out);

/* A beat of this seat's tab, valid while the seat is held. */
au_beat presence_seat_beat(const presence_seat *seat);

/* Gives a seat back. When the last socket of a tab vanished (not: was closed by
 * this daemon), the deadline of its session moves forward to the grace. */
void presence_stand(presence *p, presence_seat *seat, bool vanished);

#endif
