/* Tests of the looks at all webhooks: which are told, by whom, and what a reload keeps. On a store
 * and a clock of the test's. */
#include "fake_store.h"

#include "services/webhooks/webhooks.h"

typedef struct fixture {
  fake_store store;
  uv_loop_t loop;
  au_clock clock;
  webhooks *hooks;
  bool leads, stopped;
  buffer told;
} fixture;

static bool leads(void *arg) {
  return ((fixture *)arg)->leads;
}

static void on_tell(void *arg, const au_webhook_event *e) {
  fixture *f = arg;
  assert_int_equal(e->timestamp_ms % 1000, 0);
  buffer_append_format(&f->told, "%s%s%u%s ", e->webhook->name, e->firing ? "+" : "-", e->count,
                       e->reason);
}

static void on_stopped(void *arg) {
  ((fixture *)arg)->stopped = true;
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  assert_int_equal(uv_loop_init(&f->loop), 0);
  now_ms = 1000000;
  fake_store_open(&f->store, &f->loop);
  f->clock = (au_clock){read_wall, read_mono, NULL};
  f->leads = true;
  buffer_init(&f->told, 4096);
  const webhooks_config config = {.loop = &f->loop,
                                  .clock = &f->clock,
                                  .store = &f->store.store,
                                  .leads = leads,
                                  .settle_ms = 5000,
                                  .tell = on_tell,
                                  .arg = f};
  assert_int_equal(webhooks_create(&config, &f->hooks), AU_OK);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  webhooks_stop(f->hooks, on_stopped, f);
  fake_store_close(&f->store);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_true(f->stopped);
  webhooks_free(f->hooks);
  buffer_free(&f->told);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  free(f);
  return 0;
}

static void set(fixture *f, const au_webhook *list, size_t n) {
  const au_config config = {.webhooks = list, .webhooks_count = n};
  webhooks_rules *rules;
  assert_int_equal(webhooks_rules_create(&config, &rules), AU_OK);
  webhooks_set_rules(f->hooks, rules);
}

/* Looks once a second, so many seconds. */
static void run_for(fixture *f, int seconds) {
  for (int i = 0; i < seconds; i++) {
    now_ms += WEBHOOKS_INTERVAL_MS;
    webhooks_look(f->hooks);
    if (f->store.held) continue;
    while (f->store.answered < f->store.begun) uv_run(&f->loop, UV_RUN_NOWAIT);
  }
}

static void expect_told(fixture *f, const char *name, const char *want) {
  buffer_append(&f->told, "", 1);
  if (strcmp(f->told.ptr, want) != 0)
    fail_msg("%s: told \"%s\", not \"%s\"", name, f->told.ptr, want);
  buffer_clear(&f->told);
}

static const au_webhook crowd = {.name = "crowd",
                                 .url = "",
                                 .kind = AU_WEBHOOK_ABOVE,
                                 .customer_id = "a",
                                 .threshold = 5,
                                 .until = 3,
                                 .for_s = 2};
static const au_webhook empty = {.name = "empty",
                                 .url = "",
                                 .kind = AU_WEBHOOK_BELOW,
                                 .customer_id = "b",
                                 .threshold = 1,
                                 .until = 1,
                                 .for_s = 2};
static const au_webhook lost = {.name = "lost", .url = "", .kind = AU_WEBHOOK_STORE, .for_s = 2};

static void each_by_its_own_customer(void **state) {
  fixture *f = *state;
  const au_webhook list[] = {crowd, empty};
  set(f, list, 2);
  add(&f->store, "a", 9);
  add(&f->store, "b", 1);
  run_for(f, 2);
  expect_told(f, "too early", "");
  run_for(f, 1);
  expect_told(f, "the crowd", "crowd+9 ");
  find(&f->store, "a")->count = 2;
  find(&f->store, "b")->count = 0;
  run_for(f, 3);
  expect_told(f, "both", "crowd-2 empty+0 ");
  run_for(f, 10);
  expect_told(f, "once", "");
}

static void what_is_stale_or_fails_turns_nothing(void **state) {
  fixture *f = *state;
  set(f, &crowd, 1);
  customer *c = add(&f->store, "a", 9);
  run_for(f, 2);
  c->stale = true;
  run_for(f, 5);
  c->stale = false;
  run_for(f, 2);
  expect_told(f, "it begins anew", "");
  run_for(f, 1);
  expect_told(f, "it has held", "crowd+9 ");
  c->count = 0;
  c->failing = SAMPLE_FAILS;
  run_for(f, 5);
  c->failing = SAMPLE_REFUSED;
  run_for(f, 5);
  expect_told(f, "no sample", "");
}

