/* The history of all customers of this process, within a limit of memory. Synchronous; knows no
 * clock and no loop: time goes by what is put.
 *
 * Over the limit the quietest of the next HISTORY_TABLE_LOOKS customers gives up its minutes, for
 * one that is busier or for anybody's hours; when none of many has minutes, the oldest day of hours
 * of the quietest goes, and at last the customer. Customers are looked at in turn, so neither costs
 * more the more there are. */
#ifndef ADAPTERS_HISTORY_TABLE_H
#define ADAPTERS_HISTORY_TABLE_H

#include <active_users/history.h>

#include "utils/map.h"

enum {
  HISTORY_TABLE_LOOKS = 16,
  HISTORY_TABLE_ROUNDS = 8, /* of looks, for one record of hours; one for one of minutes */
};

typedef struct history_table history_table;

/* max_bytes  of all records, sets of sessions and customers, with the holes that malloc has between
 *            them: what is counted stays an eighth below. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status history_table_create(map_seed seed, size_t max_bytes, history_table **out);
void history_table_free(history_table *t);

/* As in active_users/history.h. Dropped when there is neither room nor memory. */
void history_table_put(history_table *t, au_slice customer_id, const au_history_put *put);
void history_table_seen(history_table *t, au_slice customer_id, uint64_t session_hash,
                        uint32_t day);

/* Reads into `minutes` and `hours`, which have room for what is asked for; `out` then points at
 * them. Zeros for an unknown customer. */
void history_table_get(const history_table *t, au_slice customer_id, const au_history_ask *ask,
                       unsigned char *minutes, unsigned char *hours, au_history_answer *out);

/* What the table counts against its limit, and how many customers it knows. */
size_t history_table_bytes(const history_table *t);
size_t history_table_customers(const history_table *t);

/* Whether a customer keeps hours alone; false for an unknown one. */
bool history_table_is_hours_only(const history_table *t, au_slice customer_id);

#endif
