/* A flat list of keys: a simulation has a few hundred at most. */
#include "db.h"

#include <stdlib.h>
#include <string.h>

#include "utils/buffer.h"

static char *copy_of(au_slice text) {
  char *bytes = malloc(text.len + 1);
  if (!bytes) abort();
  if (text.len > 0) memcpy(bytes, text.ptr, text.len);
  bytes[text.len] = '\0';
  return bytes;
}

uint32_t db_hash(au_slice text) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < text.len; i++) hash = (hash ^ (unsigned char)text.ptr[i]) * 16777619u;
  return hash;
}

static void entry_free(db_entry *e) {
  for (size_t i = 0; i < e->count; i++) free(e->members[i].name);
  free(e->members);
  free(e->value);
  free(e->key);
  free(e);
}

void db_remove(db *d, db_entry *e) {
  for (size_t i = 0; i < d->count; i++)
    if (d->entries[i] == e) d->entries[i] = d->entries[--d->count];
  entry_free(e);
}

void db_expire(db *d, int64_t now_ms) {
  for (size_t i = 0; i < d->count;) {
    db_entry *e = d->entries[i];
    if (e->expires_ms != 0 && e->expires_ms <= now_ms)
      db_remove(d, e);
    else
      i++;
  }
}

db_entry *db_find(db *d, au_slice key, int64_t now_ms) {
  uint32_t hash = db_hash(key);
  for (size_t i = 0; i < d->count; i++) {
    db_entry *e = d->entries[i];
    if (e->hash != hash || !slice_eq(db_key(e), key)) continue;
    if (e->expires_ms == 0 || e->expires_ms > now_ms) return e;
    db_remove(d, e);
    return NULL;
  }
  return NULL;
}

static void append(db *d, db_entry *e) {
  d->entries = realloc(d->entries, (d->count + 1) * sizeof(db_entry *));
  if (!d->entries) abort();
  d->entries[d->count++] = e;
}

db_entry *db_put(db *d, au_slice key, db_type type) {
  db_entry *old = db_find(d, key, INT64_MIN);
  if (old) db_remove(d, old);
  db_entry *e = calloc(1, sizeof *e);
  if (!e) abort();
  e->key = copy_of(key);
  e->key_len = key.len;
  e->hash = db_hash(key);
  e->type = type;
  append(d, e);
  return e;
}

void db_clear(db *d) {
  for (size_t i = 0; i < d->count; i++) entry_free(d->entries[i]);
  free(d->entries);
  *d = (db){0};
}

void db_copy(db *to, const db *from) {
  db_clear(to);
  for (size_t i = 0; i < from->count; i++) {
    const db_entry *e = from->entries[i];
    db_entry *copy = db_put(to, db_key(e), e->type);
    copy->expires_ms = e->expires_ms;
    if (e->value) db_set_value(copy, (au_slice){e->value, e->value_len});
    for (size_t j = 0; j < e->count; j++)
      db_member_add(copy, (au_slice){e->members[j].name, e->members[j].len}, e->members[j].score);
  }
}

void db_move(db *to, db *from, db_entry *e, int64_t clock_ahead_ms) {
  for (size_t i = 0; i < from->count; i++)
    if (from->entries[i] == e) from->entries[i] = from->entries[--from->count];
  db_entry *old = db_find(to, db_key(e), INT64_MIN);
  if (old) db_remove(to, old);
  if (e->expires_ms != 0) e->expires_ms += clock_ahead_ms;
  append(to, e);
}

void db_set_value(db_entry *e, au_slice value) {
  free(e->value);
  e->value = copy_of(value);
  e->value_len = value.len;
}

db_member *db_member_find(const db_entry *e, au_slice name) {
  for (size_t i = 0; i < e->count; i++)
    if (slice_eq((au_slice){e->members[i].name, e->members[i].len}, name)) return &e->members[i];
  return NULL;
}

void db_member_add(db_entry *e, au_slice name, double score) {
  e->members = realloc(e->members, (e->count + 1) * sizeof *e->members);
  if (!e->members) abort();
  e->members[e->count++] = (db_member){copy_of(name), name.len, score};
}

void db_member_remove(db_entry *e, db_member *m) {
  free(m->name);
  *m = e->members[--e->count];
}

static int compare(const void *a, const void *b) {
  const db_member *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? -1 : 1;
  return strcmp(x->name, y->name);
}

void db_sort(db_entry *e) {
  if (e->count > 1) qsort(e->members, e->count, sizeof *e->members, compare);
}
