/* Presence rules: who is active now. Knows no sockets, no JSON, no Redis.
 *
 * Asynchronous functions follow the rule of store.h: AU_OK, and `cb` runs exactly
 * once, later; or another status, and `cb` never runs. Beats are borrowed for the
 * call; their `source` is an `address`, or NULL for one that is not counted. */
#ifndef SERVICES_PRESENCE_H
#define SERVICES_PRESENCE_H

#include <active_users/store.h>

#include "addresses.h"
#include "utils/map.h"

/* A beat that comes at least this long after the last one of a live session is
 * paced: it costs nothing of a rate limit. */
enum { PRESENCE_PACED_MS = 10000 };

/* When to come back to an address that has as many sessions as it may: some will have ended. */
enum { PRESENCE_FULL_MS = 60000 };

/* How long a session outlives the page of its last socket, when the browser says that the page
 * went: the grace that a page of the SDK names in its leave (GRACE_MS of src/client), which a
 * browser at times loses. Never longer than disconnect-grace. */
enum { PRESENCE_PAGE_GRACE_MS = 2500 };

typedef struct presence presence;

/* store     borrowed for the life of the presence.
 * grace_ms  how long a session outlives its last socket.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status presence_create(au_store *store, int64_t grace_ms, map_seed seed,
                                        presence **out);

/* All tabs must have been detached. NULL is fine. */
void presence_free(presence *p);

/* Of max-customers, how many may be held by one address alone; 0, which it begins with: any
 * number. */
void presence_limit_customers(presence *p, uint32_t customers_of_one_address);

/* Asked before presence_join and presence_beat: whether the address of a beat may have the
 * session that it would begin, and when it is of AU_TOUCH_BEAT takes ADDRESS_NEW_SESSIONS from
 * it; a join has paid as a request. A session that lives here costs nothing.
 *
 * out  what blocks, when it is not allowed: its `limit` is ADDRESS_NEW_SESSIONS, or the sessions or
 *      customers that one address may have; `reset_in_ms` says when to come back.
 * Returns AU_OK or AU_ELIMIT. */
AU_MUST_CHECK au_status presence_admit(presence *p, const au_beat *beat, au_touch_kind kind,
                                       int64_t now_ms, rate_state *out);

/* Makes a session live for one TTL, held by this tab; an existing one is renewed
 * and taken over. Statuses: AU_OK, AU_EFULL, AU_ESTORE, AU_ETIMEDOUT, AU_EBUSY,
 * AU_ENOMEM, AU_ECANCELED, now or in cb. */
AU_MUST_CHECK au_status presence_join(presence *p, const au_beat *beat, au_done_fn cb, void *arg);

/* Renews a session for one TTL. A session the store has lost is created again. */
AU_MUST_CHECK au_status presence_beat(presence *p, const au_beat *beat, au_done_fn cb, void *arg);

/* Ends a session if this tab holds it, or with a grace above 0 (up to disconnect-grace) brings its
 * deadline forward to that: whoever is back within it was never away. Another tab of the session
 * that has a socket here takes it over instead, if this one holds it as far as this daemon knows.
 * Else nothing changes, which is AU_OK too. */
AU_MUST_CHECK au_status presence_leave(presence *p, const au_beat *beat, int64_t grace_ms,
                                       au_done_fn cb, void *arg);

/* Counts a customer; an unknown one has zeros and stays unknown. */
AU_MUST_CHECK au_status presence_sample(presence *p, au_slice customer_id, au_sample_fn cb,
                                        void *arg);

/* As au_store.breakdown. */
AU_MUST_CHECK au_status presence_breakdown(presence *p, au_slice customer_id, bool with_pages,
                                           au_breakdown_fn cb, void *arg);

/* What a sign of life would find, as far as this daemon knows. */
typedef enum presence_state {
  PRESENCE_NEW,       /* no such session: it begins one */
  PRESENCE_RECENT,    /* a live one that was renewed less than PRESENCE_PACED_MS ago */
  PRESENCE_SHORTENED, /* as recent, and its end was brought forward since */
  PRESENCE_PACED,     /* any other live one */
} presence_state;

presence_state presence_state_of(const presence *p, const au_beat *beat);

/* Whether a beat only renews a session that lives on for at least half of its TTL without it, as
 * far as this daemon knows: nobody has to wait until the store has it. */
bool presence_lasts(const presence *p, const au_beat *beat, int64_t ttl_ms);

/* Whether the address of a beat pays ADDRESS_NEW_SESSIONS for bringing a session back that is
 * PRESENCE_SHORTENED: who reloads a page right away is not held up by the limit of those who beat
 * too often. */
bool presence_pays_return(const au_beat *beat, int64_t now_ms);

/* Whether presence_leave would bring the end of a session forward that this tab holds, as far as
 * this daemon knows: it may do that at no cost. */
bool presence_leaves(const presence *p, const au_beat *beat, int64_t grace_ms);

/* A reference to one tab, shared by all its sockets on this daemon. */
typedef struct presence_tab_ref presence_tab_ref;

/* Counts one socket of the tab of `beat`, whose ids were checked (utils/text/id.h). Ids are copied,
 * the profile is not. Ends with presence_detach. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status presence_attach(presence *p, const au_beat *beat, presence_tab_ref **out);

/* A beat of this tab, valid until presence_detach. */
au_beat presence_tab_beat(const presence_tab_ref *tab);

/* Its further beats are of a person or of a bot. Begins with that of the beat which attached it
 * last. */
void presence_tab_set_visitor(presence_tab_ref *tab, au_visitor visitor);

/* How a socket ended. */
typedef enum presence_end {
  PRESENCE_END_CLOSED,       /* by this daemon: the session is not touched */
  PRESENCE_END_DISCONNECTED, /* by the network, by its peer, or for a fault of its peer */
  PRESENCE_END_PAGE_GONE,    /* by its page, or by its browser, which say that the page went */
} presence_end;

/* One socket of the tab has ended. When it was the last and was not closed by this daemon, another
 * tab of the session that has a socket here takes the session over; without one the session ends
 * after disconnect-grace, or after PRESENCE_PAGE_GRACE_MS when the page went. */
void presence_detach(presence *p, presence_tab_ref *tab, presence_end how);

/* One socket of the tab has ended because its page went. The next page mostly comes within moments
 * and takes the session over, so the store is asked for nothing before presence_part_ms: then the
 * caller calls presence_part_end, which shortens the session to the rest of the grace if nobody
 * has taken it over. False: there is nothing to wait for, and the tab is detached. */
AU_MUST_CHECK bool presence_part(presence *p, presence_tab_ref *tab);

/* The tab reference of presence_part is not valid any more. Fine at any time: sooner, the grace is
 * that much shorter. */
void presence_part_end(presence *p, presence_tab_ref *tab);

/* How long to wait, in milliseconds: two fifths of the grace of a page. */
int64_t presence_part_ms(const presence *p);

#endif
