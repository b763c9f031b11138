/* The link against a Redis made up here, on the same loop: what it does with broken, late,
 * unasked and missing answers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fake_redis.h"
#include "utils/log.h"

/* ---- answers --------------------------------------------------------------- */

static void answers_in_order(void **state) {
  fixture *f = *state;
  answers a[3] = {0};
  be_ready(f);
  assert_string_equal(redis_link_reason(f->link), "");
  for (size_t i = 0; i < 3; i++) assert_int_equal(ask(f, &a[i], "X"), AU_OK);
  RUN_UNTIL(f, f->fake.received == 3 * strlen("*1\r\n$1\r\nX\r\n"));
  static const char reply[] = ":1\r\n:2\r\n-ERR three\r\n";
  fake_says(&f->fake, reply, strlen(reply));
  RUN_UNTIL(f, total(&a[2]) == 1);
  assert_int_equal(a[0].integer, 1);
  assert_int_equal(a[1].integer, 2);
  assert_int_equal(a[2].error, 1);
  assert_int_equal(redis_link_capacity(f->link), REDIS_IN_FLIGHT_MAX);
}

/* Any bytes may stand in an argument. */
static void arguments_are_binary(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  be_ready(f);
  const au_slice args[] = {slice_of("SET"), {"k\r\n\0%s", 6}, {"", 0}};
  assert_int_equal(redis_link_command(f->link, args, 3, on_reply, a), AU_OK);
  static const char want[] = "*3\r\n$3\r\nSET\r\n$6\r\nk\r\n\0%s\r\n$0\r\n\r\n";
  RUN_UNTIL(f, f->fake.received == sizeof want - 1);
  assert_memory_equal(f->fake.bytes, want, sizeof want - 1);
}

static void nothing_before_ready(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, false, REDIS_COMMAND_TIMEOUT_MS, REDIS_IN_FLIGHT_MAX);
  assert_int_equal(ask(f, a, "X"), AU_ESTORE);
  RUN_UNTIL(f, f->ready == 1);
  assert_int_equal(total(a), 0);
}

static void a_limit_in_flight(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, false, REDIS_COMMAND_TIMEOUT_MS, 3);
  RUN_UNTIL(f, f->ready == 1);
  for (int i = 0; i < 3; i++) assert_int_equal(ask(f, a, "X"), AU_OK);
  assert_int_equal(redis_link_capacity(f->link), 0);
  assert_int_equal(ask(f, a, "X"), AU_EBUSY);
  RUN_UNTIL(f, f->fake.received > 0);
  fake_says(&f->fake, ":1\r\n", 4);
  RUN_UNTIL(f, a->ok == 1);
  assert_int_equal(ask(f, a, "X"), AU_OK);
}

static void a_command_too_large(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  be_ready(f);
  char *large = malloc(REDIS_COMMAND_MAX_BYTES + 1);
  memset(large, 'x', REDIS_COMMAND_MAX_BYTES + 1);
  const au_slice args[] = {{large, REDIS_COMMAND_MAX_BYTES + 1}};
  assert_int_equal(redis_link_command(f->link, args, 1, on_reply, a), AU_EINVAL);
  free(large);
}

