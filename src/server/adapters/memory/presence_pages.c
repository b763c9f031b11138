/* Pages of customers, and the sessions that look at them. */
#include "presence_pages.h"

#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

typedef struct page_key {
  const customer *owner;
  au_slice name;
} page_key;

static au_slice page_name(const page *p) {
  return (au_slice){p->name, p->name_len};
}

static bool page_eq(const map_node *node, const void *key) {
  const page *p = (const page *)node;
  const page_key *wanted = key;
  return p->owner == wanted->owner && slice_eq(page_name(p), wanted->name);
}

/* NULL: it gets no name, for there are too many or no memory is left. */
static page *page_create(presence_table *t, customer *owner, au_slice name, uint32_t hash) {
  customer_pages *all = owner->pages;
  if (all->names >= AU_PAGE_NAMES_MAX || map_count(t->pages) >= PRESENCE_PAGE_NAMES_MAX)
    return NULL;
  page *p = calloc(1, sizeof *p + name.len);
  if (!p) return NULL;
  p->owner = owner;
  p->name_len = (uint16_t)name.len;
  memcpy(p->name, name.ptr, name.len);
  p->next = all->first;
  if (p->next) p->next->prev = p;
  all->first = p;
  all->names++;
  map_insert(t->pages, &p->node, hash);
  return p;
}

static page *page_for(presence_table *t, customer *owner, au_slice name) {
  const page_key key = {owner, name};
  uint32_t hash = map_hash(t->pages, name.ptr, name.len, owner->number);
  page *p = (page *)map_find(t->pages, hash, page_eq, &key);
  return p ? p : page_create(t, owner, name, hash);
}

static void page_release(presence_table *t, page *p) {
  if (!p || p->sessions > 0) return;
  customer_pages *all = p->owner->pages;
  if (p->prev)
    p->prev->next = p->next;
  else
    all->first = p->next;
  if (p->next) p->next->prev = p->prev;
  all->names--;
  map_remove(t->pages, &p->node);
  free(p);
}

/* Counts a session, or counts it no more: `one` is 1 or (uint32_t)-1. */
static void count(const session *s, uint32_t one) {
  customer_pages *all = s->owner->pages;
  if (s->page) s->page->sessions += one;
  if (presence_pages_knows(s)) all->sessions += one;
  if (s->visitor != AU_VISITOR_PERSON) return;
  if (s->page) {
    s->page->count += one;
    if (s->visibility == AU_VISIBILITY_VISIBLE) s->page->visible += one;
  }
  if (s->has_other_page) all->other += one;
  if (s->visibility == AU_VISIBILITY_VISIBLE) all->visible += one;
  if (s->visibility == AU_VISIBILITY_HIDDEN) all->hidden += one;
}

static void set_page(presence_table *t, session *s, au_slice name) {
  page *before = s->page;
  s->page = NULL;
  page_release(t, before); /* its name may be the one that makes room */
  if (name.len > 0) s->page = page_for(t, s->owner, name);
  s->has_other_page = name.len > 0 && !s->page;
}

static void release_all(customer *owner) {
  if (owner->pages->sessions > 0) return;
  free(owner->pages);
  owner->pages = NULL;
}

static void tell_changed(const presence_table *t, const customer *owner) {
  const presence_page_events *to = t->config.pages;
  if (to) to->changed(to->arg, id_map_id(owner));
}

/* Whether a session looks at this page; an empty name is no page. */
static bool is_at(const session *s, au_slice name) {
  if (name.len == 0) return !s->page && !s->has_other_page;
  return s->page && slice_eq(page_name(s->page), name);
}

void presence_pages_take(presence_table *t, session *s, const au_beat *beat, bool forgets) {
  bool keeps_visibility = beat->visibility == AU_VISIBILITY_UNKNOWN && !forgets;
  au_visibility visibility = keeps_visibility ? s->visibility : beat->visibility;
  bool keeps_page = (beat->page.len == 0 && !forgets) || is_at(s, beat->page);
  if (keeps_page && visibility == s->visibility) return;
  customer *owner = s->owner;
  if (!owner->pages) owner->pages = calloc(1, sizeof *owner->pages);
  if (!owner->pages) return;
  bool was_known = presence_pages_knows(s);
  count(s, (uint32_t)-1);
  s->visibility = visibility;
  if (!keeps_page) set_page(t, s, beat->page);
  count(s, 1);
  bool begins = !was_known && presence_pages_knows(s);
  release_all(owner);
  tell_changed(t, owner);
  const presence_page_events *to = t->config.pages;
  if (begins && to) to->seen(to->arg, id_map_id(owner), session_name(s));
}

void presence_pages_set_visitor(presence_table *t, session *s, au_visitor visitor) {
  bool knows = presence_pages_knows(s);
  if (knows) count(s, (uint32_t)-1);
  s->visitor = (uint8_t)visitor;
  if (!knows) return;
  count(s, 1);
  tell_changed(t, s->owner);
}

void presence_pages_drop(presence_table *t, session *s) {
  if (!presence_pages_knows(s)) return;
  count(s, (uint32_t)-1);
  set_page(t, s, (au_slice){0});
  s->visibility = AU_VISIBILITY_UNKNOWN;
  release_all(s->owner);
  tell_changed(t, s->owner);
}

void presence_pages_list(const customer *owner, au_page_count *rows, au_breakdown *out) {
  *out = (au_breakdown){.pages = rows};
  const customer_pages *all = owner ? owner->pages : NULL;
  if (!all) return;
  for (const page *p = rows ? all->first : NULL; p; p = p->next)
    if (p->count > 0) rows[out->n++] = (au_page_count){page_name(p), p->count, p->visible};
  out->other = all->other;
  out->visible = all->visible;
  out->hidden = all->hidden;
}

void presence_pages_read(const session *s, au_beat *out) {
  out->page = s->page ? page_name(s->page) : (au_slice){0};
  out->visibility = s->visibility;
}
