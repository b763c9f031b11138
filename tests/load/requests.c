/* The modes that send requests: over a number of connections, each as soon as the last is
 * answered, or evenly spaced with --rate. Measures from when a request was due. */
#include "exchange.h"
#include "request.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

/* Churn: the next request of this connection is the leave. */
#define NOTE_LEAVE (UINT32_C(1) << 31)

typedef struct requests {
  run *run;
  request first, second; /* the leave of a churn is the second */
  uint32_t open, ready;  /* connections */
  exchange **idle;       /* paced: who may send */
  uint32_t idle_count;
  exchange **all;
  uint64_t started, answered, lost, sessions;
  uint64_t claimed; /* started, and the leaves that are still to follow their joins */
  uint64_t begin_ns, end_ns, give_up_ns;
  bool running, over; /* over: no new request is begun */
  uv_timer_t timer;
  hist latency;
} requests;

static void close_all(requests *q) {
  q->over = true;
  if (!uv_is_closing((uv_handle_t *)&q->timer)) uv_close((uv_handle_t *)&q->timer, NULL);
  for (uint32_t i = 0; q->all && i < q->run->options->connections; i++) {
    if (q->all[i]) exchange_close(q->all[i]);
    q->all[i] = NULL;
  }
}

static void on_settled(uv_timer_t *timer) {
  requests *q = timer->data;
  meter_stop(&q->run->meter);
  meter_weigh(&q->run->meter);
  close_all(q);
}

static void finish(requests *q) {
  if (!q->running) return;
  q->running = false;
  q->over = true;
  q->end_ns = uv_hrtime();
  uv_timer_start(&q->timer, on_settled, METER_SETTLE_MS, 0);
}

static bool may_begin(const requests *q) {
  uint32_t limit = q->run->options->requests;
  return !q->over && (limit == 0 || q->claimed < limit);
}

static void finish_if_done(requests *q) {
  if (q->running && !may_begin(q) && q->answered + q->lost == q->started) finish(q);
}

static uint32_t next_session(requests *q) {
  return q->run->options->first + (uint32_t)(q->sessions++ % q->run->options->sessions);
}

static void forget(requests *q, const exchange *x) {
  for (uint32_t i = 0; i < q->run->options->connections; i++)
    if (q->all[i] == x) q->all[i] = NULL;
  for (uint32_t i = 0; i < q->idle_count; i++)
    if (q->idle[i] == x) q->idle[i--] = q->idle[--q->idle_count];
}

/* One that fails during the run is not opened again: what is measured are `connections`. */
static void lose(requests *q, const exchange *x, const char *why) {
  forget(q, x);
  q->open--;
  run_failed(q->run, why);
  if (q->running && exchange_is_asked(x)) q->lost++;
  if (q->running && q->open == 0) finish(q);
  finish_if_done(q);
}

/* A paced request was due in the past. */
static void begin_request(requests *q, exchange *x, uint64_t due_ns) {
  const load_options *o = q->run->options;
  uint32_t *note = exchange_note(x);
  bool leaves = *note & NOTE_LEAVE;
  uint32_t session = leaves ? *note & ~NOTE_LEAVE : next_session(q);
  if (!leaves) q->claimed += o->mode == LOAD_CHURN ? 2 : 1;
  if (o->mode == LOAD_CHURN) *note = leaves ? 0 : session | NOTE_LEAVE;
  q->started++;
  *exchange_due_ns(x) = due_ns;
  au_status status = exchange_send(
      x, request_fill(leaves ? &q->second : &q->first, session % o->customers, session));
  if (status == AU_OK) return;
  lose(q, x, au_status_text(status));
  exchange_close(x);
}

/* Sends what is due, as far as somebody is idle; the others wait, and their time counts. */
static void begin_due(requests *q) {
  uint64_t now_ns = uv_hrtime();
  while (q->idle_count > 0 && may_begin(q)) {
    uint64_t due_ns =
        q->begin_ns + (uint64_t)((double)q->started * 1e9 / (double)q->run->options->rate);
    if (due_ns > now_ns) return;
    begin_request(q, q->idle[--q->idle_count], due_ns);
  }
}

/* A leave follows its join at once, also when the time is over, so that nobody is left behind. */
static void go_on(requests *q, exchange *x) {
  if (*exchange_note(x) & NOTE_LEAVE) {
    begin_request(q, x, uv_hrtime());
  } else if (q->run->options->rate > 0) {
    q->idle[q->idle_count++] = x;
    begin_due(q);
  } else if (may_begin(q)) {
    begin_request(q, x, uv_hrtime());
  }
}

