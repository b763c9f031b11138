/* The question for the master against sentinels made up here, on the same loop: whom it
 * asks, in which order, and what it does with late, broken and missing answers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "adapters/redis/link/sentinel.h"
#include "run_until.h"
#include "utils/log.h"

enum { SENTINELS = 3, PATIENCE_MS = 10000 };

static const char silence[] = "silence", hang_up[] = "hang up"; /* never said */
static const char master[] = "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n";
static const char unknown[] = "*-1\r\n";

typedef struct fixture fixture;

typedef struct fake {
  uv_pipe_t listener;
  char path[64];
  const char *says; /* to each question */
  unsigned asked;
  fixture *f;
} fake;

typedef struct peer {
  uv_pipe_t pipe;
  char bytes[256];
  size_t received;
  fake *of;
} peer;

struct fixture {
  uv_loop_t loop;
  uv_timer_t pulse; /* keeps uv_run from sleeping long */
  char dir[32];
  fake fakes[SENTINELS];
  unsigned open; /* peers */
  redis_url url;
  redis_sentinel *sentinel;
  unsigned found, failed, stopped;
  redis_endpoint master;
  const char *reason;
  bool stop_when_told, ask_when_told;
};

#define RUN_UNTIL(f, condition) RUN_LOOP_UNTIL(&(f)->loop, PATIENCE_MS, condition)

/* ---- sentinels made up -------------------------------------------------------- */

static void on_peer_closed(uv_handle_t *handle) {
  peer *p = handle->data;
  p->of->f->open--;
  free(p);
}

static void close_peer(peer *p) {
  if (!uv_is_closing((uv_handle_t *)&p->pipe)) uv_close((uv_handle_t *)&p->pipe, on_peer_closed);
}

static void on_room(uv_handle_t *handle, size_t want, uv_buf_t *buf) {
  peer *p = handle->data;
  (void)want;
  *buf = uv_buf_init(p->bytes + p->received, (unsigned)(sizeof p->bytes - 1 - p->received));
}

static const char question[] =
    "*3\r\n$8\r\nSENTINEL\r\n$23\r\nget-master-addr-by-name\r\n$4\r\nmain\r\n";

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  peer *p = stream->data;
  (void)buf;
  if (n < 0) {
    close_peer(p);
    return;
  }
  p->received += (size_t)n;
  if (p->received < strlen(question)) return;
  assert_int_equal(p->received, strlen(question));
  assert_memory_equal(p->bytes, question, strlen(question));
  p->of->asked++;
  const char *says = p->of->says;
  uv_buf_t out = uv_buf_init((char *)(uintptr_t)says, (unsigned)strlen(says));
  if (says == hang_up)
    close_peer(p);
  else if (says != silence)
    assert_int_equal(uv_try_write(stream, &out, 1), strlen(says));
}

static void on_connection(uv_stream_t *listener, int status) {
  fake *of = listener->data;
  assert_int_equal(status, 0);
  peer *p = calloc(1, sizeof *p);
  p->of = of;
  uv_pipe_init(&of->f->loop, &p->pipe, 0);
  p->pipe.data = p;
  assert_int_equal(uv_accept(listener, (uv_stream_t *)&p->pipe), 0);
  of->f->open++;
  uv_read_start((uv_stream_t *)&p->pipe, on_room, on_bytes);
}

static void fake_listen(fake *k) {
  uv_pipe_init(&k->f->loop, &k->listener, 0);
  k->listener.data = k;
  assert_int_equal(uv_pipe_bind(&k->listener, k->path), 0);
  assert_int_equal(uv_listen((uv_stream_t *)&k->listener, 16, on_connection), 0);
}

static void fake_vanish(fake *k) {
  uv_close((uv_handle_t *)&k->listener, NULL);
  uv_run(&k->f->loop, UV_RUN_NOWAIT);
  unlink(k->path);
}

