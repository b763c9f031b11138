/* One session of the presence table and its words, in a single allocation: there
 * may be a million. Private to the table. Knows no deadlines and no limits.
 *
 * The texts follow one another in `words`: session id, tab id, and with a
 * profile platform and user agent. */
#ifndef ADAPTERS_PRESENCE_SESSION_H
#define ADAPTERS_PRESENCE_SESSION_H

#include <active_users/types.h>

#include "utils/deadline.h"
#include "utils/map.h"

typedef struct customer customer;
typedef struct page page; /* presence_pages.h */

typedef struct session {
  map_node node; /* first: a node is cast to its session */
  customer *owner;
  deadline deadline;
  int64_t renewed_ms;
  void *source;       /* of the beat that began it */
  page *page;         /* that it looks at, if that has a name here */
  int64_t pending_ms; /* with `visitor` as in au_beat */
  uint16_t capacity;  /* bytes that fit into `words` */
  uint16_t user_agent_len;
  uint8_t id_len, tab_len, platform_len;
  bool is_leader;
  uint8_t visitor;     /* an au_visitor */
  bool has_other_page; /* a page that got no name here */
  uint8_t visibility;  /* an au_visibility */
  char words[];
} session;

/* Whether the lengths of a beat are within the limits of types.h. */
bool session_fits(const au_beat *beat);

/* A session with the words of `beat`, linked nowhere; NULL when out of memory. */
session *session_create(const au_beat *beat, bool keep_profile);

/* Takes over the tab of `beat`, and its profile when `profile` is set. false when
 * that does not fit; nothing has changed then. */
bool session_update(session *s, const au_beat *beat, bool profile);

/* A copy with the words changed as by session_update, linked nowhere but with the
 * same owner, source, visitor and page; NULL when out of memory. */
session *session_grow(const session *s, const au_beat *beat, bool profile);

/* All but the customer's id; slices point into the session. */
void session_read(const session *s, au_beat *out);

static inline au_slice session_name(const session *s) {
  return (au_slice){s->words, s->id_len};
}

static inline au_slice session_tab(const session *s) {
  return (au_slice){s->words + s->id_len, s->tab_len};
}

static inline session *session_of(deadline *d) {
  return (session *)(void *)((char *)d - offsetof(session, deadline));
}

#endif