static void on_timer(uv_timer_t *timer) {
  requests *q = timer->data;
  const load_options *o = q->run->options;
  uint64_t now_ns = uv_hrtime();
  bool is_over = q->run->stopped || now_ns - q->begin_ns >= o->duration_s * UINT64_C(1000000000);
  if (!q->running) {
    if (!is_over) return;
    run_failed(q->run, "not connected in time");
    close_all(q);
    return;
  }
  if (is_over) {
    q->over = true;
    if (q->give_up_ns == 0) q->give_up_ns = now_ns + RUN_GRACE_MS * UINT64_C(1000000);
  }
  if (q->over && now_ns >= q->give_up_ns) {
    for (uint64_t i = q->answered + q->lost; i < q->started; i++)
      run_failed(q->run, "not answered in time");
    finish(q);
    return;
  }
  if (o->rate > 0) begin_due(q);
  finish_if_done(q);
  if (q->running && run_shows_now(q->run))
    run_progress(q->run, "%s: %llu answered, %.0f a second", o->mode_name,
                 (unsigned long long)q->answered,
                 (double)q->answered * 1e9 / (double)(now_ns - q->begin_ns));
}

/* All connections are there first, so that making them is not measured. */
static void begin_if_connected(requests *q) {
  const load_options *o = q->run->options;
  if (q->running || q->over || q->ready < q->open) return;
  if (q->open < o->connections) {
    close_all(q); /* some cannot connect: nothing to measure */
    return;
  }
  q->running = true;
  meter_start(&q->run->meter);
  q->begin_ns = uv_hrtime();
  for (uint32_t i = 0; i < o->connections; i++)
    if (q->all[i]) go_on(q, q->all[i]);
}

static void on_ready(void *owner, exchange *x) {
  requests *q = owner;
  (void)x;
  q->ready++;
  begin_if_connected(q);
}

static void on_answered(void *owner, exchange *x, unsigned status) {
  requests *q = owner;
  hist_add(&q->latency, uv_hrtime() - *exchange_due_ns(x));
  q->answered++;
  if (status < 200 || status > 299) {
    char why[64];
    snprintf(why, sizeof why, "answered with status %u", status);
    run_failed(q->run, why);
  }
  if (q->running) go_on(q, x);
  finish_if_done(q);
}

static void on_failed(void *owner, exchange *x, const char *text) {
  requests *q = owner;
  lose(q, x, text);
  begin_if_connected(q);
}

static const exchange_events events_of_exchange = {on_ready, on_answered, on_failed};

static au_status make_requests(requests *q) {
  const load_options *o = q->run->options;
  const char *host = o->target.host;
  switch (o->mode) {
  case LOAD_METRICS: return request_get(&q->first, host, "/metrics?customerId=", o->prefix);
  case LOAD_HEALTH: return request_get(&q->first, host, "/health", NULL);
  case LOAD_CHURN: {
    au_status status = request_presence(&q->second, host, "leave", o->prefix, "");
    return status != AU_OK ? status : request_presence(&q->first, host, "join", o->prefix, o->page);
  }
  case LOAD_JOIN: return request_presence(&q->first, host, "join", o->prefix, o->page);
  default: return request_presence(&q->first, host, "beat", o->prefix, o->page);
  }
}

static void write_report(requests *q) {
  report *r = &q->run->report;
  double seconds = (double)(q->end_ns - q->begin_ns) / 1e9;
  report_number(r, "connections", q->run->options->connections, 0);
  report_number(r, "reconnects", q->run->dialer.dialled - q->run->options->connections, 0);
  report_number(r, "requests", (double)q->answered, 0);
  report_number(r, "seconds", seconds, 3);
  if (seconds > 0) report_number(r, "requests_per_second", (double)q->answered / seconds, 0);
  report_latency(r, "latency", &q->latency);
  meter_report_cpu(&q->run->meter, r, "request", q->answered);
  meter_report_memory(&q->run->meter, r, "session",
                      q->run->options->mode == LOAD_JOIN ? q->answered : 0);
}

au_status requests_run(run *r) {
  const load_options *o = r->options;
  requests *q = calloc(1, sizeof *q);
  if (!q) return AU_ENOMEM;
  q->run = r;
  q->idle = calloc(o->connections, sizeof(exchange *));
  q->all = calloc(o->connections, sizeof(exchange *));
  uv_timer_init(r->loop, &q->timer);
  q->timer.data = q;
  au_status status = q->idle && q->all ? make_requests(q) : AU_ENOMEM;
  for (uint32_t i = 0; i < o->connections && status == AU_OK; i++) {
    status = exchange_open(&r->dialer, &events_of_exchange, q, &q->all[i]);
    if (status == AU_OK) q->open++;
  }
  q->begin_ns = uv_hrtime();
  uint64_t every_ms = o->rate > 0 ? 1 : 50;
  uv_timer_start(&q->timer, on_timer, every_ms, every_ms);
  if (status != AU_OK) close_all(q);
  uv_run(r->loop, UV_RUN_DEFAULT);
  if (status == AU_OK && q->end_ns > 0) write_report(q);
  request_free(&q->first);
  request_free(&q->second);
  free(q->idle);
  free(q->all);
  free(q);
  return status;
}