/* They wait for others, and no longer than that; the order stays. */
static void commands_that_can_wait(void **state) {
  fixture *f = *state;
  answers a[3] = {0};
  be_ready(f);
  uv_update_time(&f->loop);
  uint64_t began_ms = uv_now(&f->loop);
  redis_link_set_can_wait(f->link, true);
  for (size_t i = 0; i < 2; i++) assert_int_equal(ask(f, &a[i], "X"), AU_OK);
  redis_link_set_can_wait(f->link, false);
  RUN_UNTIL(f, f->fake.received == 2 * strlen("*1\r\n$1\r\nX\r\n"));
  assert_true(uv_now(&f->loop) - began_ms >= REDIS_WAIT_MS);
  fake_says(&f->fake, ":1\r\n:2\r\n", 8);
  RUN_UNTIL(f, total(&a[1]) == 1);

  redis_link_set_can_wait(f->link, true);
  assert_int_equal(ask(f, &a[0], "Y"), AU_OK);
  redis_link_set_can_wait(f->link, false);
  assert_int_equal(ask(f, &a[1], "Z"), AU_OK);
  static const char want[] = "*1\r\n$1\r\nY\r\n*1\r\n$1\r\nZ\r\n";
  RUN_UNTIL(f, f->fake.received == 2 * strlen("*1\r\n$1\r\nX\r\n") + sizeof want - 1);
  assert_memory_equal(f->fake.bytes + f->fake.received - (sizeof want - 1), want, sizeof want - 1);

  /* Cut while one waits. */
  redis_link_set_can_wait(f->link, true);
  assert_int_equal(ask(f, &a[2], "X"), AU_OK);
  redis_link_set_can_wait(f->link, false);
  fake_hang_up(&f->fake);
  RUN_UNTIL(f, total(&a[2]) == 1);
  assert_int_equal(a[2].lost, 1);
}

/* ---- broken answers ---------------------------------------------------------- */

static const struct {
  const char *name, *bytes;
  unsigned answered; /* of two commands, before the link is dropped */
} broken[] = {
    {"no protocol at all", "HTTP/1.1 400 Bad Request\r\n\r\n", 0},
    {"a NUL", "\n", 0},
    {"a good answer, then none", ":1\r\n?what\r\n", 1},
    {"a bulk of negative length", "$-7\r\n", 0},
    {"a bulk without a number", "$x\r\n", 0},
    {"a bulk longer than memory", "$9223372036854775807\r\nx\r\n$99999999999999999999\r\n", 0},
    {"an array longer than memory", "*2147483647\r\n", 0},
    {"an array beyond 64 bits", "*99999999999999999999\r\n", 0},
    {"an array of negative length", "*-7\r\n", 0},
    {"arrays within arrays",
     "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
     0},
    {"an integer that is none", ":1x\r\n", 0},
    {"a third answer to two commands", ":1\r\n:2\r\n:3\r\n", 2},
    {"a status nobody asked for", ":1\r\n:2\r\n+OK\r\n", 2},
    {"an error nobody asked for", ":1\r\n:2\r\n-ERR max number of clients reached\r\n", 2},
    {"a message in a link that did not subscribe",
     ":1\r\n:2\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n", 2},
};

/* Each of them ends the connection, answers every command once, and is got over. */
static void broken_answers(void **state) {
  fixture *f = *state;
  for (unsigned i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    answers *a = &f->answers;
    memset(a, 0, sizeof *a);
    fixture_start(f, false, SHORT_MS, REDIS_IN_FLIGHT_MAX);
    RUN_UNTIL(f, f->ready == 2 * i + 1);
    assert_int_equal(ask(f, a, "ONE"), AU_OK);
    assert_int_equal(ask(f, a, "TWO"), AU_OK);
    RUN_UNTIL(f, f->fake.received > 0);
    fake_says(&f->fake, broken[i].bytes, strlen(broken[i].bytes));
    RUN_UNTIL(f, !redis_link_is_ready(f->link));
    if (total(a) != 2 || a->ok != broken[i].answered)
      fail_msg("%s: %u answers, %u of them good", broken[i].name, total(a), a->ok);
    RUN_UNTIL(f, f->ready == 2 * i + 2);
    assert_int_equal(f->lost, i + 1);
    redis_link_stop(f->link, on_stopped, f);
    RUN_UNTIL(f, f->stopped == 1);
    redis_link_free(f->link);
    f->link = NULL;
    f->stopped = 0;
  }
}

