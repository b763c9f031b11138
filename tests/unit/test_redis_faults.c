/* A fault at every command of a tick: an error, an answer cut in two, an answer or a command
 * that is lost with the link. Nothing crashes, the next ticks make up for it, and the average
 * counts no tick twice. A proxy between the store and a real redis-server makes the faults. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "redis_fixture.h"
#include "services/changes.h"
#include "services/ticker.h"
#include "utils/log.h"

#include <errno.h>
#include <math.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Of a tick: lease, scan, list, sample, save, list, trim, publish, list; and a few of the next. */
enum { INTERVAL_MS = 50, TICK_COMMANDS = 16 };
static const double ALPHA = 0.2;

typedef enum fault { FAULT_ERROR, FAULT_CUT, FAULT_LOST_ANSWER, FAULT_LOST_COMMAND, FAULTS } fault;

static const char *const fault_names[] = {"an error", "an answer cut in two", "a lost answer",
                                          "a lost command"};

/* ---- the proxy ------------------------------------------------------------- */

enum { PIPE_BYTES = 256 * 1024 };

typedef struct line { /* one direction of a connection */
  char bytes[PIPE_BYTES];
  size_t len;
} line;

typedef struct connection {
  int client, server; /* -1: closed */
  line up, down;
  int commands;   /* of the tick, that were passed on */
  int answers;    /* of them, that came back */
  int unanswered; /* of all: what came before the tick is answered first */
  int before;     /* answers that do not belong to the tick */
} connection;

typedef struct proxy {
  char path[80];
  int listener;
  connection *open[8];
  bool armed, begun, done;
  fault fault;
  int at; /* the command that meets it */
} proxy;

/* The length of the RESP value at the beginning, 0 when it is not whole. */
static size_t value_len(const char *at, size_t len) {
  const char *end = len > 0 ? memchr(at, '\n', len) : NULL;
  if (!end) return 0;
  size_t used = (size_t)(end - at) + 1;
  long n = strtol(at + 1, NULL, 10);
  if (*at == '$' && n >= 0) return used + (size_t)n + 2 <= len ? used + (size_t)n + 2 : 0;
  for (; *at == '*' && n > 0; n--) {
    size_t item = value_len(at + used, len - used);
    if (item == 0) return 0;
    used += item;
  }
  return used;
}

static void connection_close(connection *c) {
  if (c->client >= 0) close(c->client);
  if (c->server >= 0) close(c->server);
  c->client = c->server = -1;
}

static void say(int fd, const char *bytes, size_t len) {
  assert_true(len == 0 || send(fd, bytes, len, MSG_NOSIGNAL) >= 0 || errno == EPIPE);
}

static void consume(line *l, size_t n) {
  memmove(l->bytes, l->bytes + n, l->len - n);
  l->len -= n;
}

/* A tick begins with a look at the lease. Its commands are counted from there. */
static void pass_commands(proxy *p, connection *c) {
  for (size_t n; c->client >= 0 && (n = value_len(c->up.bytes, c->up.len)) > 0;
       consume(&c->up, n)) {
    if (p->armed && !p->begun && memmem(c->up.bytes, n, "au:lease", 8)) {
      p->begun = true;
      c->commands = c->answers = 0;
      c->before = c->unanswered;
    }
    bool meets = p->begun && !p->done && c->commands >= 0 && c->commands++ == p->at;
    if (meets && p->fault == FAULT_LOST_COMMAND) {
      p->done = true;
      connection_close(c);
      return;
    }
    c->unanswered++;
    say(c->server, c->up.bytes, n);
  }
}

static void pass_answers(proxy *p, connection *c) {
  for (size_t n; c->client >= 0 && (n = value_len(c->down.bytes, c->down.len)) > 0;
       consume(&c->down, n)) {
    c->unanswered--;
    bool of_tick = p->begun && c->commands >= 0 && c->before-- <= 0;
    bool meets = of_tick && !p->done && c->answers++ == p->at;
    if (meets && p->fault != FAULT_LOST_COMMAND) {
      static const char error[] = "-ERR injected\r\n";
      p->done = true;
      if (p->fault == FAULT_ERROR) {
        say(c->client, error, sizeof error - 1);
        continue;
      }
      if (p->fault == FAULT_CUT) say(c->client, c->down.bytes, n / 2);
      connection_close(c);
      return;
    }
    say(c->client, c->down.bytes, n);
  }
}

