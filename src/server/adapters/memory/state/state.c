/* What the file holds, and in which order: the time of the stop, the table, the history. */
#include "state.h"

#include "adapters/memory/history/history_image.h"
#include "adapters/memory/history/memory_history.h"
#include "adapters/memory/memory.h"
#include "adapters/memory/presence_image.h"
#include "state_file.h"
#include "utils/log.h"

/* ---- saving --------------------------------------------------------------------- */

static const char *save(const state_parts *p) {
  state_writer w;
  const char *problem = state_writer_open(&w, p->path);
  if (problem) return problem;
  map_seed seed = memory_history_seed(p->history);
  state_put_i64(&w, clock_wall_ms(p->clock));
  state_put_u64(&w, seed.k0);
  state_put_u64(&w, seed.k1);
  presence_table_save_image(memory_store_table(p->store), clock_mono_ms(p->clock), &w);
  history_table_save_image(memory_history_table(p->history), &w);
  return state_writer_close(&w, p->path);
}

void state_save(const state_parts *p) {
  const char *problem = save(p);
  au_store_health health = p->store->ops->health(p->store);
  if (problem)
    log_error("state", "not written", LOG_STR("file", p->path), LOG_STR("error", problem));
  else
    log_info("state", "written", LOG_STR("file", p->path), LOG_INT("sessions", health.sessions),
             LOG_INT("customers", health.customers));
}

/* ---- loading ------------------------------------------------------------------------ */

/* A clock that was set back since counts as no time. */
static int64_t away_of(const state_parts *p, int64_t stopped_ms) {
  int64_t away_ms = clock_wall_ms(p->clock) - stopped_ms;
  return away_ms > 0 ? away_ms : 0;
}

static bool load(const state_parts *p, state_reader *r, uint64_t *left_out) {
  int64_t away_ms = away_of(p, state_get_i64(r)), now_ms = clock_mono_ms(p->clock);
  map_seed seed = {.k0 = state_get_u64(r)};
  seed.k1 = state_get_u64(r);
  memory_history_set_seed(p->history, seed);
  presence_table *table = memory_store_table(p->store);
  return presence_table_load_image(table, now_ms, away_ms, r, left_out) &&
         history_table_load_image(memory_history_table(p->history), r);
}

static void set_aside(const state_parts *p, const char *reason) {
  const char *problem = state_file_set_aside(p->path);
  log_warn("state", problem ? "not read" : "not read, and renamed to .bad",
           LOG_STR("file", p->path), LOG_STR("reason", reason));
}

void state_load(const state_parts *p) {
  state_reader r;
  const char *reason = "";
  uint64_t left_out = 0;
  state_found found = state_reader_open(&r, p->path, &reason);
  if (found == STATE_WHOLE && !load(p, &r, &left_out)) {
    found = STATE_BAD;
    reason = "it is damaged";
  }
  state_reader_close(&r);
  memory_store_expire(p->store);
  if (found == STATE_BAD) set_aside(p, reason);
  if (found != STATE_WHOLE) return;
  au_store_health health = p->store->ops->health(p->store);
  log_info("state", "read", LOG_STR("file", p->path), LOG_INT("sessions", health.sessions),
           LOG_INT("customers", health.customers));
  if (left_out > 0)
    log_warn("state", "some of it did not fit into the limits", LOG_INT("left_out", left_out));
}
