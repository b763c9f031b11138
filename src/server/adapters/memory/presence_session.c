/* How the words of a session are laid out. */
#include "presence_session.h"

#include "utils/buffer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 2 * AU_ID_MAX + AU_PLATFORM_MAX + AU_USER_AGENT_MAX };

/* The texts of a session, wherever their bytes are. */
typedef struct words {
  au_slice id, tab, platform, user_agent;
  bool is_leader;
} words;

static bool is_id(au_slice s) {
  return s.len >= 1 && s.len <= AU_ID_MAX;
}

bool session_fits(const au_beat *beat) {
  return is_id(beat->customer_id) && is_id(beat->session_id) && is_id(beat->tab_id) &&
         beat->platform.len <= AU_PLATFORM_MAX && beat->user_agent.len <= AU_USER_AGENT_MAX &&
         beat->page.len <= AU_PATH_MAX;
}

static words words_of(const session *s) {
  au_slice tab = session_tab(s);
  au_slice platform = {tab.ptr + tab.len, s->platform_len};
  au_slice user_agent = {platform.ptr + platform.len, s->user_agent_len};
  return (words){session_name(s), tab, platform, user_agent, s->is_leader};
}

static words words_with(words old, const au_beat *beat, bool profile) {
  old.tab = beat->tab_id;
  if (profile) {
    old.platform = beat->platform;
    old.user_agent = beat->user_agent;
    old.is_leader = beat->is_leader;
  }
  return old;
}

static size_t words_bytes(const words *w) {
  return w->id.len + w->tab.len + w->platform.len + w->user_agent.len;
}

static char *put(char *at, au_slice s) {
  if (s.len > 0) memcpy(at, s.ptr, s.len);
  return at + s.len;
}

/* Notes the lengths in `s` and puts the bytes to `to`, where `w` must not point. */
static void words_write(session *s, const words *w, char *to) {
  s->id_len = (uint8_t)w->id.len;
  s->tab_len = (uint8_t)w->tab.len;
  s->platform_len = (uint8_t)w->platform.len;
  s->user_agent_len = (uint16_t)w->user_agent.len;
  s->is_leader = w->is_leader;
  put(put(put(put(to, w->id), w->tab), w->platform), w->user_agent);
}

static session *session_with(const words *w) {
  size_t capacity = words_bytes(w);
  session *s = calloc(1, sizeof *s + capacity);
  if (!s) return NULL;
  s->capacity = (uint16_t)capacity;
  words_write(s, w, s->words);
  return s;
}

session *session_create(const au_beat *beat, bool keep_profile) {
  words w = words_with((words){.id = beat->session_id, .is_leader = true}, beat, keep_profile);
  session *s = session_with(&w);
  if (!s) return NULL;
  s->source = beat->source;
  s->visitor = (uint8_t)beat->visitor;
  s->pending_ms = beat->pending_ms;
  return s;
}

bool session_update(session *s, const au_beat *beat, bool profile) {
  /* By far the most frequent: a beat of the tab that holds the session. */
  if (!profile && slice_eq(session_tab(s), beat->tab_id)) return true;
  words w = words_with(words_of(s), beat, profile);
  if (words_bytes(&w) > s->capacity) return false;
  /* By way of the stack: a tab id of another length moves the kept words. */
  char laid_out[WORDS_MAX];
  words_write(s, &w, laid_out);
  memcpy(s->words, laid_out, words_bytes(&w));
  return true;
}

session *session_grow(const session *s, const au_beat *beat, bool profile) {
  words w = words_with(words_of(s), beat, profile);
  session *larger = session_with(&w);
  if (!larger) return NULL;
  larger->owner = s->owner;
  larger->source = s->source;
  larger->visitor = s->visitor;
  larger->pending_ms = s->pending_ms;
  larger->page = s->page;
  larger->has_other_page = s->has_other_page;
  larger->visibility = s->visibility;
  return larger;
}

void session_read(const session *s, au_beat *out) {
  words w = words_of(s);
  *out = (au_beat){
      .session_id = w.id,
      .tab_id = w.tab,
      .platform = w.platform,
      .user_agent = w.user_agent,
      .timestamp = NAN,
      .is_leader = w.is_leader,
      .visitor = (au_visitor)s->visitor,
      .pending_ms = s->pending_ms,
  };
}
