/* The data of one scripted Redis: keys, their types and their ends. Knows no commands. */
#ifndef SIM_DB_H
#define SIM_DB_H

#include <active_users/types.h>

typedef enum db_type { DB_STRING, DB_ZSET, DB_LIST } db_type;

typedef struct db_member {
  char *name;
  size_t len;
  double score;
} db_member;

typedef struct db_entry {
  char *key;
  size_t key_len;
  uint32_t hash; /* of the key: the order of a scan */
  db_type type;
  char *value; /* DB_STRING */
  size_t value_len;
  db_member *members; /* DB_ZSET, in no order */
  size_t count;
  int64_t expires_ms; /* on the server's clock; 0: never */
} db_entry;

typedef struct db {
  db_entry **entries;
  size_t count;
} db;

static inline au_slice db_key(const db_entry *e) {
  return (au_slice){e->key, e->key_len};
}

/* NULL when there is none; one whose time has come is removed. */
db_entry *db_find(db *d, au_slice key, int64_t now_ms);
/* A new, empty entry in place of what was there. */
db_entry *db_put(db *d, au_slice key, db_type type);
void db_remove(db *d, db_entry *e);
/* Removes all whose time has come. */
void db_expire(db *d, int64_t now_ms);
void db_clear(db *d);
void db_copy(db *to, const db *from);
/* Moves one entry from a server to another, whose clock may differ. */
void db_move(db *to, db *from, db_entry *e, int64_t clock_ahead_ms);

void db_set_value(db_entry *e, au_slice value);

db_member *db_member_find(const db_entry *e, au_slice name);
void db_member_add(db_entry *e, au_slice name, double score);
/* An empty set is removed by whoever empties it. */
void db_member_remove(db_entry *e, db_member *m);
/* By score, then by name. */
void db_sort(db_entry *e);

uint32_t db_hash(au_slice text);

#endif