/* ---- what the part tells ------------------------------------------------------ */

static void on_stopped(void *arg) {
  ((fixture *)arg)->stopped++;
}

static void told(fixture *f) {
  if (f->ask_when_told) {
    f->ask_when_told = false;
    redis_sentinel_ask(f->sentinel);
  }
  if (f->stop_when_told) redis_sentinel_stop(f->sentinel, on_stopped, f);
}

static void on_found(void *arg, const redis_endpoint *at) {
  fixture *f = arg;
  assert_int_equal(f->stopped, 0);
  f->found++;
  f->master = *at;
  told(f);
}

static void on_failed(void *arg, const char *reason) {
  fixture *f = arg;
  assert_int_equal(f->stopped, 0);
  f->failed++;
  f->reason = reason;
  told(f);
}

static void on_pulse(uv_timer_t *timer) {
  (void)timer;
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  signal(SIGPIPE, SIG_IGN);
  uv_loop_init(&f->loop);
  uv_timer_init(&f->loop, &f->pulse);
  uv_timer_start(&f->pulse, on_pulse, 5, 5);
  strcpy(f->dir, "/tmp/au-sentinel-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  f->url.kind = REDIS_SENTINEL;
  f->url.host_count = SENTINELS;
  strcpy(f->url.master_name, "main");
  for (size_t i = 0; i < SENTINELS; i++) {
    fake *k = &f->fakes[i];
    *k = (fake){.f = f, .says = master};
    snprintf(k->path, sizeof k->path, "%s/%zu", f->dir, i);
    strcpy(f->url.hosts[i].host, k->path);
    fake_listen(k);
  }
  const redis_sentinel_config config = {
      .loop = &f->loop,
      .url = &f->url,
      .name = "test",
      .found = on_found,
      .failed = on_failed,
      .arg = f,
  };
  assert_int_equal(redis_sentinel_create(&config, &f->sentinel), AU_OK);
  redis_sentinel_start(f->sentinel);
  *state = f;
  return 0;
}

/* The loop must have nothing left of it. */
static int teardown(void **state) {
  fixture *f = *state;
  if (f->stopped == 0 && !f->stop_when_told) redis_sentinel_stop(f->sentinel, on_stopped, f);
  RUN_UNTIL(f, f->stopped == 1);
  redis_sentinel_free(f->sentinel);
  for (size_t i = 0; i < SENTINELS; i++) {
    if (!uv_is_closing((uv_handle_t *)&f->fakes[i].listener))
      uv_close((uv_handle_t *)&f->fakes[i].listener, NULL);
    unlink(f->fakes[i].path);
  }
  RUN_UNTIL(f, f->open == 0);
  uv_close((uv_handle_t *)&f->pulse, NULL);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  rmdir(f->dir);
  free(f);
  return 0;
}

static void ask(fixture *f) {
  unsigned before = f->found + f->failed;
  redis_sentinel_ask(f->sentinel);
  assert_int_equal(f->found + f->failed, before); /* never inside the call */
  RUN_UNTIL(f, f->found + f->failed == before + 1);
}

static void assert_asked(const fixture *f, unsigned a, unsigned b, unsigned c) {
  const fake *k = f->fakes;
  if (k[0].asked != a || k[1].asked != b || k[2].asked != c)
    fail_msg("asked %u %u %u", k[0].asked, k[1].asked, k[2].asked);
}

/* ---- cases -------------------------------------------------------------------- */

static void the_first_answers(void **state) {
  fixture *f = *state;
  ask(f);
  assert_int_equal(f->found, 1);
  assert_string_equal(f->master.host, "127.0.0.1");
  assert_int_equal(f->master.port, 6379);
  assert_asked(f, 1, 0, 0);
}

static void whoever_answered_is_asked_again(void **state) {
  fixture *f = *state;
  f->fakes[0].says = hang_up;
  ask(f);
  assert_asked(f, 1, 1, 0);
  ask(f);
  assert_asked(f, 1, 2, 0);
  assert_int_equal(f->found, 2);
}

static void whoever_is_doubted_is_not(void **state) {
  fixture *f = *state;
  ask(f);
  redis_sentinel_suspect(f->sentinel);
  ask(f);
  assert_asked(f, 1, 1, 0);
  redis_sentinel_suspect(f->sentinel);
  redis_sentinel_suspect(f->sentinel);
  ask(f);
  assert_asked(f, 2, 1, 0);
}

static void silence_is_waited_out(void **state) {
  fixture *f = *state;
  f->fakes[0].says = silence;
  uint64_t began = uv_hrtime();
  ask(f);
  assert_int_equal(f->found, 1);
  assert_asked(f, 1, 1, 0);
  assert_in_range((uv_hrtime() - began) / 1000000, REDIS_SENTINEL_TIMEOUT_MS - 20,
                  REDIS_SENTINEL_TIMEOUT_MS + 1000);
}

static const struct {
  const char *name, *says, *reason;
} answers[] = {
    {"nil", unknown, "do not know the master"},
    {"nil of RESP3", "_\r\n", ""}, /* 0.14 of hiredis takes it for no Redis */
    {"an empty array", "*0\r\n", "do not know the master"},
    {"a plain redis", "-ERR unknown command 'SENTINEL', with args\r\n", "no sentinel"},
    {"a password", "-NOAUTH Authentication required.\r\n", "want a password"},
    {"another error", "-ERR no\r\n", "something else"},
    {"a number", ":1\r\n", "something else"},
    {"one element", "*1\r\n$1\r\nh\r\n", "something else"},
    {"three elements", "*3\r\n$1\r\nh\r\n$1\r\n1\r\n$1\r\n1\r\n", "something else"},
    {"numbers", "*2\r\n:1\r\n:6379\r\n", "something else"},
    {"no host", "*2\r\n$0\r\n\r\n$1\r\n1\r\n", "something else"},
    {"a nil host", "*2\r\n$-1\r\n$1\r\n1\r\n", "something else"},
    {"no port", "*2\r\n$1\r\nh\r\n$0\r\n\r\n", "something else"},
    {"port 0", "*2\r\n$1\r\nh\r\n$1\r\n0\r\n", "something else"},
    {"a port too high", "*2\r\n$1\r\nh\r\n$5\r\n65536\r\n", "something else"},
    {"a port too long", "*2\r\n$1\r\nh\r\n$6\r\n006379\r\n", "something else"},
    {"a port of letters", "*2\r\n$1\r\nh\r\n$4\r\n63x9\r\n", "something else"},
    {"arrays within", "*2\r\n*0\r\n*0\r\n", "something else"},
    {"no protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", "no sentinel can be reached"},
    {"nothing but the end", hang_up, "no sentinel can be reached"},
};

/* All of them say so: the ask has failed, after each was asked once. */
static void answers_that_are_none(void **state) {
  fixture *f = *state;
  for (unsigned i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    for (size_t k = 0; k < SENTINELS; k++) f->fakes[k].says = answers[i].says;
    ask(f);
    if (f->failed != i + 1 || !strstr(f->reason, answers[i].reason))
      fail_msg("%s: found %u, '%s'", answers[i].name, f->found, f->reason);
    assert_asked(f, i + 1, i + 1, i + 1);
  }
  for (size_t k = 0; k < SENTINELS; k++) f->fakes[k].says = master;
  ask(f);
  assert_int_equal(f->found, 1);
}

static void a_host_that_is_too_long(void **state) {
  fixture *f = *state;
  char text[400];
  for (int len = REDIS_URL_TEXT_MAX - 1; len <= REDIS_URL_TEXT_MAX; len++) {
    char host[REDIS_URL_TEXT_MAX + 1];
    memset(host, 'h', sizeof host);
    snprintf(text, sizeof text, "*2\r\n$%d\r\n%.*s\r\n$4\r\n6379\r\n", len, len, host);
    for (size_t k = 0; k < SENTINELS; k++) f->fakes[k].says = text;
    ask(f);
  }
  assert_int_equal(f->found, 1);
  assert_int_equal(f->failed, 1);
  assert_int_equal(strlen(f->master.host), REDIS_URL_TEXT_MAX - 1);
}

/* What one of them says tells more than that another is not there. */
static void the_most_telling_reason(void **state) {
  fixture *f = *state;
  f->fakes[0].says = hang_up;
  f->fakes[1].says = unknown;
  f->fakes[2].says = hang_up;
  ask(f);
  assert_non_null(strstr(f->reason, "do not know the master"));
  f->fakes[1].says = hang_up;
  ask(f);
  assert_non_null(strstr(f->reason, "no sentinel can be reached"));
}

static void none_is_there(void **state) {
  fixture *f = *state;
  for (size_t k = 0; k < SENTINELS; k++) fake_vanish(&f->fakes[k]);
  ask(f);
  assert_non_null(strstr(f->reason, "no sentinel can be reached"));
  fake_listen(&f->fakes[1]);
  ask(f);
  assert_int_equal(f->found, 1);
}

static void asked_again_from_inside(void **state) {
  fixture *f = *state;
  f->ask_when_told = true;
  redis_sentinel_ask(f->sentinel);
  RUN_UNTIL(f, f->found == 2);
  f->fakes[0].says = f->fakes[1].says = f->fakes[2].says = unknown;
  f->ask_when_told = true;
  redis_sentinel_ask(f->sentinel);
  RUN_UNTIL(f, f->failed == 2);
}

/* ---- stops -------------------------------------------------------------------- */

static void stopped_from_inside(void **state) {
  fixture *f = *state;
  f->stop_when_told = true;
  redis_sentinel_ask(f->sentinel);
  RUN_UNTIL(f, f->stopped == 1);
  assert_int_equal(f->found, 1);
}

static void stopped_by_a_failure(void **state) {
  fixture *f = *state;
  f->fakes[0].says = f->fakes[1].says = f->fakes[2].says = hang_up;
  f->stop_when_told = true;
  redis_sentinel_ask(f->sentinel);
  RUN_UNTIL(f, f->stopped == 1);
  assert_int_equal(f->failed, 1);
}

static void stopped_at_each_turn(void **state) {
  fixture *f = *state;
  f->fakes[0].says = silence;
  redis_sentinel_ask(f->sentinel);
  RUN_UNTIL(f, f->fakes[0].asked == 1);
  redis_sentinel_stop(f->sentinel, on_stopped, f);
  assert_int_equal(f->stopped, 0);
  RUN_UNTIL(f, f->stopped == 1);
  assert_int_equal(f->found + f->failed, 0);
}

static void stopped_at_once(void **state) {
  fixture *f = *state;
  redis_sentinel_ask(f->sentinel);
  redis_sentinel_stop(f->sentinel, on_stopped, f);
  RUN_UNTIL(f, f->stopped == 1);
  assert_int_equal(f->found + f->failed, 0);
}

static void stopped_unasked(void **state) {
  (void)state; /* by the teardown */
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(the_first_answers),         CASE(whoever_answered_is_asked_again),
      CASE(whoever_is_doubted_is_not), CASE(silence_is_waited_out),
      CASE(answers_that_are_none),     CASE(a_host_that_is_too_long),
      CASE(the_most_telling_reason),   CASE(none_is_there),
      CASE(asked_again_from_inside),   CASE(stopped_from_inside),
      CASE(stopped_by_a_failure),      CASE(stopped_at_each_turn),
      CASE(stopped_at_once),           CASE(stopped_unasked),
  };
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  return cmocka_run_group_tests_name("redis_sentinel", tests, NULL, NULL);
}
