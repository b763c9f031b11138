/* Tests of streams of server-sent events, over socket pairs with small buffers, a real loop and a
 * clock whose hands the test turns. */
#include "memory_case.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run_until.h"
#include "services/broadcast.h"
#include "services/presence.h"
#include "transports/stream/streams.h"
#include "wire/wire.h"

enum { STALL_MS = 20000, DRAIN_MS = 1000, MANY = 40 };

#define HEAD "HTTP/1.1 200 OK\r\n\r\n"
#define SHOP slice_of("shop")

typedef struct parts {
  fixture *store;
  stats counters;
  poller *poller;
  broadcast *broadcast;
  presence *presence;
  streams *streams;
  int released, stopped;
  bool stopping;
} parts;

static void ignore_wake(void *arg) {
  (void)arg;
}

static au_status ignore_subscribe(void *arg, au_slice customer_id, bool on) {
  (void)arg;
  (void)customer_id;
  (void)on;
  return AU_OK;
}

static void on_released(void *arg) {
  ((parts *)arg)->released++;
}

static void on_stopped(void *arg) {
  ((parts *)arg)->stopped++;
}

static int setup(void **state) {
  parts *p = calloc(1, sizeof *p);
  assert_non_null(p);
  void *store;
  assert_int_equal(memory_setup(&store), 0);
  p->store = store;
  broadcast_hooks hooks = {ignore_wake, ignore_subscribe, wire_frame_update, p, 0, NULL};
  assert_int_equal(broadcast_create((map_seed){1, 2}, &hooks, &p->broadcast), AU_OK);
  assert_int_equal(presence_create(p->store->store, 1000, (map_seed){1, 2}, &p->presence), AU_OK);
  assert_int_equal(poller_create(&p->store->loop, &p->poller), AU_OK);
  streams_config config = {
      .loop = &p->store->loop,
      .poller = p->poller,
      .clock = &p->store->clock,
      .presence = p->presence,
      .broadcast = p->broadcast,
      .counters = &p->counters,
      .stall_ms = STALL_MS,
      .drain_ms = DRAIN_MS,
      .released = on_released,
      .released_arg = p,
  };
  assert_int_equal(streams_create(&config, &p->streams), AU_OK);
  *state = p;
  return 0;
}

static int teardown(void **state) {
  parts *p = *state;
  uv_loop_t *loop = &p->store->loop;
  if (!p->stopping) {
    p->store->now_ms += 1;
    streams_stop(p->streams, on_stopped, p);
    for (; p->stopped == 0; p->store->now_ms += DRAIN_MS) uv_run(loop, UV_RUN_ONCE);
  }
  assert_int_equal(p->counters.streams, 0);
  poller_close(p->poller, on_stopped, p);
  while (p->stopped < 2) uv_run(loop, UV_RUN_ONCE);
  void *store = p->store;
  assert_int_equal(memory_teardown(&store), 0);
  streams_free(p->streams);
  broadcast_free(p->broadcast);
  presence_free(p->presence);
  poller_free(p->poller);
  free(p);
  return 0;
}

/* A stream whose reader has a small buffer. */
static int open_stream(parts *p) {
  int ends[2], bytes = 1; /* the least that the kernel gives */
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
  http_detached conn = {.fd = ends[0]};
  streams_adopt(p->streams, &conn, slice_of(HEAD), SHOP);
  return ends[1];
}

static void publish(parts *p, uint32_t count) {
  au_metrics metrics = {.customer_id = SHOP, .timestamp_ms = 5, .count = count, .ema = count};
  broadcast_publish(p->broadcast, &metrics, p->store->now_ms);
  while (broadcast_run(p->broadcast, 100)) continue;
}

/* What has come; "" when nothing has, NULL when the stream has ended. */
static const char *read_all(int reader) {
  static char text[1 << 16];
  size_t len = 0;
  ssize_t n;
  while ((n = read(reader, text + len, sizeof text - 1 - len)) > 0) len += (size_t)n;
  text[len] = '\0';
  return len == 0 && n == 0 ? NULL : text;
}

static void begins_with_the_head_and_the_metrics_of_now(void **state) {
  parts *p = *state;
  int reader = open_stream(p);
  assert_string_equal(read_all(reader), HEAD "retry: 2000\n\n");
  turn(p->store);
  char want[200];
  snprintf(want, sizeof want,
           "id: %d\ndata: {\"timestamp\":%d,\"count\":0,\"ema\":0,\"customerId\":\"shop\"}\n\n",
           1000000, 1000000);
  assert_string_equal(read_all(reader), want);
  publish(p, 7);
  assert_string_equal(
      read_all(reader),
      "id: 5\ndata: {\"timestamp\":5,\"count\":7,\"ema\":7,\"customerId\":\"shop\"}\n\n");
  close(reader);
}

/* The sample that was begun first is no news behind a message. */
static void a_message_overtakes_the_first_sample(void **state) {
  parts *p = *state;
  int reader = open_stream(p);
  (void)read_all(reader);
  publish(p, 7);
  publish(p, 8); /* the first of them was skipped: the sample is at least as new */
  turn(p->store);
  const char *text = read_all(reader);
  assert_non_null(strstr(text, "\"count\":8"));
  assert_null(strstr(text, "\"count\":0"));
  close(reader);
}

