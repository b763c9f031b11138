/* The two passes of a round, step by step. Private to the scan. */
#ifndef ADAPTERS_REDIS_SCAN_PASSES_H
#define ADAPTERS_REDIS_SCAN_PASSES_H

#include "batch.h"

/* From the presence keys to the index: keys_pass.c */
void redis_keys_pass_scan(redis_scan *r);
void redis_keys_pass_check(redis_scan *r);
void redis_keys_pass_mend(redis_scan *r);
void redis_keys_pass_add(redis_scan *r);

/* From the indexes to the presence keys: index_pass.c */
void redis_index_pass_customers(redis_scan *r);
void redis_index_pass_members(redis_scan *r);
void redis_index_pass_exists(redis_scan *r);
void redis_index_pass_probe(redis_scan *r);
void redis_index_pass_drop(redis_scan *r);

#endif
