/* Plays a Redis for the tests of the link. */
#include "fake_redis.h"

/* ---- a Redis made up ------------------------------------------------------ */

static void on_written(uv_write_t *req, int status) {
  (void)status;
  free(req);
}

void fake_says(fake *f, const char *bytes, size_t len) {
  uv_write_t *req = malloc(sizeof *req);
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
  if (uv_write(req, (uv_stream_t *)&f->last->pipe, &buf, 1, on_written) != 0) free(req);
}

static void on_peer_closed(uv_handle_t *handle) {
  peer *p = handle->data;
  p->fake->open--;
  if (p->fake->last == p) p->fake->last = NULL;
  free(p);
}

static void on_room(uv_handle_t *handle, size_t want, uv_buf_t *buf) {
  (void)want;
  fake *f = ((peer *)handle->data)->fake;
  *buf = uv_buf_init(f->bytes + f->received, (unsigned)(sizeof f->bytes - 1 - f->received));
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  peer *p = stream->data;
  fake *f = p->fake;
  (void)buf;
  if (n < 0) {
    if (!uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, on_peer_closed);
    return;
  }
  f->received += (size_t)n;
  f->bytes[f->received] = '\0';
  if (f->greeted || !strstr(f->bytes, "PING\r\n")) return;
  f->greeted = true;
  f->received = 0;
  f->bytes[0] = '\0';
  fake_says(f, f->greeting, strlen(f->greeting));
}

static void on_connection(uv_stream_t *listener, int status) {
  fake *f = listener->data;
  assert_int_equal(status, 0);
  peer *p = calloc(1, sizeof *p);
  p->fake = f;
  uv_pipe_init(f->loop, &p->pipe, 0);
  p->pipe.data = p;
  assert_int_equal(uv_accept(listener, (uv_stream_t *)&p->pipe), 0);
  f->last = p;
  f->connections++;
  f->open++;
  f->greeted = false;
  f->received = 0;
  uv_read_start((uv_stream_t *)&p->pipe, on_room, on_bytes);
}

void fake_listen(fake *f) {
  uv_pipe_init(f->loop, &f->listener, 0);
  f->listener.data = f;
  assert_int_equal(uv_pipe_bind(&f->listener, f->path), 0);
  assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 16, on_connection), 0);
  f->listening = true;
}

void fake_hang_up(fake *f) {
  if (f->last && !uv_is_closing((uv_handle_t *)&f->last->pipe))
    uv_close((uv_handle_t *)&f->last->pipe, on_peer_closed);
}

/* ---- a link and what it told ------------------------------------------------ */

static void on_ready(void *arg) {
  ((fixture *)arg)->ready++;
}

static void on_lost(void *arg) {
  ((fixture *)arg)->lost++;
}

static void on_message(void *arg, au_slice channel, au_slice payload) {
  fixture *f = arg;
  f->messages++;
  snprintf(f->message, sizeof f->message, "%.*s=%.*s", (int)channel.len, channel.ptr,
           (int)payload.len, payload.ptr);
}

void on_reply(au_status status, const redisReply *reply, void *arg) {
  answers *a = arg;
  assert_false(a->inside);
  assert_true((status == AU_OK) == (reply != NULL));
  if (status == AU_OK && redis_reply_is_error(reply)) a->error++;
  if (status == AU_OK && reply->type == REDIS_REPLY_INTEGER) a->integer = reply->integer;
  a->ok += status == AU_OK;
  a->lost += status == AU_ESTORE;
  a->timed_out += status == AU_ETIMEDOUT;
  a->canceled += status == AU_ECANCELED;
}

unsigned total(const answers *a) {
  return a->ok + a->lost + a->timed_out + a->canceled;
}

static void on_beat(uv_timer_t *timer) {
  (void)timer;
}

void fixture_start(fixture *f, bool pubsub, int64_t timeout_ms, uint32_t max_in_flight) {
  const redis_link_config config = {
      .loop = &f->loop,
      .url = &f->url,
      .to = f->place.host[0] != '\0' ? &f->place : NULL,
      .name = "test",
      .seed = 1,
      .command_timeout_ms = timeout_ms,
      .max_in_flight = max_in_flight,
      .ready = on_ready,
      .lost = on_lost,
      .message = pubsub ? on_message : NULL,
      .arg = f,
  };
  assert_int_equal(redis_link_create(&config, &f->link), AU_OK);
  redis_link_start(f->link);
}

int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  signal(SIGPIPE, SIG_IGN);
  uv_loop_init(&f->loop);
  uv_timer_init(&f->loop, &f->beat);
  uv_timer_start(&f->beat, on_beat, 5, 5);
  f->fake.loop = &f->loop;
  f->fake.greeting = "+OK\r\n+PONG\r\n";
  strcpy(f->fake.dir, "/tmp/au-link-XXXXXX");
  assert_non_null(mkdtemp(f->fake.dir));
  snprintf(f->fake.path, sizeof f->fake.path, "%s/s", f->fake.dir);
  strcpy(f->url.hosts[0].host, f->fake.path);
  f->url.host_count = 1;
  fake_listen(&f->fake);
  *state = f;
  return 0;
}

void on_stopped(void *arg) {
  ((fixture *)arg)->stopped++;
}

int teardown(void **state) {
  fixture *f = *state;
  if (f->link && f->stopped == 0) {
    redis_link_stop(f->link, on_stopped, f);
    RUN_UNTIL(f, f->stopped == 1);
  }
  redis_link_free(f->link);
  fake_hang_up(&f->fake);
  if (f->fake.listening) uv_close((uv_handle_t *)&f->fake.listener, NULL);
  uv_close((uv_handle_t *)&f->beat, NULL);
  RUN_UNTIL(f, f->fake.open == 0);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  unlink(f->fake.path);
  rmdir(f->fake.dir);
  free(f);
  return 0;
}

au_status ask(fixture *f, answers *a, const char *word) {
  const au_slice args[] = {slice_of(word)};
  a->inside = true;
  au_status status = redis_link_command(f->link, args, 1, on_reply, a);
  a->inside = false;
  return status;
}

void be_ready(fixture *f) {
  fixture_start(f, false, REDIS_COMMAND_TIMEOUT_MS, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
}
