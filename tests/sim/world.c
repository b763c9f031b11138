/* The loop of the simulation: everything that is due now, then the next moment at which anything
 * is. */
#include "world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "clock.h"
#include "faults.h"
#include "fleet.h"
#include "instance.h"
#include "people.h"
#include "report.h"
#include "rng.h"
#include "utils/log.h"

enum {
  PLACES_MAX = 3,
  TURNS_MAX = 20000,   /* without time passing: something is busy for nothing */
  WELL_MAX_MS = 30000, /* until all is well again, after the last fault */
  ASK_MS = 300,
};

typedef struct place {
  instance *d; /* NULL: none runs */
  int64_t start_ms;
} place;

static struct {
  uint64_t seed;
  rng random;
  au_config config;
  place places[PLACES_MAX];
  instance *daemons[PLACES_MAX]; /* the same, for the people */
  int count, hosts;
  int64_t ask_ms;
  bool ending; /* daemons that stop stay away */
  bool well;
} world;

/* ---- daemons ---------------------------------------------------------------------- */

static void start(int i) {
  place *p = &world.places[i];
  p->d = instance_start(world.hosts++, world.seed, &world.config, rng_chance(&world.random, 80));
  p->start_ms = INT64_MAX;
  world.daemons[i] = p->d;
  report_step("d%d starts", instance_host(p->d));
}

static void stop(int i, bool killed) {
  place *p = &world.places[i];
  if (!p->d || instance_is_stopping(p->d)) return;
  report_step("d%d %s", instance_host(p->d), killed ? "is killed" : "stops");
  model_daemon_lost(instance_host(p->d));
  people_leave_daemon(p->d);
  instance_stop(p->d, killed);
  if (!world.ending) p->start_ms = sim_ms() + rng_between(&world.random, 0, 4000);
}

static instance *daemon_at(int i) {
  instance *d = world.places[i].d;
  return d && !instance_is_stopping(d) ? d : NULL;
}

static bool is_alive(int host) {
  for (int i = 0; i < world.count; i++)
    if (daemon_at(i) && instance_host(daemon_at(i)) == host) return true;
  return false;
}

static void bury(void) {
  for (int i = 0; i < world.count; i++) {
    place *p = &world.places[i];
    if (p->d && instance_has_stopped(p->d)) {
      instance_free(p->d);
      p->d = world.daemons[i] = NULL;
    }
    if (!p->d && p->start_ms <= sim_ms()) start(i);
  }
}

static bool all_well(void) {
  for (int i = 0; i < world.count; i++)
    if (!daemon_at(i) || instance_reason(daemon_at(i))[0] != '\0') return false;
  return true;
}

/* ---- time ------------------------------------------------------------------------- */

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  (void)status;
  (void)sample;
  (void)arg;
}

/* Asks everybody about everybody; the spy compares. */
static void ask(void) {
  if (world.ask_ms > sim_ms()) return;
  world.ask_ms = sim_ms() + ASK_MS;
  for (int i = 0; i < world.count; i++) {
    instance *d = daemon_at(i);
    for (int c = 0; d && c < model_settings()->customers; c++) {
      instance_enter(d);
      au_status status =
          presence_sample(instance_presence(d), slice_of(model_customer_id(c)), on_sample, NULL);
      (void)status; /* in trouble it may be refused */
    }
  }
}

static int64_t next_ms(void) {
  int64_t next = network_next_ms();
  int64_t others[] = {fleet_next_ms(), people_next_ms(), faults_next_ms(), world.ask_ms};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (others[i] < next) next = others[i];
  for (int i = 0; i < world.count; i++) {
    const place *p = &world.places[i];
    int64_t at = p->d ? instance_next_ms(p->d) : p->start_ms;
    if (at < next) next = at;
  }
  return next;
}

/* All that happens at this moment. */
static void do_now(void) {
  int turns = 0;
  for (bool busy = true; busy; turns++) {
    if (turns > TURNS_MAX)
      report_failure("a daemon is busy and nothing happens", "%d turns", turns);
    for (int i = 0; i < world.count; i++)
      if (world.places[i].d) instance_run(world.places[i].d);
    bury();
    busy = network_step();
    for (int i = 0; i < world.count; i++)
      if (world.places[i].d && instance_next_ms(world.places[i].d) <= sim_ms()) busy = true;
  }
}

static void step(void) {
  do_now();
  fleet_step();
  faults_step();
  people_step();
  ask();
  do_now();
  bool well = all_well();
  if (well != world.well) report_step(well ? "all are well" : "not all are well");
  world.well = well;
  for (int i = 0; i < world.count; i++)
    if (daemon_at(i))
      model_host(instance_host(daemon_at(i)), instance_reason(daemon_at(i))[0] == '\0');
  model_step(well);
  check_step(world.daemons, world.count);
  int64_t next = next_ms();
  sim_clock_set(next > sim_ms() ? next : sim_ms() + 1);
}

