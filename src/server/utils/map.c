/* A chained hash table with a rehash in steps. */
#include "map.h"

#include "siphash.h"

#include <stdlib.h>
#include <string.h>

enum {
  MAP_MIN_BUCKETS = 8,
  /* Buckets moved by each insert and remove. A table that doubles is moved after
   * an eighth of the inserts that would fill the new one; one that shrinks starts
   * at an eighth of its load and is moved before it can be empty or full again. */
  MAP_STEP_BUCKETS = 8,
  MAP_SHRINK_LOAD = 8, /* shrink below one entry for so many buckets … */
  MAP_SHRINK_BY = 4,   /* … to a size that can still double its entries */
};

typedef struct table {
  map_node **buckets; /* NULL: no table */
  size_t size;        /* a power of two */
  size_t count;
  size_t hint; /* where the last entry was removed: map_any looks on from there */
} table;

/* While `old` has buckets, a rehash is under way: entries of its buckets below
 * `moved` are in `now` already, and new entries go to `now` only. */
struct map {
  map_seed seed;
  table now, old;
  size_t moved;
};

uint32_t map_hash(const map *m, const void *bytes, size_t len, uint64_t salt) {
  return (uint32_t)siphash(m->seed.k0, m->seed.k1, salt, bytes, len);
}

/* ---- one table ------------------------------------------------------------ */

static bool table_init(table *t, size_t size) {
  map_node **buckets = calloc(size, sizeof(map_node *));
  if (!buckets) return false;
  *t = (table){.buckets = buckets, .size = size};
  return true;
}

static void table_drop(table *t) {
  free(t->buckets);
  *t = (table){0};
}

static map_node *table_find(const table *t, uint32_t hash, map_eq_fn eq, const void *key) {
  if (t->count == 0) return NULL;
  for (map_node *n = t->buckets[hash & (t->size - 1)]; n; n = n->next)
    if (n->hash == hash && eq(n, key)) return n;
  return NULL;
}

static void table_add(table *t, map_node *node) {
  map_node **bucket = &t->buckets[node->hash & (t->size - 1)];
  node->next = *bucket;
  *bucket = node;
  t->count++;
}

static bool table_remove(table *t, const map_node *node) {
  if (t->count == 0) return false;
  size_t at = node->hash & (t->size - 1);
  for (map_node **link = &t->buckets[at]; *link; link = &(*link)->next) {
    if (*link != node) continue;
    *link = node->next;
    t->count--;
    t->hint = at;
    return true;
  }
  return false;
}

static map_node *table_any(const table *t) {
  if (t->count == 0) return NULL;
  size_t at = t->hint;
  while (!t->buckets[at]) at = (at + 1) & (t->size - 1);
  return t->buckets[at];
}

/* ---- rehash --------------------------------------------------------------- */

/* Without memory the table stays as it is; the next call tries again. */
static void rehash_begin(map *m, size_t size) {
  table bigger;
  if (!table_init(&bigger, size)) return;
  m->old = m->now;
  m->now = bigger;
  m->moved = 0;
}

static void rehash_step(map *m) {
  if (!m->old.buckets) return;
  for (int i = 0; i < MAP_STEP_BUCKETS && m->moved < m->old.size; i++, m->moved++) {
    map_node *next = m->old.buckets[m->moved];
    m->old.buckets[m->moved] = NULL;
    while (next) {
      map_node *node = next;
      next = node->next;
      table_add(&m->now, node);
      m->old.count--;
    }
  }
  if (m->old.count == 0) table_drop(&m->old);
}

/* One rehash at a time: until it is done, chains may be a little longer. */
static void resize(map *m) {
  rehash_step(m);
  if (m->old.buckets) return;
  size_t size = m->now.size, count = m->now.count;
  if (count > size) {
    rehash_begin(m, size * 2);
  } else if (size > MAP_MIN_BUCKETS && count < size / MAP_SHRINK_LOAD) {
    size_t less = size / MAP_SHRINK_BY;
    rehash_begin(m, less < MAP_MIN_BUCKETS ? MAP_MIN_BUCKETS : less);
  }
}

/* ---- the map -------------------------------------------------------------- */

au_status map_create(map_seed seed, map **out) {
  map *m = calloc(1, sizeof *m);
  if (!m) return AU_ENOMEM;
  m->seed = seed;
  if (!table_init(&m->now, MAP_MIN_BUCKETS)) {
    free(m);
    return AU_ENOMEM;
  }
  *out = m;
  return AU_OK;
}

void map_free(map *m) {
  if (!m) return;
  table_drop(&m->old);
  table_drop(&m->now);
  free(m);
}

map_node *map_find(const map *m, uint32_t hash, map_eq_fn eq, const void *key) {
  map_node *found = table_find(&m->now, hash, eq, key);
  return found ? found : table_find(&m->old, hash, eq, key);
}

void map_insert(map *m, map_node *node, uint32_t hash) {
  node->hash = hash;
  table_add(&m->now, node);
  resize(m);
}

void map_remove(map *m, map_node *node) {
  if (!table_remove(&m->now, node)) table_remove(&m->old, node);
  node->next = NULL;
  resize(m);
}

size_t map_count(const map *m) {
  return m->now.count + m->old.count;
}

map_node *map_any(const map *m) {
  /* The old table first: it is never added to, so its hint only moves on. */
  map_node *found = table_any(&m->old);
  return found ? found : table_any(&m->now);
}

static void visit(const table *t, uint64_t at, void (*fn)(void *arg, map_node *node), void *arg) {
  for (map_node *n = t->buckets[at & (t->size - 1)]; n; n = n->next) fn(arg, n);
}

static uint64_t reverse_bits(uint64_t x) {
  uint64_t out = 0;
  for (int i = 0; i < 64; i++) out |= (x >> i & 1) << (63 - i);
  return out;
}

/* Adds one to the bits of `mask`, from the highest down: so the buckets that one splits into when
 * the table grows stand one behind the other, and a cursor of one size is one of any other (the
 * way Redis walks its tables). */
static uint64_t next_cursor(uint64_t cursor, uint64_t mask) {
  return reverse_bits(reverse_bits(cursor | ~mask) + 1);
}

uint64_t map_scan(const map *m, uint64_t cursor, void (*fn)(void *arg, map_node *node), void *arg) {
  const table *small = &m->now, *large = &m->old;
  if (!m->old.buckets) {
    visit(small, cursor, fn, arg);
    return next_cursor(cursor, small->size - 1);
  }
  if (small->size > large->size) {
    small = &m->old;
    large = &m->now;
  }
  uint64_t small_mask = small->size - 1, large_mask = large->size - 1;
  visit(small, cursor, fn, arg);
  do { /* all that the bucket of the smaller table is, or was, split into */
    visit(large, cursor, fn, arg);
    cursor = next_cursor(cursor, large_mask);
  } while (cursor & (small_mask ^ large_mask));
  return cursor;
}
