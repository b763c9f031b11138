/* What the table of histories and its image for a file share. Nobody else includes it. */
#ifndef ADAPTERS_HISTORY_PRIVATE_H
#define ADAPTERS_HISTORY_PRIVATE_H

#include "history_table.h"
#include "series.h"
#include "utils/hyperloglog.h"
#include "utils/id_map.h"

/* The sessions of a day; day 0: none. */
typedef struct history_day {
  uint32_t day;
  hyperloglog sessions;
} history_day;

/* One customer. All are in a ring, in which the hand of the table goes round. */
typedef struct history_entry {
  map_node node; /* first: the entry is of an id_map */
  struct history_entry *prev, *next;
  series minutes, hours;
  au_peaks peaks;
  bool is_hours_only;
  bool has_minutes;     /* as counted in the table */
  uint8_t days_count;   /* capacity of `days` */
  uint32_t last_minute; /* the newest that was put */
  float activity;
  history_day *days;
  size_t bytes; /* as counted in the table */
} history_entry;

struct history_table {
  id_map entries;
  history_entry *hand; /* the next to be looked at; NULL: no customer */
  size_t bytes, max_bytes;
  size_t with_minutes; /* customers */
  uint32_t now_minute; /* the newest of all that were put */
};

/* The entry of a customer, new or not; NULL without room or memory. */
history_entry *history_entry_of(history_table *t, au_slice customer_id);

/* The set of a day, new or not; NULL when the day is too old, or without memory. */
hyperloglog *history_entry_day(history_entry *e, uint32_t day);

/* Counts anew what an entry has allocated. */
void history_entry_count(history_table *t, history_entry *e);

#endif