static void run_until(int64_t ms) {
  while (sim_ms() < ms) step();
}

/* ---- the seed ---------------------------------------------------------------------- */

/* What the daemons are told, and how large it all is. */
static void draw(fleet_kind *kind, int *masters) {
  rng *r = &world.random;
  int64_t which = rng_below(r, 100);
  *kind = which < 6    ? FLEET_NONE
          : which < 45 ? FLEET_SINGLE
          : which < 60 ? FLEET_SENTINEL
                       : FLEET_CLUSTER;
  *masters = *kind == FLEET_CLUSTER ? (int)rng_between(r, 1, 3) : 1;
  world.count = *kind == FLEET_NONE ? 1 : (int)rng_between(r, 1, PLACES_MAX);
  au_config_init(&world.config);
  world.config.presence_ttl_s = (uint32_t)rng_between(r, 8, 30);
  world.config.disconnect_grace_ms = (uint32_t)rng_between(r, 3000, 6000);
  /* In a cluster a tick asks for 64 lists, one after the other. */
  world.config.ema_interval_ms =
      (uint32_t)rng_between(r, *kind == FLEET_CLUSTER ? 2000 : 1000, 4000);
  world.config.ema_alpha = (double)rng_between(r, 1, 10) / 10;
  const model_config config = {
      .ttl_ms = (int64_t)world.config.presence_ttl_s * 1000,
      .grace_ms = world.config.disconnect_grace_ms,
      .interval_ms = world.config.ema_interval_ms,
      .alpha = world.config.ema_alpha,
      .customers = (int)rng_between(r, 1, CUSTOMERS_MAX),
      .sessions = (int)rng_between(r, 3, SESSIONS_MAX),
      .alone = *kind == FLEET_NONE,
  };
  model_begin(&config);
}

static void begin(uint64_t seed) {
  fleet_kind kind;
  int masters;
  memset(&world, 0, sizeof world);
  world.seed = seed;
  world.random = rng_of(seed, 6);
  sim_clock_reset(seed);
  network_begin(seed);
  draw(&kind, &masters);
  fleet_begin(seed, kind, masters);
  network_set_delay(0, rng_below(&world.random, kind == FLEET_CLUSTER ? 3 : 8));
  world.config.redis_url = fleet_url();
  for (int i = 0; i < world.count; i++) start(i);
}

/* From the last fault on: all get well, and after the contract's time all is exact. */
static void calm_down(void) {
  faults_end();
  people_calm_down();
  int64_t from_ms = sim_ms();
  while (!model_is_calm(0) || !world.well || fleet_is_moving()) {
    if (fleet_is_moving()) from_ms = sim_ms();
    if (sim_ms() - from_ms > WELL_MAX_MS) check_unwell(world.daemons, world.count);
    step();
  }
  for (int c = 1; c < model_settings()->customers; c++)
    while (!model_is_calm(c)) step();
}

static void end(void) {
  world.ending = true;
  for (int i = 0; i < world.count; i++) stop(i, rng_chance(&world.random, 30));
  for (int turns = 0; turns < TURNS_MAX; turns++) {
    bool open = false;
    do_now();
    for (int i = 0; i < world.count; i++) open = open || world.places[i].d;
    if (!open) break;
    sim_clock_set(sim_ms() + 1);
  }
  for (int i = 0; i < world.count; i++)
    if (world.places[i].d)
      report_failure("a daemon does not stop", "d%d", instance_host(world.places[i].d));
  sim_clock_set(sim_ms() + 1000);
  while (network_step()) continue;
  network_end();
  fleet_end();
}

/* What libuv and libc keep from their first use on. */
void world_warm_up(void) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  uv_run(&loop, UV_RUN_NOWAIT);
  uv_loop_close(&loop);
}

uint64_t world_run(uint64_t seed, bool verbose) {
  log_configure(verbose ? AU_LOG_DEBUG : AU_LOG_ERROR, AU_LOG_TEXT);
  report_begin(seed, verbose);
  checks_begin();
  begin(seed);
  int64_t end_ms = rng_between(&world.random, 15000, 45000);
  const crowd all = {world.daemons, world.count};
  const faults_hooks hooks = {daemon_at, world.count, stop, is_alive};
  people_begin(seed, &all);
  faults_begin(seed, &hooks, end_ms);
  report_step("%s, %d daemons, %d customers, %d people, ttl %lld ms, interval %lld ms; faults:%s",
              fleet_url(), world.count, model_settings()->customers, model_settings()->sessions,
              (long long)model_settings()->ttl_ms, (long long)model_settings()->interval_ms,
              faults_summary());
  run_until(end_ms);
  calm_down();
  check_begin_quiet(world.daemons, world.count);
  run_until(sim_ms() + 3 * model_settings()->interval_ms + 3000);
  check_end_quiet(world.daemons, world.count);
  end();
  checks_end();
  return report_hash();
}
