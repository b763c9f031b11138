/* A table of what was spent here and not told yet, and what the store said last. */
#include "budgets.h"

#include "utils/buffer.h"
#include "utils/deadline.h"
#include "utils/id_map.h"

#include <stdlib.h>
#include <string.h>

/* An entry's key: what it is, and of whom. As the store has it. */
enum { KIND_BYTES = 2 };

typedef struct entry {
  map_node node; /* first: an entry of an id_map */
  deadline kept;
  struct entry *next; /* of those that have something to tell */
  address *of;        /* with a reference; NULL: a customer */
  address_pot pot;
  budgets_customer which;
  bool is_listed;
  uint32_t spent; /* here, and not sent */
  uint32_t sent;  /* with the exchange that is under way */
  int64_t minute; /* of `total`; 0: it was never exchanged */
  uint32_t total; /* what all have spent in that minute, as the store said last */
} entry;

struct budgets {
  budgets_config config;
  id_map entries;
  deadline_queue kept;
  entry *first, *last; /* that have something to tell */
  bool exchanging;
  entry *sent[BUDGETS_EXCHANGE_MAX];
  au_spent rows[BUDGETS_EXCHANGE_MAX];
};

au_status budgets_create(const budgets_config *config, budgets **out) {
  budgets *b = calloc(1, sizeof *b);
  if (!b) return AU_ENOMEM;
  b->config = *config;
  deadline_queue_init(&b->kept, BUDGETS_KEPT_MS);
  au_status status = id_map_init(&b->entries, config->seed, sizeof(entry));
  if (status != AU_OK) {
    free(b);
    return status;
  }
  *out = b;
  return AU_OK;
}

static int64_t now_of(const budgets *b) {
  return clock_mono_ms(b->config.clock);
}

static entry *entry_of(deadline *d) {
  return (entry *)(void *)((char *)d - offsetof(entry, kept));
}

static void drop(budgets *b, entry *e) {
  deadline_cancel(&e->kept);
  address_release(e->of, now_of(b));
  id_map_drop(&b->entries, e);
}

void budgets_free(budgets *b) {
  if (!b) return;
  for (deadline *d; (d = deadline_first(&b->kept));) drop(b, entry_of(d));
  id_map_free(&b->entries);
  free(b);
}

/* ---- what is spent here -------------------------------------------------------------- */

/* NULL: it is not shared, for there are too many or no memory is left. */
static entry *entry_for(budgets *b, au_slice key) {
  entry *e = id_map_find(&b->entries, key);
  if (!e && id_map_count(&b->entries) < BUDGETS_ENTRIES_MAX) e = id_map_add(&b->entries, key);
  if (e) deadline_arm(&b->kept, &e->kept, now_of(b));
  return e;
}

static void list(budgets *b, entry *e) {
  if (e->is_listed) return;
  e->is_listed = true;
  e->next = NULL;
  if (b->last)
    b->last->next = e;
  else
    b->first = e;
  b->last = e;
}

static void count(budgets *b, entry *e) {
  e->spent++;
  list(b, e);
}

static bool is_shared(const budgets *b) {
  return b && b->config.store->ops->share_spent != NULL;
}

void budgets_spent_address(budgets *b, address *a, address_pot pot) {
  if (!is_shared(b) || pot == ADDRESS_OTHER || !b->config.knows_names(b->config.knows_arg)) return;
  char key[KIND_BYTES + PSEUDONYM_ADDRESS_BYTES] = {(char)('a' + (int)pot), ':'};
  pseudonym_print(address_name(a), key + KIND_BYTES);
  entry *e = entry_for(b, (au_slice){key, sizeof key});
  if (!e) return;
  if (!e->of) e->of = address_ref(a);
  e->pot = pot;
  count(b, e);
}

void budgets_spent_customer(budgets *b, budgets_customer which, au_slice customer_id) {
  if (!is_shared(b)) return;
  char key[KIND_BYTES + AU_ID_MAX] = {which == BUDGETS_READS ? 'R' : 'P', ':'};
  memcpy(key + KIND_BYTES, customer_id.ptr, customer_id.len);
  entry *e = entry_for(b, (au_slice){key, KIND_BYTES + customer_id.len});
  if (!e) return;
  e->which = which;
  count(b, e);
}

/* ---- what others have spent ------------------------------------------------------------ */

static void charge(budgets *b, const entry *e, uint32_t n) {
  if (n == 0) return;
  if (e->of) {
    address_charge(e->of, e->pot, n, now_of(b));
    return;
  }
  au_slice key = id_map_id(e);
  b->config.charge_customer(b->config.arg, e->which,
                            (au_slice){key.ptr + KIND_BYTES, key.len - KIND_BYTES}, n);
}

/* What is new to this daemon in what all have spent. Of the minute before an entry that is new here
 * takes the part that is not a minute old yet, as if it had been spent evenly. */
static uint32_t news_of(const entry *e, const au_spent *row, int64_t minute, int64_t into_ms) {
  uint64_t total = row->total, before = row->total_before, old = e->sent;
  if (e->minute == minute)
    old += e->total;
  else if (e->minute == minute - 1)
    total += before > e->total ? before - e->total : 0;
  else
    total += before * (uint64_t)(60000 - into_ms) / 60000;
  uint64_t news = total > old ? total - old : 0;
  return news > UINT32_MAX ? UINT32_MAX : (uint32_t)news;
}

static void expire(budgets *b) {
  int64_t now_ms = now_of(b);
  for (deadline *d; (d = deadline_first(&b->kept)) && d->at_ms <= now_ms;) {
    if (entry_of(d)->is_listed) break; /* since the store was lost */
    drop(b, entry_of(d));
  }
}

/* What a lost store did not get is not sent again: it would be charged when it is long over. */
static void on_exchanged(au_status status, const au_spent *rows, size_t n, int64_t minute,
                         int64_t into_ms, void *arg) {
  budgets *b = arg;
  b->exchanging = false;
  for (size_t i = 0; i < n; i++) {
    entry *e = b->sent[i];
    if (status == AU_OK && rows[i].is_told) {
      charge(b, e, news_of(e, &rows[i], minute, into_ms));
      e->minute = minute;
      e->total = rows[i].total;
    }
    e->sent = 0;
  }
  expire(b);
}

void budgets_exchange(budgets *b) {
  if (!is_shared(b) || b->exchanging || !b->first) return;
  size_t n = 0;
  while (b->first && n < BUDGETS_EXCHANGE_MAX) {
    entry *e = b->first;
    b->first = e->next;
    e->is_listed = false;
    e->sent = e->spent;
    e->spent = 0;
    b->sent[n] = e;
    deadline_arm(&b->kept, &e->kept, now_of(b)); /* it stays until the answer */
    b->rows[n++] = (au_spent){.name = id_map_id(e), .spent = e->sent};
  }
  if (!b->first) b->last = NULL;
  b->exchanging = true;
  au_store *store = b->config.store;
  if (store->ops->share_spent(store, b->rows, n, on_exchanged, b) != AU_OK)
    on_exchanged(AU_ESTORE, b->rows, n, 0, 0, b);
}
