/* Memory or Redis: the one place that decides. */
#include "stores.h"

#include "adapters/fallback/fallback.h"
#include "adapters/memory/history/memory_history.h"
#include "adapters/memory/memory.h"
#include "adapters/memory/state/state.h"
#include "adapters/memory/state/state_file.h"
#include "adapters/redis/redis.h"

#include <unistd.h>

enum { BYTES_PER_MB = 1 << 20 };

static bool has_state_file(const stores *s) {
  return s->config.config->state_file[0] != '\0';
}

static state_parts state_of(const stores *s) {
  return (state_parts){s->config.config->state_file, s->config.clock, s->sessions, s->history};
}

static au_status create_memory(stores *out, const char **what, const char **why) {
  const stores_config *c = &out->config;
  const au_config *config = c->config;
  if (has_state_file(out)) {
    const char *problem = state_file_probe(config->state_file);
    if (!problem) out->state_lock = state_file_open_lock(config->state_file, &problem);
    if (problem && out->state_lock < 0) {
      *what = "state-file: cannot be written";
      *why = problem;
      return AU_EINVAL;
    }
  }
  size_t max_bytes = (size_t)config->history_max_mb * BYTES_PER_MB;
  au_status status = memory_history_create(c->seed, max_bytes, &out->history);
  if (status != AU_OK) return status;
  return memory_store_create(c->loop, config, c->clock, c->seed, c->events, NULL, &out->sessions);
}

static au_status create_shared(stores *out, const char **what, const char **why) {
  const stores_config *c = &out->config;
  if (has_state_file(out)) {
    *what = "state-file";
    *why = "is for the memory store: Redis keeps what it holds";
    return AU_EINVAL;
  }
  shared_store *shared;
  *what = "redis-url";
  au_status status =
      redis_store_create(c->loop, c->config, c->clock, c->seed, c->counters, why, &shared);
  if (status != AU_OK) return status;
  out->history = redis_store_history(shared);
  out->is_shared = true;
  return fallback_create(c->loop, c->config, c->clock, c->seed, c->events, shared, &out->sessions);
}

au_status stores_create(const stores_config *config, stores *out, const char **what,
                        const char **why) {
  *out = (stores){.config = *config, .state_lock = -1};
  *what = *why = "";
  return config->config->redis_url[0] == '\0' ? create_memory(out, what, why)
                                              : create_shared(out, what, why);
}

history_config stores_history(const stores *s) {
  return (history_config){
      .store = s->history,
      .clock = s->config.clock,
      .counters = s->config.counters,
      .seed = s->config.seed,
      .is_shared = s->is_shared,
      .interval_ms = s->config.config->ema_interval_ms,
      .max_customers = s->config.config->max_customers,
  };
}

bool stores_take_over(stores *s) {
  if (!has_state_file(s)) return true;
  if (!state_file_lock(s->state_lock)) return false;
  const state_parts parts = state_of(s);
  state_load(&parts);
  return true;
}

static void close_lock(stores *s) {
  if (s->state_lock >= 0) close(s->state_lock);
  s->state_lock = -1;
}

void stores_save(stores *s) {
  if (!has_state_file(s)) return;
  const state_parts parts = state_of(s);
  state_save(&parts);
  close_lock(s);
}

bool stores_is_flushed(stores *s) {
  if (!s->history || s->history->ops->in_flight(s->history) == 0) return true;
  int64_t now_ms = clock_mono_ms(s->config.clock);
  if (s->flush_until_ms == 0) s->flush_until_ms = now_ms + STORES_FLUSH_MS;
  return now_ms >= s->flush_until_ms;
}

/* A shared history goes with its store. */
void stores_free(stores *s) {
  if (s->history && !s->is_shared) s->history->ops->free(s->history);
  if (s->sessions) s->sessions->ops->free(s->sessions);
  close_lock(s);
  *s = (stores){.state_lock = -1};
}