/* An answer that never ends is cut off by its size, long before its deadline. */
static void an_endless_answer(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, false, 60000, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
  assert_int_equal(ask(f, a, "X"), AU_OK);
  RUN_UNTIL(f, f->fake.received > 0);
  size_t size = 1024 * 1024;
  char *part = malloc(size);
  for (size_t i = 0; i + 4 <= size; i += 4) memcpy(part + i, ":1\r\n", 4);
  static const char heads[] = "*1000000\r\n*1000000\r\n*1000000\r\n*1000000\r\n*1000000\r\n";
  fake_says(&f->fake, heads, strlen(heads));
  for (int i = 0; i < 32; i++) fake_says(&f->fake, part, size);
  RUN_UNTIL(f, f->lost == 1);
  assert_int_equal(a->lost, 1);
  fake_hang_up(&f->fake);
  RUN_UNTIL(f, f->fake.last == NULL || f->ready == 2);
  free(part);
}

/* What is asked for next is answered as ever. */
static void an_answer_with_something_too_large(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, false, 60000, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
  assert_int_equal(ask(f, a, "ONE"), AU_OK);
  assert_int_equal(ask(f, a, "TWO"), AU_OK);
  RUN_UNTIL(f, f->fake.received > 0);
  size_t size = 2 * REDIS_REPLY_MAX_BYTES;
  char head[32], *value = malloc(size);
  memset(value, '$', size);
  snprintf(head, sizeof head, "*2\r\n:1\r\n$%zu\r\n", size);
  fake_says(&f->fake, head, strlen(head));
  fake_says(&f->fake, value, size);
  fake_says(&f->fake, "\r\n:7\r\n", 6);
  RUN_UNTIL(f, total(a) == 2);
  assert_int_equal(a->ok, 2);
  assert_int_equal(a->integer, 7);
  assert_int_equal(f->lost, 0);
  free(value);
}

enum { SLOW_ANSWERS = 40, SLOW_US = REDIS_TURN_BUDGET_US / 4 };

/* A long one takes five times as long. */
static void on_slow_reply(au_status status, const redisReply *reply, void *arg) {
  assert_int_equal(status, AU_OK);
  uint64_t took_us = reply->type == REDIS_REPLY_STRING ? 5 * SLOW_US : SLOW_US;
  uint64_t until_ns = uv_hrtime() + took_us * 1000;
  while (uv_hrtime() < until_ns) continue;
  ((answers *)arg)->ok++;
}

/* They came in one read, and are taken in many turns, in order. */
static void a_turn_has_a_budget(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  be_ready(f);
  static char reply[4 * SLOW_ANSWERS];
  const au_slice args[] = {slice_of("X")};
  for (int i = 0; i < SLOW_ANSWERS; i++) {
    memcpy(reply + 4 * i, ":1\r\n", 4);
    assert_int_equal(redis_link_command(f->link, args, 1, on_slow_reply, a), AU_OK);
  }
  RUN_UNTIL(f, f->fake.received == SLOW_ANSWERS * strlen("*1\r\n$1\r\nX\r\n"));
  fake_says(&f->fake, reply, sizeof reply);
  unsigned turns = 0, most = 0;
  while (a->ok < SLOW_ANSWERS) {
    unsigned before = a->ok;
    uv_run(&f->loop, UV_RUN_ONCE);
    if (a->ok - before > most) most = a->ok - before;
    turns += a->ok > before;
  }
  assert_in_range(turns, SLOW_ANSWERS / 16, SLOW_ANSWERS);
  assert_in_range(most, 1, 16); /* the clock is looked at after every eighth */
  assert_int_equal(ask(f, a, "X"), AU_OK);
  fake_says(&f->fake, ":2\r\n", 4);
  RUN_UNTIL(f, a->integer == 2); /* and reading goes on */
}

