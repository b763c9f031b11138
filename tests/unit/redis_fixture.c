/* Starts a real redis-server, and calls a store and waits for its answers. */
#include "redis_fixture.h"

/* ---- the server ------------------------------------------------------------ */

static void pause_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

static void server_prepare(server *s) {
  memset(s, 0, sizeof *s);
  strcpy(s->dir, "/tmp/au-redis-XXXXXX");
  assert_non_null(mkdtemp(s->dir));
  snprintf(s->socket, sizeof s->socket, "%s/s", s->dir);
  snprintf(s->url, sizeof s->url, "unix://%s", s->socket);
}

/* Waits until it answers. */
static void server_connect(server *s) {
  for (int i = 0; i < FIXTURE_PATIENCE_MS / 5; i++) {
    s->direct = redisConnectUnix(s->socket);
    if (s->direct && !s->direct->err) {
      redisReply *pong = redisCommand(s->direct, "PING");
      bool ok = pong && (pong->type == REDIS_REPLY_STATUS || strstr(pong->str, "NOAUTH"));
      freeReplyObject(pong);
      if (ok) return;
    }
    redisFree(s->direct);
    pause_ms(5);
  }
  fail_msg("redis-server does not come up in %s", s->dir);
}

void server_start(server *s) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves no server behind */
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    dup2(null, 2);
    if (chdir(s->dir) != 0) _exit(126);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", "s", "--save", "",
           "--appendonly", "no", (char *)NULL);
    _exit(127);
  }
  s->pid = pid;
  server_connect(s);
}

void server_kill(server *s) {
  if (s->pid == 0) return;
  redisFree(s->direct);
  s->direct = NULL;
  kill(s->pid, SIGCONT);
  kill(s->pid, SIGKILL);
  waitpid(s->pid, NULL, 0);
  s->pid = 0;
}

static void server_remove(server *s) {
  server_kill(s);
  unlink(s->socket);
  assert_int_equal(rmdir(s->dir), 0);
}

redisReply *ask_redis(server *s, const char *format, ...) {
  va_list args;
  va_start(args, format);
  redisReply *reply = redisvCommand(s->direct, format, args);
  va_end(args);
  if (!reply) fail_msg("no answer to: %s", format);
  return reply;
}

long long fixture_number(redisReply *reply) {
  long long n = -2;
  char *end;
  switch (reply->type) {
  case REDIS_REPLY_INTEGER: n = reply->integer; break;
  case REDIS_REPLY_NIL: n = -1; break;
  case REDIS_REPLY_ARRAY: n = (long long)reply->elements; break;
  case REDIS_REPLY_STRING:
    n = strtoll(reply->str, &end, 10);
    if (*end != '\0' || reply->len == 0) n = (long long)reply->len;
    break;
  case REDIS_REPLY_STATUS: n = 0; break;
  default: break;
  }
  freeReplyObject(reply);
  return n;
}

/* ---- the store --------------------------------------------------------------- */

void bench_run_ms(fixture *b, uint64_t ms) {
  uint64_t until = uv_hrtime() + ms * 1000000ull;
  RUN_UNTIL(b, uv_hrtime() >= until);
}

static void bench_on_pulse(uv_timer_t *timer) {
  (void)timer;
}

static void bench_on_changed(void *arg, au_slice id) {
  fixture *b = arg;
  b->changed++;
  snprintf(b->changed_id, sizeof b->changed_id, "%.*s", (int)id.len, id.ptr);
}

static void bench_on_published(void *arg, const au_metrics *metrics) {
  fixture *b = arg;
  b->published++;
  b->metrics = *metrics;
  snprintf(b->metrics_id, sizeof b->metrics_id, "%.*s", (int)metrics->customer_id.len,
           metrics->customer_id.ptr);
}

void bench_on_stopped(void *arg) {
  ((fixture *)arg)->stopped++;
}

fixture *bench_create(void) {
  fixture *b = calloc(1, sizeof *b);
  signal(SIGPIPE, SIG_IGN);
  server_prepare(&b->server);
  uv_loop_init(&b->loop);
  uv_timer_init(&b->loop, &b->pulse);
  uv_timer_start(&b->pulse, bench_on_pulse, 5, 5);
  au_config_init(&b->config);
  b->config.redis_url = b->server.url;
  b->config.ema_interval_ms = 400; /* a fault of one key is forgotten after one and a half */
  b->events =
      (au_store_events){.changed = bench_on_changed, .published = bench_on_published, .arg = b};
  return b;
}

au_status bench_open(fixture *b, au_store **out) {
  const char *reason;
  static uint64_t stores; /* each has its own name in a lease */
  map_seed seed = {0x0123456789abcdefu + stores++, 0xfedcba9876543210u};
  shared_store *shared;
  au_status status = redis_store_create(&b->loop, &b->config, clock_system(), seed, &b->counters,
                                        &reason, &shared);
  if (status != AU_OK) return status;
  return fallback_create(&b->loop, &b->config, clock_system(), seed, &b->events, shared, out);
}

bool is_available(au_store *store) {
  return store->ops->health(store).ever_up;
}

bool is_well(au_store *store) {
  return store->ops->health(store).reason[0] == '\0';
}

