/* The one place that decides whether an operation goes to the shared store or to the table. And
 * what is kept of the answers of the shared store, for the time it is lost. */
#include "fallback_private.h"

au_status fallback_route(const fallback *f, uint16_t slot) {
  if (f->stopping) return AU_ECANCELED;
  bool in_sync = sync_state_is_clean(f->sync, slot) && f->shared->ops->serves(f->shared, slot);
  return in_sync ? AU_OK : AU_ESTORE;
}

static bool has_sessions(void *arg, au_slice customer_id) {
  fallback *f = arg;
  return presence_table_sessions_of(f->table, customer_id) > 0;
}

void fallback_learn(fallback *f, au_slice customer_id, const au_sample *sample) {
  int64_t now_ms = fallback_now_ms(f);
  au_sample own;
  presence_table_sample(f->table, customer_id, now_ms, &own);
  const peer_count peer = {
      .is_empty = sample->count + sample->bots == 0 && own.count + own.bots == 0,
      .others = sample->count > own.count ? sample->count - own.count : 0,
      .other_bots = sample->bots > own.bots ? sample->bots - own.bots : 0,
      .has_ema = sample->has_ema,
      .ema = sample->ema,
      .ticked_ms = sample->ticked_ms,
  };
  if (sample->count + sample->bots == 0 && !sample->has_ema)
    peer_counts_drop(f->peers, customer_id);
  else
    peer_counts_learn(f->peers, customer_id, &peer, now_ms);
  if (sample->has_ema) presence_table_save(f->table, customer_id, sample->ema, now_ms);
  peer_counts_expire(f->peers, now_ms, has_sessions, f);
}