/* Reads what there is; false at the end. */
static bool fill(int fd, line *l) {
  ssize_t n = recv(fd, l->bytes + l->len, sizeof l->bytes - l->len, MSG_DONTWAIT);
  if (n > 0) l->len += (size_t)n;
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static void proxy_turn(proxy *p, const char *server_path) {
  int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK);
  for (size_t i = 0; i < 8; i++) {
    connection *c = p->open[i];
    if (c->client < 0 && fd >= 0) {
      *c = (connection){.client = fd, .server = connect_to(server_path), .commands = -1};
      fd = -1;
    }
    if (c->client < 0) continue;
    bool open = fill(c->client, &c->up);
    pass_commands(p, c);
    if (c->client >= 0) open = fill(c->server, &c->down) && open;
    pass_answers(p, c);
    if (!open) connection_close(c);
  }
  assert_int_equal(fd, -1);
}

/* ---- a daemon of a store and a ticker ---------------------------------------- */

typedef struct daemon_parts {
  fixture *base;
  proxy proxy;
  uv_timer_t pump;
  ticker *ticker;
  broadcast *broadcast;
  char url[96];
  bool ticker_stopped;
} parts;

static void on_pump(uv_timer_t *timer) {
  parts *d = timer->data;
  proxy_turn(&d->proxy, d->base->server.socket);
}

static void on_wake(void *arg) {
  (void)arg;
}

static au_status on_subscribe(void *arg, au_slice id, bool on) {
  (void)arg;
  (void)id;
  (void)on;
  return AU_OK;
}

static frame *no_frame(const au_metrics *metrics) {
  (void)metrics;
  return NULL;
}