void bench_start(fixture *b) {
  assert_int_equal(bench_open(b, &b->store), AU_OK);
  RUN_UNTIL(b, is_well(b->store));
}

void bench_close(fixture *b, au_store **open) {
  au_store *store = *open;
  *open = NULL;
  unsigned before = b->stopped;
  store->ops->stop(store, bench_on_stopped, b);
  RUN_UNTIL(b, b->stopped == before + 1);
  store->ops->free(store);
}

void bench_free(fixture *b) {
  if (b->store) bench_close(b, &b->store);
  if (b->other) bench_close(b, &b->other);
  for (int turn = 0; turn < 10; turn++) uv_run(&b->loop, UV_RUN_NOWAIT);
  uv_close((uv_handle_t *)&b->pulse, NULL);
  uv_run(&b->loop, UV_RUN_NOWAIT);
  server_remove(&b->server);
  assert_int_equal(uv_loop_close(&b->loop), 0);
  free(b);
}

/* ---- looking into Redis ------------------------------------------------------- */

bool holds(fixture *b, const char *key, const char *text) {
  redisReply *reply = ask_redis(&b->server, "GET %s", key);
  bool found = reply->type == REDIS_REPLY_STRING && strstr(reply->str, text);
  freeReplyObject(reply);
  return found;
}

long long redis_ms(fixture *b) {
  redisReply *reply = ask_redis(&b->server, "TIME");
  long long ms = atoll(reply->element[0]->str) * 1000 + atoll(reply->element[1]->str) / 1000;
  freeReplyObject(reply);
  return ms;
}

/* ---- operations, one at a time --------------------------------------------------- */

void on_done(au_status status, void *arg) {
  outcome *o = arg;
  assert_false(o->inside);
  o->calls++;
  o->status = status;
}

void on_sampled(au_status status, const au_sample *sample, void *arg) {
  outcome *o = arg;
  on_done(status, o);
  assert_true((status == AU_OK) == (sample != NULL));
  if (sample) o->sample = *sample;
}

void on_listed(au_status status, const au_due *due, void *arg) {
  outcome *o = arg;
  on_done(status, o);
  assert_true((status == AU_OK) == (due != NULL));
  o->n = due ? due->n : 0;
  o->again_ms = due ? due->again_ms : 0;
  for (size_t i = 0; i < o->n && i < 16; i++)
    snprintf(o->ids[i], sizeof o->ids[i], "%.*s", (int)due->ids[i].len, due->ids[i].ptr);
}

au_beat beat_of(const char *customer, const char *session, const char *tab) {
  return (au_beat){
      .customer_id = slice_of(customer),
      .session_id = slice_of(session),
      .tab_id = slice_of(tab),
      .timestamp = 1234567890,
      .is_leader = true,
  };
}

au_status do_touch(fixture *b, au_store *store, const au_beat *beat, au_touch_kind kind) {
  outcome o;
  DO(b, &o, store->ops->touch(store, beat, kind, on_done, &o));
  return o.status;
}

au_status do_join(fixture *b, const char *customer, const char *session) {
  au_beat beat = beat_of(customer, session, "t1");
  return do_touch(b, b->store, &beat, AU_TOUCH_JOIN);
}

au_status do_leave(fixture *b, const char *customer, const char *session, const char *tab) {
  outcome o;
  au_beat beat = beat_of(customer, session, tab);
  DO(b, &o, b->store->ops->leave(b->store, &beat, on_done, &o));
  return o.status;
}

outcome do_sample(fixture *b, const char *customer) {
  outcome o;
  DO(b, &o, b->store->ops->sample(b->store, slice_of(customer), on_sampled, &o));
  return o;
}

outcome do_due(fixture *b, int64_t min_age_ms, size_t skip, size_t max) {
  outcome o;
  DO(b, &o, b->store->ops->due(b->store, 0, min_age_ms, skip, max, on_listed, &o));
  return o;
}

au_status do_save(fixture *b, const char *customer, double ema) {
  outcome o;
  au_sample sample = do_sample(b, customer).sample;
  DO(b, &o, b->store->ops->save(b->store, slice_of(customer), &sample, ema, on_done, &o));
  return o.status;
}

au_status do_evict(fixture *b, const char *customer) {
  outcome o;
  au_sample sample = do_sample(b, customer).sample;
  DO(b, &o, b->store->ops->evict(b->store, slice_of(customer), &sample, on_done, &o));
  return o.status;
}

void do_tick(fixture *b) {
  outcome o;
  bench_run_ms(b, 20); /* a round is followed by a pause */
  b->store->ops->scan(b->store);
  DO(b, &o, b->store->ops->due(b->store, 0, 0, 0, 16, on_listed, &o));
  assert_int_equal(o.status, AU_OK);
}

uint32_t do_count(fixture *b, const char *customer) {
  outcome o = do_sample(b, customer);
  assert_int_equal(o.status, AU_OK);
  return o.sample.count;
}

au_status do_publish(fixture *b, const char *customer, uint32_t count) {
  outcome o;
  const au_metrics metrics = {
      .customer_id = slice_of(customer), .timestamp_ms = 1700000000000, .count = count, .ema = 1.5};
  DO(b, &o, b->store->ops->publish(b->store, &metrics, on_done, &o));
  return o.status;
}