static void a_slow_reader_gets_the_newest_in_whole_events(void **state) {
  parts *p = *state;
  int reader = open_stream(p);
  turn(p->store);
  uint32_t count = 0;
  while (count < 1000) publish(p, ++count);
  assert_null(strstr(read_all(reader), "\"count\":1000,")); /* behind what the kernel took */
  bool cut = false, newest = false;
  for (int turns = 0; turns < 10 && !newest; turns++) {
    turn(p->store);
    const char *text = read_all(reader);
    cut = cut || (*text && strncmp(text, "id: ", 4) != 0); /* the rest of an event came first */
    newest = strstr(text, "\"count\":1000,") != NULL;
    assert_null(strstr(text, "\"count\":999,"));
  }
  assert_true(newest);
  publish(p, 1001);
  assert_non_null(strstr(read_all(reader), "\"count\":1001,"));
  p->store->now_ms += STALL_MS;
  turn(p->store);
  assert_int_equal(p->counters.streams, 1); /* it has read in time */
  assert_int_equal(p->counters.stream_slow_closed, 0);
  close(reader);
}

static void a_reader_that_does_not_read_is_closed(void **state) {
  parts *p = *state;
  int reader = open_stream(p), other = open_stream(p);
  turn(p->store);
  for (uint32_t count = 1; count <= 1000; count++) {
    publish(p, count);
    (void)read_all(other);
  }
  p->store->now_ms += STALL_MS - 1;
  uv_run(&p->store->loop, UV_RUN_NOWAIT);
  assert_int_equal(p->counters.streams, 2);
  p->store->now_ms += 1;
  RUN_LOOP_UNTIL(&p->store->loop, 30000, p->counters.streams == 1);
  assert_int_equal(p->counters.stream_slow_closed, 1);
  assert_int_equal(p->released, 1);
  close(reader);
  publish(p, 1001);
  assert_non_null(strstr(read_all(other), "\"count\":1001,"));
  close(other);
}

static void whoever_speaks_or_goes_is_closed(void **state) {
  parts *p = *state;
  int speaks = open_stream(p), goes = open_stream(p), stays = open_stream(p);
  assert_int_equal(write(speaks, "x", 1), 1);
  close(goes);
  RUN_LOOP_UNTIL(&p->store->loop, 10000, p->counters.streams == 1);
  assert_int_equal(p->released, 2);
  close(speaks);
  publish(p, 3);
  assert_non_null(strstr(read_all(stays), "\"count\":3,"));
  close(stays);
}

/* Its sample comes when the stream is over. */
static void one_may_go_before_its_sample_comes(void **state) {
  parts *p = *state;
  close(open_stream(p));
  publish(p, 1); /* finds out */
  assert_int_equal(p->counters.streams, 0);
  turn(p->store);
}

static void each_asks_for_another_time_to_come_back(void **state) {
  parts *p = *state;
  int readers[MANY], low = 0, high = 0;
  for (int i = 0; i < MANY; i++) {
    readers[i] = open_stream(p);
    const char *retry = strstr(read_all(readers[i]), "retry: ");
    assert_non_null(retry);
    int ms = atoi(retry + 7);
    assert_in_range(ms, STREAMS_RETRY_MIN_MS, STREAMS_RETRY_MAX_MS - 1);
    if (ms < 3500)
      low++;
    else
      high++;
  }
  assert_in_range(low, MANY / 2 - 2, MANY / 2 + 2);
  assert_int_equal(low + high, MANY);
  for (int i = 0; i < MANY; i++) close(readers[i]);
}

static void a_stop_closes_them_over_the_drain(void **state) {
  parts *p = *state;
  int readers[MANY];
  for (int i = 0; i < MANY; i++) readers[i] = open_stream(p);
  p->stopping = true;
  streams_stop(p->streams, on_stopped, p);
  p->store->now_ms += DRAIN_MS / 2;
  RUN_LOOP_UNTIL(&p->store->loop, 10000, p->counters.streams < MANY);
  assert_in_range(p->counters.streams, MANY / 2 - 1, MANY / 2);
  int late = open_stream(p);
  assert_null(read_all(late)); /* it is over before it began */
  close(late);
  p->store->now_ms += DRAIN_MS / 2;
  RUN_LOOP_UNTIL(&p->store->loop, 10000, p->stopped == 1);
  assert_int_equal(p->released, MANY + 1);
  for (int i = 0; i < MANY; i++) close(readers[i]);
}

#define STREAMS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      STREAMS_TEST(begins_with_the_head_and_the_metrics_of_now),
      STREAMS_TEST(a_message_overtakes_the_first_sample),
      STREAMS_TEST(a_slow_reader_gets_the_newest_in_whole_events),
      STREAMS_TEST(a_reader_that_does_not_read_is_closed),
      STREAMS_TEST(whoever_speaks_or_goes_is_closed),
      STREAMS_TEST(one_may_go_before_its_sample_comes),
      STREAMS_TEST(each_asks_for_another_time_to_come_back),
      STREAMS_TEST(a_stop_closes_them_over_the_drain),
  };
  return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