/* One of them is all that a turn takes. */
static void a_turn_of_long_answers(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  be_ready(f);
  enum { LONG = 3000, ANSWERS = 5 }; /* which come in one read */
  static char reply[ANSWERS * (LONG + 10)];
  const au_slice args[] = {slice_of("X")};
  memset(reply, 'x', sizeof reply);
  for (size_t i = 0; i < ANSWERS; i++) {
    memcpy(reply + i * (LONG + 9), "$3000\r\n", 7);
    memcpy(reply + i * (LONG + 9) + 7 + LONG, "\r\n", 2);
    assert_int_equal(redis_link_command(f->link, args, 1, on_slow_reply, a), AU_OK);
  }
  RUN_UNTIL(f, f->fake.received == ANSWERS * strlen("*1\r\n$1\r\nX\r\n"));
  fake_says(&f->fake, reply, ANSWERS * (LONG + 9));
  while (a->ok < ANSWERS) {
    unsigned before = a->ok;
    uv_run(&f->loop, UV_RUN_ONCE);
    assert_in_range(a->ok - before, 0, 1);
  }
}

static void an_answer_in_pieces(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  be_ready(f);
  assert_int_equal(ask(f, a, "X"), AU_OK);
  RUN_UNTIL(f, f->fake.received > 0);
  static const char reply[] = ":1234567\r\n";
  for (size_t i = 0; i < strlen(reply); i++) {
    assert_int_equal(total(a), 0);
    fake_says(&f->fake, reply + i, 1);
    for (int turn = 0; turn < 3; turn++) uv_run(&f->loop, UV_RUN_ONCE);
  }
  RUN_UNTIL(f, a->ok == 1);
  assert_int_equal(a->integer, 1234567);
}

/* ---- losses ------------------------------------------------------------------- */

static void hung_up_with_commands_in_flight(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  be_ready(f);
  for (int i = 0; i < 100; i++) assert_int_equal(ask(f, a, "X"), AU_OK);
  RUN_UNTIL(f, f->fake.received > 0);
  fake_hang_up(&f->fake);
  RUN_UNTIL(f, total(a) == 100);
  assert_int_equal(a->lost, 100);
  assert_int_equal(f->lost, 1);
  assert_int_equal(ask(f, a, "X"), AU_ESTORE);
  RUN_UNTIL(f, f->ready == 2);
  assert_int_equal(total(a), 100);
}

static void cut_within_an_answer(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  be_ready(f);
  assert_int_equal(ask(f, a, "X"), AU_OK);
  RUN_UNTIL(f, f->fake.received > 0);
  fake_says(&f->fake, "$10\r\nabc", 8);
  uv_run(&f->loop, UV_RUN_ONCE);
  fake_hang_up(&f->fake);
  RUN_UNTIL(f, total(a) == 1);
  assert_int_equal(a->lost, 1);
}

static void silence_drops_the_link(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, false, SHORT_MS, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
  uint64_t began = uv_hrtime();
  for (int i = 0; i < 10; i++) assert_int_equal(ask(f, a, "X"), AU_OK);
  RUN_UNTIL(f, total(a) == 10);
  uint64_t took_ms = (uv_hrtime() - began) / 1000000;
  assert_int_equal(a->timed_out, 10);
  assert_true(took_ms >= SHORT_MS - 20); /* not before its deadline */
  RUN_UNTIL(f, f->ready == 2);
}

/* The process slept while the answers came: they count, late as they are. */
static void late_because_of_us(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, false, SHORT_MS, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
  enum { COMMANDS = 5500 }; /* whose answers do not fit into one read, and they into the fake */
  for (int i = 0; i < COMMANDS; i++) assert_int_equal(ask(f, a, "X"), AU_OK);
  static char reply[4 * COMMANDS];
  for (int i = 0; i < COMMANDS; i++) memcpy(reply + 4 * i, ":1\r\n", 4);
  fake_says(&f->fake, reply, sizeof reply);
  usleep(2 * SHORT_MS * 1000);
  RUN_UNTIL(f, total(a) == COMMANDS);
  assert_int_equal(a->ok, COMMANDS);
}