static int setup(void **state) {
  parts *d = calloc(1, sizeof *d);
  fixture *b = d->base = bench_create();
  server_start(&b->server);
  b->config.ema_interval_ms = INTERVAL_MS;
  b->config.presence_ttl_s = 3600;
  proxy *p = &d->proxy;
  snprintf(p->path, sizeof p->path, "%s.proxy", b->server.dir);
  snprintf(d->url, sizeof d->url, "unix://%s", p->path);
  b->config.redis_url = d->url;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", p->path);
  p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  assert_int_equal(bind(p->listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(p->listener, 8), 0);
  for (size_t i = 0; i < 8; i++) {
    p->open[i] = calloc(1, sizeof *p->open[i]);
    p->open[i]->client = p->open[i]->server = -1;
  }
  uv_timer_init(&b->loop, &d->pump);
  d->pump.data = d;
  uv_timer_start(&d->pump, on_pump, 1, 1);
  broadcast_hooks hooks = {on_wake, on_subscribe, no_frame, d, 0, NULL};
  assert_int_equal(broadcast_create((map_seed){1, 2}, &hooks, &d->broadcast), AU_OK);
  *state = d;
  return 0;
}

static int teardown(void **state) {
  parts *d = *state;
  fixture *b = d->base;
  uv_close((uv_handle_t *)&d->pump, NULL);
  broadcast_free(d->broadcast);
  for (size_t i = 0; i < 8; i++) {
    connection_close(d->proxy.open[i]);
    free(d->proxy.open[i]);
  }
  close(d->proxy.listener);
  unlink(d->proxy.path);
  bench_free(b);
  free(d);
  return 0;
}

static void on_ticker_stopped(void *arg) {
  ((parts *)arg)->ticker_stopped = true;
}

static void daemon_start(parts *d) {
  fixture *b = d->base;
  ASK(&b->server, "DEL au:lease");
  bench_start(b);
  ticker_config config = {
      .loop = &b->loop,
      .clock = clock_system(),
      .store = b->store,
      .broadcast = d->broadcast,
      .counters = &b->counters,
      .alpha = ALPHA,
      .interval_ms = INTERVAL_MS,
      .changes_ms = CHANGES_INTERVAL_MS,
      .max_changes = 10,
      .seed = {3, 4},
  };
  assert_int_equal(ticker_create(&config, &d->ticker), AU_OK);
  ticker_start(d->ticker);
}

static void daemon_stop(parts *d) {
  d->ticker_stopped = false;
  ticker_stop(d->ticker, on_ticker_stopped, d);
  bench_close(d->base, &d->base->store);
  RUN_UNTIL(d->base, d->ticker_stopped);
  ticker_free(d->ticker);
}

static void arm(proxy *p, fault what, int at) {
  p->armed = true;
  p->begun = p->done = false;
  p->fault = what;
  p->at = at;
  for (size_t i = 0; i < 8; i++) p->open[i]->commands = -1;
}

/* ---- what Redis has, tick by tick --------------------------------------------- */

typedef struct kept {
  double ema;
  long long tick_ms;
} kept;

static kept look(parts *d) {
  redisReply *reply = ask_redis(&d->base->server, "MGET ema:c au:tick:c");
  kept k = {-1, 0};
  if (reply->element[0]->str) k.ema = atof(reply->element[0]->str);
  if (reply->element[1]->str) k.tick_ms = atoll(reply->element[1]->str);
  freeReplyObject(reply);
  return k;
}

/* Each new tick is one step of the contract's formula from the one before, over a count of
 * one, with the intervals that its time says. */
static void expect_steps(parts *d, const char *name, int at, int steps) {
  kept last = look(d);
  while (steps > 0) {
    kept now;
    RUN_UNTIL(d->base, (now = look(d)).tick_ms != last.tick_ms);
    if (last.tick_ms > 0) {
      long long elapsed_ms = now.tick_ms - last.tick_ms;
      long long intervals = (elapsed_ms + INTERVAL_MS / 2) / INTERVAL_MS;
      double want = 1 + (last.ema - 1) * pow(1 - ALPHA, intervals < 1 ? 1 : (double)intervals);
      if (elapsed_ms < INTERVAL_MS / 2 || fabs(now.ema - want) > 1e-9)
        fail_msg("%s at command %d: %f after %lld ms, not %f", name, at, now.ema, elapsed_ms, want);
      steps--;
    }
    last = now;
  }
}

/* ---- the tests ------------------------------------------------------------------ */

static void a_tick(void **state) {
  parts *d = *state;
  fixture *b = d->base;
  for (fault what = 0; what < FAULTS; what++) {
    for (int at = 0; at < TICK_COMMANDS; at++) {
      daemon_start(d);
      if (at == 0 && what == 0) assert_int_equal(do_join(b, "c", "s"), AU_OK);
      ASK(&b->server, "SET ema:c 1000000");
      RUN_UNTIL(b, b->counters.tick_customers > 0);
      arm(&d->proxy, what, at);
      expect_steps(d, fault_names[what], at, 2);
      RUN_UNTIL(b, d->proxy.done);
      RUN_UNTIL(b, is_available(b->store));
      assert_int_equal(do_sample(b, "c").sample.count, 1);
      d->proxy.armed = false;
      b->counters.tick_customers = 0;
      daemon_stop(d);
    }
  }
}

/* A customer that is empty: whatever happens, nothing of it is left at the end. */
static void a_tick_that_forgets(void **state) {
  parts *d = *state;
  fixture *b = d->base;
  for (fault what = 0; what < FAULTS; what++) {
    int at = 0;
    for (bool met = true; met; at++) {
      arm(&d->proxy, what, at);
      ASK(&b->server, "SET ema:c 0.001");
      ASK(&b->server, "ZADD au:customers 0 c");
      daemon_start(d);
      RUN_UNTIL(b, ASK(&b->server, "EXISTS ema:c au:tick:c au:idx:c au:customers") == 0);
      met = d->proxy.done;
      d->proxy.armed = false;
      daemon_stop(d);
    }
    assert_true(at > 7); /* until all was forgotten before the fault */
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(a_tick),
      CASE(a_tick_that_forgets),
  };
  return cmocka_run_group_tests_name("redis_faults", tests, NULL, NULL);
}