static void a_slow_store_is_asked_once(void **state) {
  fixture *f = *state;
  set(f, &crowd, 1);
  add(&f->store, "a", 9);
  hold(&f->store, true);
  run_for(f, 10);
  assert_int_equal(f->store.begun, 1);
  hold(&f->store, false);
  run_for(f, 2); /* the answer, and then the next */
  assert_int_equal(f->store.begun, 2);
}

static void who_does_not_lead_keeps_silent(void **state) {
  fixture *f = *state;
  set(f, &crowd, 1);
  add(&f->store, "a", 9);
  f->leads = false;
  run_for(f, 3 + 6);
  f->leads = true;
  run_for(f, 5);
  expect_told(f, "the one that led has told it", "");
  find(&f->store, "a")->count = 0;
  run_for(f, 3);
  expect_told(f, "knows what fires", "crowd-0 ");
}

/* The one that led died before it could tell. */
static void who_takes_over_tells_what_is_young(void **state) {
  fixture *f = *state;
  set(f, &crowd, 1);
  add(&f->store, "a", 9);
  f->leads = false;
  run_for(f, 3 + 3);
  expect_told(f, "not yet", "");
  f->leads = true;
  run_for(f, 1);
  expect_told(f, "taken over", "crowd+9 ");
  run_for(f, 5);
  expect_told(f, "once", "");
}

/* Only the last of two turns is news. */
static void who_takes_over_tells_the_newest(void **state) {
  fixture *f = *state;
  set(f, &crowd, 1);
  add(&f->store, "a", 9);
  f->leads = false;
  run_for(f, 3);
  find(&f->store, "a")->count = 1;
  run_for(f, 3);
  f->leads = true;
  run_for(f, 2);
  expect_told(f, "the newest", "crowd-1 ");
}

static void each_daemon_tells_of_its_store(void **state) {
  fixture *f = *state;
  set(f, &lost, 1);
  f->leads = false;
  run_for(f, 5);
  expect_told(f, "well", "");
  f->store.reason = "gone";
  run_for(f, 3);
  expect_told(f, "degraded", "lost+0gone ");
  f->store.reason = "gone still";
  run_for(f, 9);
  expect_told(f, "another reason is no news", "");
  f->store.reason = NULL;
  run_for(f, 1);
  f->store.reason = "gone again";
  run_for(f, 9);
  f->store.reason = NULL;
  run_for(f, 3);
  expect_told(f, "well for long enough", "lost-0 ");
}

static void a_reload_keeps_what_is_the_same(void **state) {
  fixture *f = *state;
  add(&f->store, "a", 9);
  set(f, &crowd, 1);
  run_for(f, 3);
  expect_told(f, "before", "crowd+9 ");
  au_webhook again = crowd, other = crowd;
  again.url = "https://another.example";
  other.threshold = 4;
  set(f, &again, 1);
  run_for(f, 9);
  expect_told(f, "the same condition", "");
  set(f, &other, 1);
  run_for(f, 3);
  expect_told(f, "another one", "crowd+9 ");
  set(f, NULL, 0);
  find(&f->store, "a")->count = 0;
  run_for(f, 9);
  expect_told(f, "none", "");
}

/* The answer comes when the rules that asked are gone. */
static void a_reload_while_a_customer_is_counted(void **state) {
  fixture *f = *state;
  add(&f->store, "a", 9);
  set(f, &crowd, 1);
  run_for(f, 2);
  hold(&f->store, true);
  run_for(f, 1);
  set(f, &crowd, 1);
  set(f, &empty, 1);
  hold(&f->store, false);
  run_for(f, 1);
  expect_told(f, "it is not told", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(each_by_its_own_customer),
      TEST(what_is_stale_or_fails_turns_nothing),
      TEST(a_slow_store_is_asked_once),
      TEST(who_does_not_lead_keeps_silent),
      TEST(who_takes_over_tells_what_is_young),
      TEST(who_takes_over_tells_the_newest),
      TEST(each_daemon_tells_of_its_store),
      TEST(a_reload_keeps_what_is_the_same),
      TEST(a_reload_while_a_customer_is_counted),
  };
  return cmocka_run_group_tests_name("webhooks", tests, NULL, NULL);
}