/* Answers that trickle in do not wear out the patience of those who wait behind. */
static void slow_but_in_time(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, false, 400, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
  for (int i = 0; i < 8; i++) {
    assert_int_equal(ask(f, a, "X"), AU_OK);
    uint64_t until = uv_hrtime() + 100 * 1000000ull;
    RUN_UNTIL(f, uv_hrtime() > until);
    fake_says(&f->fake, ":1\r\n", 4);
  }
  RUN_UNTIL(f, a->ok == 8);
  assert_int_equal(f->lost, 0);
}

/* Refused, silent and refusing servers are tried again and again. */
static void it_goes_on_trying(void **state) {
  fixture *f = *state;
  uv_close((uv_handle_t *)&f->fake.listener, NULL);
  f->fake.listening = false;
  uv_run(&f->loop, UV_RUN_ONCE);
  unlink(f->fake.path);
  fixture_start(f, false, SHORT_MS, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, strstr(redis_link_reason(f->link), "cannot be reached"));

  f->fake.greeting = "-ERR operation not permitted\r\n-NOAUTH Authentication required.\r\n";
  fake_listen(&f->fake);
  RUN_UNTIL(f, strstr(redis_link_reason(f->link), "wants a password"));

  f->fake.greeting = "+OK\r\n-LOADING Redis is loading the dataset in memory\r\n";
  RUN_UNTIL(f, strstr(redis_link_reason(f->link), "loading"));

  f->fake.greeting = "+OK\r\n";
  RUN_UNTIL(f, strstr(redis_link_reason(f->link), "in time"));

  f->fake.greeting = "+OK\r\n+PONG\r\n";
  RUN_UNTIL(f, f->ready == 1);
  assert_int_equal(f->lost, 0);
}

static void a_name_that_is_unknown(void **state) {
  fixture *f = *state;
  f->url = (redis_url){.hosts = {{"no.such.host.invalid", 1}}, .host_count = 1};
  fixture_start(f, false, SHORT_MS, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, strstr(redis_link_reason(f->link), "cannot be reached"));
}

