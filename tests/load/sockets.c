/* The modes that hold sockets. A fan-out is one change, made by the join of a new session, and the
 * frame that every socket of the customer hears of it. */
#include "crowd.h"
#include "exchange.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

enum {
  LOOK_EVERY_MS = 10,
  FANOUT_LIMIT_MS = 10000, /* sockets that have not heard by then count as failed */
};

typedef enum phase { OPENING, QUIET, FANOUT, SETTLING, DONE } phase;

typedef struct sockets {
  run *run;
  crowd *crowd;
  request upgrade, auth, join;
  exchange *control; /* makes the changes */
  bool control_ready, join_pending;
  phase phase;
  uv_timer_t timer;
  uint64_t begin_ns, opened_ns, heard_ns, change_ns, measured;
  uint32_t audience;  /* sockets that must hear of a change */
  uint32_t heard;     /* of the change under way */
  uint32_t newcomer;  /* the session that makes the next change */
  uint32_t fanouts;   /* done */
  uint32_t *heard_of; /* for each socket, the last change */
  uint64_t *last_ns;  /* for each fan-out, until the last socket heard */
  uint32_t weighed;   /* sockets that were open when the memory was looked at */
  hist delivery;
} sockets;

/* Changes are those of the first customer. */
static bool in_audience(const sockets *s, uint32_t number) {
  return number % s->run->options->customers == 0;
}

static void finish(sockets *s) {
  if (s->phase == DONE) return;
  s->phase = DONE;
  if (s->opened_ns == 0) s->opened_ns = uv_hrtime();
  uv_close((uv_handle_t *)&s->timer, NULL);
  if (s->control) exchange_close(s->control);
  s->control = NULL;
  if (s->crowd) crowd_close(s->crowd);
}

static void wait_for_quiet(sockets *s) {
  s->phase = QUIET;
  s->heard_ns = uv_hrtime();
}

static void make_change(sockets *s) {
  s->phase = FANOUT;
  s->heard = 0;
  s->join_pending = true;
  meter_start(&s->run->meter);
  s->change_ns = uv_hrtime();
  au_status status = exchange_send(s->control, request_fill(&s->join, 0, s->newcomer++));
  if (status == AU_OK) return;
  run_failed(s->run, au_status_text(status));
  finish(s);
}

static void end_fanout(sockets *s) {
  meter_stop(&s->run->meter);
  s->measured += s->heard;
  s->fanouts++;
  if (s->fanouts == s->run->options->fanouts)
    finish(s);
  else
    wait_for_quiet(s);
}

static void settle_if_heard(sockets *s) {
  if (s->phase != FANOUT || s->heard < s->audience || s->join_pending) return;
  s->last_ns[s->fanouts] = s->heard_ns - s->change_ns;
  s->phase = SETTLING;
}

/* ---- events ---------------------------------------------------------------- */

static void on_text(void *owner, uint32_t number) {
  sockets *s = owner;
  if (s->run->options->mode == LOAD_STORM) return; /* its stay is not prolonged by what it hears */
  s->heard_ns = uv_hrtime();
  if (s->phase != FANOUT || !in_audience(s, number) || s->heard_of[number] == s->fanouts + 1)
    return;
  s->heard_of[number] = s->fanouts + 1;
  s->heard++;
  hist_add(&s->delivery, s->heard_ns - s->change_ns);
  settle_if_heard(s);
}

static void on_full(void *owner) {
  sockets *s = owner;
  s->opened_ns = uv_hrtime();
  if (crowd_ready(s->crowd) == 0)
    finish(s);
  else
    wait_for_quiet(s);
}

static void on_lost(void *owner, uint32_t number, const char *why) {
  sockets *s = owner;
  run_failed(s->run, why);
  if (s->phase != FANOUT || !in_audience(s, number)) return;
  s->audience--;
  if (s->heard_of[number] == s->fanouts + 1) s->heard--;
  settle_if_heard(s);
}

static const crowd_events events_of_crowd = {on_full, on_text, on_lost};

static void on_control_ready(void *owner, exchange *x) {
  (void)x;
  ((sockets *)owner)->control_ready = true;
}

static void on_control_answered(void *owner, exchange *x, unsigned status) {
  sockets *s = owner;
  (void)x;
  s->join_pending = false;
  if (status < 200 || status > 299) {
    run_failed(s->run, "a join that was not accepted");
    finish(s);
    return;
  }
  settle_if_heard(s);
}

static void on_control_failed(void *owner, exchange *x, const char *text) {
  sockets *s = owner;
  (void)x;
  s->control = NULL;
  run_failed(s->run, text);
  finish(s);
}

static const exchange_events events_of_control = {on_control_ready, on_control_answered,
                                                  on_control_failed};

/* ---- phases ---------------------------------------------------------------- */

/* Connected before the first change is made: that is no part of what is measured. */
static void begin_fanout(sockets *s) {
  if (!s->control) {
    if (exchange_open(&s->run->changes, &events_of_control, s, &s->control) == AU_OK) return;
    run_failed(s->run, "no connection for the join that makes a change");
    finish(s);
  } else if (s->control_ready) {
    s->audience = crowd_audience(s->crowd);
    make_change(s);
  }
}

static void on_quiet(sockets *s) {
  const load_options *o = s->run->options;
  if (s->weighed == 0) {
    s->weighed = crowd_ready(s->crowd);
    meter_weigh(&s->run->meter);
    if (o->mode == LOAD_STORM) meter_stop(&s->run->meter);
  }
  if (crowd_ready(s->crowd) == 0 || o->mode == LOAD_STORM || s->fanouts == o->fanouts)
    finish(s);
  else
    begin_fanout(s);
}

