/* Keys, listeners, ticks, memory and descriptors. */
#include "checks.h"

#include <fcntl.h>
#include <string.h>

#include "adapters/redis/protocol/index_score.h"
#include "clock.h"
#include "fleet.h"
#include "report.h"

#ifdef __SANITIZE_ADDRESS__
/* Of the sanitizer's library; gcc has no header for it. */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

enum { DESCRIPTORS = 256, TICK_NEWS_MS = 500 };

static struct {
  size_t bytes;
  int descriptors;
  model_bounds counts[CUSTOMERS_MAX];
  unsigned ticks[CUSTOMERS_MAX], frames[8][CUSTOMERS_MAX];
  int64_t quiet_from_ms;
} before;

static size_t bytes_in_use(void) {
#ifdef __SANITIZE_ADDRESS__
  return __sanitizer_get_current_allocated_bytes();
#else
  return 0;
#endif
}

static int descriptors_in_use(void) {
  int n = 0;
  for (int fd = 0; fd < DESCRIPTORS; fd++) n += fcntl(fd, F_GETFD) != -1;
  return n;
}

void checks_begin(void) {
  memset(&before, 0, sizeof before);
  before.bytes = bytes_in_use();
  before.descriptors = descriptors_in_use();
}

void checks_end(void) {
  int descriptors = descriptors_in_use();
  size_t bytes = bytes_in_use();
  if (descriptors != before.descriptors)
    report_failure("descriptors were left open", "%d, and it began with %d", descriptors,
                   before.descriptors);
  if (bytes != before.bytes)
    report_failure("memory was not given back", "%zu bytes, and it began with %zu", bytes,
                   before.bytes);
}

/* No presence key is ever without an end. */
static void check_ends(const fake *f) {
  for (size_t i = 0; i < f->data.count; i++) {
    const db_entry *e = f->data.entries[i];
    if (e->expires_ms == 0 && e->key_len > 9 && memcmp(e->key, "presence:", 9) == 0)
      report_failure("a presence key has no TTL", "%s at %s", e->key, fake_name(f));
  }
}

void check_step(instance *const *daemons, int count) {
  for (size_t i = 0; i < fleet_count(); i++) check_ends(fleet_get(i));
  for (int i = 0; i < count; i++)
    if (daemons[i]) instance_check(daemons[i]);
}

void check_unwell(instance *const *daemons, int count) {
  for (int i = 0; i < count; i++)
    if (daemons[i] && instance_reason(daemons[i])[0] != '\0')
      report_failure("a daemon is not well again, long after the last fault", "d%d: %s",
                     instance_host(daemons[i]), instance_reason(daemons[i]));
  report_failure("all is not well again, long after the last fault", "%d daemons", count);
}

/* ---- quiet ------------------------------------------------------------------------- */

void check_begin_quiet(instance *const *daemons, int count) {
  before.quiet_from_ms = sim_ms();
  for (int c = 0; c < model_settings()->customers; c++) {
    before.counts[c] = model_count(c, false);
    before.ticks[c] = model_ticks(c);
    for (int i = 0; i < count; i++) {
      const heard *h = daemons[i] ? instance_heard(daemons[i], c) : NULL;
      before.frames[i][c] = h ? h->frames : 0;
    }
  }
}

static uint32_t least_live(int c) {
  return model_count(c, false).least + model_count(c, true).least;
}

/* What another program would count: keys and index agree. */
static void check_keys(int c) {
  char room[160];
  fake *f = fleet_server_of(model_customer_id(c));
  if (!f) return;
  au_slice prefix = fleet_key(room, "presence:", model_customer_id(c), ":");
  uint32_t keys = 0, indexed = 0;
  db_expire(&f->data, fake_now_ms(f));
  for (size_t i = 0; i < f->data.count; i++)
    keys += f->data.entries[i]->key_len > prefix.len &&
            memcmp(f->data.entries[i]->key, prefix.ptr, prefix.len) == 0;
  const db_entry *index =
      db_find(&f->data, fleet_key(room, "au:idx:", model_customer_id(c), ""), 0);
  for (size_t i = 0; index && i < index->count; i++)
    indexed += redis_score_deadline(index->members[i].score) > (double)fake_now_ms(f);
  uint32_t least = least_live(c);
  if (keys < least || indexed > keys)
    report_failure("keys and index do not agree", "%s: %u keys, %u in the index, at least %u live",
                   model_customer_id(c), keys, indexed, least);
}

/* One more where another daemon took the lease over and ticks at a time of its own; fewer where a
 * tick waits for a long scan on a slow network. That none comes too soon is looked at with each. */
static void check_ticks(int c) {
  unsigned ticks = model_ticks(c) - before.ticks[c];
  int64_t interval_ms = model_settings()->interval_ms;
  unsigned intervals = (unsigned)((sim_ms() - before.quiet_from_ms) / interval_ms);
  if (fleet_count() == 0 || least_live(c) == 0) return;
  if (ticks < intervals / 2 || ticks > intervals + 2)
    report_failure("a customer is not ticked once an interval", "%s: %u ticks in %lld ms",
                   model_customer_id(c), ticks, (long long)(sim_ms() - before.quiet_from_ms));
}

static void check_heard(const instance *d, int i, int c) {
  const heard *h = instance_heard(d, c);
  model_bounds now = model_count(c, false), then = before.counts[c];
  uint32_t least = now.least < then.least ? now.least : then.least;
  uint32_t most = now.most > then.most ? now.most : then.most;
  if (!h) return;
  if (h->frames - before.frames[i][c] < 2)
    report_failure("a listener does not hear its ticks", "%s at d%d: %u frames",
                   model_customer_id(c), instance_host(d), h->frames - before.frames[i][c]);
  if (h->metrics.stale || h->metrics.count < least || h->metrics.count > most)
    report_failure("a listener has not heard the newest", "%s at d%d: %u%s, and it is %u to %u",
                   model_customer_id(c), instance_host(d), h->metrics.count,
                   h->metrics.stale ? " stale" : "", least, most);
}

/* All listeners of a customer were told the average of the last tick; or of the one before, when
 * another daemon had counted before the tick and published behind it. */
static void check_average(const instance *d, int c) {
  const heard *h = instance_heard(d, c);
  bool is_new = sim_ms() - model_ticked_ms(c) < TICK_NEWS_MS;
  if (!h || fleet_count() == 0 || least_live(c) == 0) return;
  if (!model_has_ticked(c, h->metrics.ema, is_new ? 3 : 2))
    report_failure("a listener has another average than Redis", "%s at d%d: %.4f",
                   model_customer_id(c), instance_host(d), h->metrics.ema);
}

/* What Redis keeps is what the last tick made. */
static void check_redis(int c) {
  char room[160];
  fake *f = fleet_server_of(model_customer_id(c));
  if (!f || least_live(c) == 0) return;
  const db_entry *e =
      db_find(&f->data, fleet_key(room, "ema:", model_customer_id(c), ""), fake_now_ms(f));
  if (!e) report_failure("a customer has no average", "%s", model_customer_id(c));
  double ema = slice_double((au_slice){e->value, e->value_len});
  if (!model_has_ticked(c, ema, 1))
    report_failure("Redis has another average than the last tick made", "%s: %.6f",
                   model_customer_id(c), ema);
}

void check_end_quiet(instance *const *daemons, int count) {
  for (int c = 0; c < model_settings()->customers; c++) {
    check_keys(c);
    check_ticks(c);
    check_redis(c);
    for (int i = 0; i < count; i++) {
      if (!daemons[i]) continue;
      check_heard(daemons[i], i, c);
      check_average(daemons[i], c);
    }
  }
}
