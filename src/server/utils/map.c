/* A chained hash table with SipHash-2-4 and a rehash in steps; must not know what
 * its entries are. */
#include "map.h"

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

/* ---- SipHash-2-4 ---------------------------------------------------------- */

typedef struct sip {
  uint64_t v0, v1, v2, v3;
} sip;

static inline uint64_t rotate(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

static inline void sip_round(sip *s) {
  s->v0 += s->v1;
  s->v1 = rotate(s->v1, 13) ^ s->v0;
  s->v0 = rotate(s->v0, 32);
  s->v2 += s->v3;
  s->v3 = rotate(s->v3, 16) ^ s->v2;
  s->v0 += s->v3;
  s->v3 = rotate(s->v3, 21) ^ s->v0;
  s->v2 += s->v1;
  s->v1 = rotate(s->v1, 17) ^ s->v2;
  s->v2 = rotate(s->v2, 32);
}

static inline void sip_block(sip *s, uint64_t word) {
  s->v3 ^= word;
  sip_round(s);
  sip_round(s);
  s->v0 ^= word;
}

/* Byte by byte, so that it is the published function on any machine; compilers
 * make one load of it. */
static inline uint64_t load_le64(const unsigned char *p) {
  return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
         (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* The salt is the first block of the message, not a part of the key: SipHash says
 * nothing about keys that are related. */
uint32_t map_hash(const map *m, const void *bytes, size_t len, uint64_t salt) {
  sip s = {m->seed.k0 ^ 0x736f6d6570736575, m->seed.k1 ^ 0x646f72616e646f6d,
           m->seed.k0 ^ 0x6c7967656e657261, m->seed.k1 ^ 0x7465646279746573};
  sip_block(&s, salt);
  const unsigned char *p = bytes;
  size_t left = len;
  for (; left >= 8; p += 8, left -= 8) sip_block(&s, load_le64(p));
  uint64_t last = (uint64_t)(len + 8) << 56;
  for (size_t i = 0; i < left; i++) last |= (uint64_t)p[i] << (8 * i);
  sip_block(&s, last);
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; i++) sip_round(&s);
  return (uint32_t)(s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
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