static void show(sockets *s) {
  const load_options *o = s->run->options;
  if (s->phase == OPENING)
    run_progress(s->run, "%s: %u of %u sockets open", o->mode_name, crowd_ready(s->crowd),
                 o->sockets);
  else
    run_progress(s->run, "%s: %u sockets held, fan-out %u of %u", o->mode_name,
                 crowd_ready(s->crowd), s->fanouts, o->fanouts);
}

/* How long nothing must be heard before it goes on. */
static uint32_t wait_ms(const sockets *s) {
  const load_options *o = s->run->options;
  uint32_t least = s->phase == QUIET ? o->pause_ms : 0;
  if (o->mode == LOAD_STORM) least = o->hold_ms;
  return least > METER_SETTLE_MS ? least : METER_SETTLE_MS;
}

static void on_timer(uv_timer_t *timer) {
  sockets *s = timer->data;
  const load_options *o = s->run->options;
  uint64_t now_ns = uv_hrtime();
  bool is_quiet = now_ns - s->heard_ns >= wait_ms(s) * UINT64_C(1000000);
  if (s->run->stopped) {
    finish(s);
  } else if (now_ns - s->begin_ns > o->duration_s * UINT64_C(1000000000)) {
    run_failed(s->run, "the time was over before all was measured: see --duration");
    finish(s);
  } else if (s->phase == QUIET && is_quiet) {
    on_quiet(s);
  } else if (s->phase == SETTLING && is_quiet) {
    end_fanout(s);
  } else if (s->phase == FANOUT && now_ns - s->change_ns > FANOUT_LIMIT_MS * UINT64_C(1000000)) {
    for (uint32_t i = s->heard; i < s->audience; i++)
      run_failed(s->run, "a socket that did not hear of a change");
    finish(s);
  }
  if (s->phase != DONE && run_shows_now(s->run)) show(s);
}

/* ---- figures --------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void write_report(sockets *s, uint32_t opened) {
  report *r = &s->run->report;
  double seconds = (double)(s->opened_ns - s->begin_ns) / 1e9;
  report_number(r, "sockets", opened, 0);
  report_number(r, "open_seconds", seconds, 3);
  if (seconds > 0) report_number(r, "sockets_per_second", opened / seconds, 0);
  report_latency(r, "open", crowd_opening(s->crowd));
  if (s->run->options->mode == LOAD_STORM) {
    meter_report_cpu(&s->run->meter, r, "socket", s->weighed);
  } else if (s->fanouts > 0) {
    qsort(s->last_ns, s->fanouts, sizeof s->last_ns[0], by_size);
    report_number(r, "fanouts", s->fanouts, 0);
    report_number(r, "frames", (double)s->measured, 0);
    report_latency(r, "delivery", &s->delivery);
    uint64_t median_ns = s->last_ns[s->fanouts / 2];
    report_number(r, "last_median_ms", (double)median_ns / 1e6, 3);
    meter_report_cpu(&s->run->meter, r, "frame", s->measured);
  }
  meter_report_memory(&s->run->meter, r, "socket", s->weighed);
}

static au_status begin(sockets *s) {
  const load_options *o = s->run->options;
  au_status status =
      o->stream ? request_get(&s->upgrade, o->target.host, "/metrics/stream?customerId=", o->prefix)
                : request_upgrade(&s->upgrade, o->target.host);
  if (status == AU_OK) status = request_auth(&s->auth, o->prefix, o->watch);
  if (status == AU_OK)
    status = request_presence(&s->join, o->change_target.host, "join", o->prefix, "");
  if (status != AU_OK) return status;
  if (o->mode == LOAD_STORM) meter_start(&s->run->meter);
  s->begin_ns = uv_hrtime();
  /* Sessions of an earlier run may be alive: their joins would change nothing. */
  s->newcomer = 10000000 + (uint32_t)(s->begin_ns / 1000000 % 80000000);
  uv_timer_start(&s->timer, on_timer, LOOK_EVERY_MS, LOOK_EVERY_MS);
  const crowd_config config = {
      .dialer = &s->run->dialer,
      .upgrade = &s->upgrade,
      .auth = o->no_auth ? NULL : &s->auth,
      .stream = o->stream,
      .sockets = o->sockets,
      .at_once = o->connections,
      .customers = o->customers,
      .first = o->first,
  };
  return crowd_open(&config, &events_of_crowd, s, &s->crowd);
}

au_status sockets_run(run *r) {
  const load_options *o = r->options;
  sockets *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->run = r;
  s->heard_of = calloc(o->sockets, sizeof s->heard_of[0]);
  s->last_ns = calloc((size_t)o->fanouts + 1, sizeof s->last_ns[0]);
  uv_timer_init(r->loop, &s->timer);
  s->timer.data = s;
  au_status status = s->heard_of && s->last_ns ? begin(s) : AU_ENOMEM;
  if (status != AU_OK) finish(s);
  uv_run(r->loop, UV_RUN_DEFAULT);
  if (status == AU_OK) write_report(s, (uint32_t)crowd_opening(s->crowd)->count);
  request_free(&s->upgrade);
  request_free(&s->auth);
  request_free(&s->join);
  crowd_free(s->crowd);
  free(s->heard_of);
  free(s->last_ns);
  free(s);
  return status;
}