static void stopped_while_looking_up(void **state) {
  fixture *f = *state;
  f->url = (redis_url){.hosts = {{"no.such.host.invalid", 1}}, .host_count = 1};
  fixture_start(f, false, SHORT_MS, REDIS_IN_FLIGHT_MAX);
  uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* ---- where to ------------------------------------------------------------------ */

/* A place of its own beats the hosts of the URL, whose login it keeps. */
static void a_place_of_its_own(void **state) {
  fixture *f = *state;
  f->place = f->url.hosts[0];
  strcpy(f->url.hosts[0].host, "/no/such/socket");
  strcpy(f->url.password, "secret");
  f->url.kind = REDIS_SENTINEL; /* nor are the sentinels asked */
  f->fake.greeting = "+OK\r\n+OK\r\n+PONG\r\n";
  be_ready(f);
}

static void sentinels_that_are_away(void **state) {
  fixture *f = *state;
  f->url.kind = REDIS_SENTINEL;
  f->url.hosts[1] = f->url.hosts[0];
  f->url.host_count = 2;
  strcpy(f->url.hosts[0].host, "/no/such/socket");
  strcpy(f->url.master_name, "main");
  fixture_start(f, false, SHORT_MS, REDIS_IN_FLIGHT_MAX);
  /* The second listens and says nothing: waited for, but no longer than its time. */
  RUN_UNTIL(f, strstr(redis_link_reason(f->link), "no sentinel can be reached"));
  RUN_UNTIL(f, f->fake.connections == 2); /* and it goes on, until the end stops it */
}

static void checks(void **state) {
  fixture *f = *state;
  const char *reason = "";
  assert_int_equal(redis_link_check(&f->url, &reason), AU_OK);
  f->url.ca_file = "/etc/hostname";
  assert_int_equal(redis_link_check(&f->url, &reason), AU_EINVAL);
  assert_non_null(strstr(reason, "write rediss://"));
  f->url.tls = true;
  assert_int_equal(redis_link_check(&f->url, &reason), AU_EINVAL);
  assert_non_null(strstr(reason, "holds no certificate"));
  f->url.ca_file = "/no/such/file";
  assert_int_equal(redis_link_check(&f->url, &reason), AU_EINVAL);
  f->url.ca_file = "";
  assert_int_equal(redis_link_check(&f->url, &reason), AU_OK);
}

/* ---- pub/sub -------------------------------------------------------------------- */

static void messages_between_answers(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, true, REDIS_COMMAND_TIMEOUT_MS, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
  const au_slice args[] = {slice_of("SUBSCRIBE"), slice_of("c")};
  assert_int_equal(redis_link_command(f->link, args, 2, on_reply, a), AU_OK);
  assert_int_equal(ask(f, a, "PING"), AU_OK);
  static const char reply[] = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
                              "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"
                              "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
  fake_says(&f->fake, reply, strlen(reply));
  RUN_UNTIL(f, a->ok == 2);
  assert_int_equal(f->messages, 1);
  assert_string_equal(f->message, "c=hello");
}

/* The messages behind and between are heard; the one itself is of nothing. */
static void a_message_too_large(void **state) {
  fixture *f = *state;
  fixture_start(f, true, REDIS_COMMAND_TIMEOUT_MS, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
  size_t size = REDIS_MESSAGE_MAX_BYTES + 1;
  char head[64], *payload = malloc(size);
  memset(payload, 'x', size);
  snprintf(head, sizeof head, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$%zu\r\n", size);
  fake_says(&f->fake, head, strlen(head));
  fake_says(&f->fake, payload, size);
  fake_says(&f->fake, "\r\n", 2);
  RUN_UNTIL(f, f->messages == 1);
  assert_string_equal(f->message, "c=");
  static const char next[] = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n";
  fake_says(&f->fake, next, strlen(next));
  RUN_UNTIL(f, f->messages == 2);
  assert_string_equal(f->message, "c=hello");
  assert_int_equal(f->lost, 0);
  free(payload);
}

static void on_message_time(uv_timer_t *timer) {
  static const char message[] = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n";
  fixture *f = timer->data;
  fake_says(&f->fake, message, strlen(message));
}

/* An answer that stands behind a flood of messages is waited for; without messages it is not. */
static void messages_are_signs_of_life(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  fixture_start(f, true, SHORT_MS, REDIS_IN_FLIGHT_MAX);
  RUN_UNTIL(f, f->ready == 1);
  assert_int_equal(ask(f, a, "PING"), AU_OK);
  uv_timer_t speaker;
  uv_timer_init(&f->loop, &speaker);
  speaker.data = f;
  uv_timer_start(&speaker, on_message_time, 5, 5);
  uint64_t until_ns = uv_hrtime() + 3 * SHORT_MS * 1000000ull;
  RUN_UNTIL(f, uv_hrtime() > until_ns);
  assert_int_equal(f->lost, 0);
  uv_close((uv_handle_t *)&speaker, NULL);
  RUN_UNTIL(f, f->lost == 1);
  assert_int_equal(a->timed_out, 1);
}

/* What hiredis's own pub/sub would assert on. */
static void odd_messages(void **state) {
  fixture *f = *state;
  static const char *const odd[] = {
      "*3\r\n$7\r\nmessage\r\n:1\r\n*0\r\n", /* a message all the same: of nothing */
      "*1\r\n$7\r\nmessage\r\n",
      "*0\r\n",
      "*3\r\n:1\r\n:2\r\n:3\r\n",
      "*-1\r\n",
      "+message\r\n",
  };
  fixture_start(f, true, REDIS_COMMAND_TIMEOUT_MS, REDIS_IN_FLIGHT_MAX);
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    RUN_UNTIL(f, redis_link_is_ready(f->link));
    fake_says(&f->fake, odd[i], strlen(odd[i]));
    if (i == 0)
      RUN_UNTIL(f, f->messages == 1);
    else
      RUN_UNTIL(f, f->lost == i);
  }
}

/* ---- stops ----------------------------------------------------------------------- */

static void stopped_with_commands_in_flight(void **state) {
  fixture *f = *state;
  answers *a = &f->answers;
  be_ready(f);
  for (int i = 0; i < 50; i++) assert_int_equal(ask(f, a, "X"), AU_OK);
  redis_link_stop(f->link, on_stopped, f);
  assert_int_equal(total(a), 0);
  assert_int_equal(ask(f, a, "X"), AU_ECANCELED);
  RUN_UNTIL(f, f->stopped == 1);
  assert_int_equal(a->canceled, 50);
  assert_int_equal(total(a), 50);
  assert_int_equal(f->lost, 0);
}

typedef struct stopper {
  fixture *f;
  unsigned calls;
} stopper;

static void on_reply_stop(au_status status, const redisReply *reply, void *arg) {
  stopper *s = arg;
  (void)status;
  (void)reply;
  if (s->calls++ == 0) redis_link_stop(s->f->link, on_stopped, s->f);
}

/* From inside a callback, be it of an answer or of a loss. */
static void stopped_by_an_answer(void **state) {
  fixture *f = *state;
  stopper s = {.f = f};
  be_ready(f);
  const au_slice args[] = {slice_of("X")};
  for (int i = 0; i < 3; i++)
    assert_int_equal(redis_link_command(f->link, args, 1, on_reply_stop, &s), AU_OK);
  RUN_UNTIL(f, f->fake.received > 0);
  fake_says(&f->fake, ":1\r\n:1\r\n", 8);
  RUN_UNTIL(f, f->stopped == 1);
  assert_int_equal(s.calls, 3);
}

static void stopped_by_a_loss(void **state) {
  fixture *f = *state;
  stopper s = {.f = f};
  be_ready(f);
  const au_slice args[] = {slice_of("X")};
  for (int i = 0; i < 3; i++)
    assert_int_equal(redis_link_command(f->link, args, 1, on_reply_stop, &s), AU_OK);
  RUN_UNTIL(f, f->fake.received > 0);
  fake_hang_up(&f->fake);
  RUN_UNTIL(f, f->stopped == 1);
  assert_int_equal(s.calls, 3);
  assert_int_equal(f->lost, 1); /* before them */
}

static void stopped_at_once(void **state) {
  fixture *f = *state;
  fixture_start(f, false, SHORT_MS, REDIS_IN_FLIGHT_MAX);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_WARN, AU_LOG_TEXT); /* losses are the subject here */
  const struct CMUnitTest tests[] = {
      CASE(answers_in_order),
      CASE(arguments_are_binary),
      CASE(nothing_before_ready),
      CASE(a_limit_in_flight),
      CASE(a_command_too_large),
      CASE(commands_that_can_wait),
      CASE(broken_answers),
      CASE(an_endless_answer),
      CASE(an_answer_with_something_too_large),
      CASE(a_turn_has_a_budget),
      CASE(a_turn_of_long_answers),
      CASE(an_answer_in_pieces),
      CASE(hung_up_with_commands_in_flight),
      CASE(cut_within_an_answer),
      CASE(silence_drops_the_link),
      CASE(late_because_of_us),
      CASE(slow_but_in_time),
      CASE(it_goes_on_trying),
      CASE(a_name_that_is_unknown),
      CASE(stopped_while_looking_up),
      CASE(a_place_of_its_own),
      CASE(sentinels_that_are_away),
      CASE(checks),
      CASE(messages_between_answers),
      CASE(a_message_too_large),
      CASE(messages_are_signs_of_life),
      CASE(odd_messages),
      CASE(stopped_with_commands_in_flight),
      CASE(stopped_by_an_answer),
      CASE(stopped_by_a_loss),
      CASE(stopped_at_once),
  };
  return cmocka_run_group_tests_name("redis_link", tests, NULL, NULL);
}
