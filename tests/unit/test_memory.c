/* Tests of the operations of the memory store: what store.h promises about when
 * their callbacks run. */
#include "memory_case.h"

static void answers_come_later_and_in_order(void **state) {
  fixture *f = *state;
  au_beat beat = memory_beat("shop", "s", "tab"), other = memory_beat("shop", "s", "other");
  touch(f, "shop", "s", "touch");
  sample(f, "shop", "sample");
  CALL(f, AU_OK, leave(f->store, &other, log_done, "leave"));
  CALL(f, AU_OK, shorten(f->store, &beat, GRACE_MS, AU_SHORTEN_LEFT, log_done, "shorten"));
  CALL(f, AU_OK, due(f->store, 0, 0, 0, 10, log_due, "due"));
  CALL(f, AU_OK, save(f->store, slice_of("shop"), &untold, 2.5, log_done, "save"));
  CALL(f, AU_OK, evict(f->store, slice_of("shop"), &untold, log_done, "evict"));
  sample(f, "shop", "sample");
  au_metrics metrics = {.customer_id = slice_of("shop"), .timestamp_ms = 1, .count = 7, .ema = 2.5};
  CALL(f, AU_OK, publish(f->store, &metrics, log_done, "publish"));
  expect_calls(f, "");
  assert_int_equal(f->store->ops->health(f->store).in_flight, 9);
  turn(f);
  expect_calls(f, "touch:0 sample:1/0/0.0/0 leave:0 shorten:0 due:0[shop] save:0 evict:0 "
                  "sample:1/1/2.5/0 published:shop=7/2.5 publish:0 changed:shop ");
  assert_int_equal(f->store->ops->health(f->store).in_flight, 0);
  turn(f);
  expect_calls(f, "");
}

static void borrowed_ids_are_copied(void **state) {
  fixture *f = *state;
  touch(f, "shop", "s", "touch");
  char id[] = "shop";
  au_metrics metrics = {.customer_id = slice_of(id), .timestamp_ms = 1, .count = 7, .ema = 2.5};
  CALL(f, AU_OK, sample(f->store, slice_of(id), log_sample, "sample"));
  CALL(f, AU_OK, publish(f->store, &metrics, log_done, "publish"));
  memset(id, 'x', 4);
  turn(f);
  expect_calls(f, "touch:0 sample:1/0/0.0/0 published:shop=7/2.5 publish:0 changed:shop ");
}

static void refusals_come_at_once_and_only_once(void **state) {
  fixture *f = *state;
  static char text[AU_ID_MAX + 1];
  memset(text, 'x', sizeof text);
  au_slice too_long = {text, sizeof text};
  au_beat beat = memory_beat("shop", "s", "tab");
  au_metrics metrics = {.customer_id = too_long};
  CALL(f, AU_EINVAL, sample(f->store, too_long, log_sample, "x"));
  CALL(f, AU_EINVAL, sample(f->store, (au_slice){0}, log_sample, "x"));
  CALL(f, AU_EINVAL, save(f->store, too_long, &untold, 1, log_done, "x"));
  CALL(f, AU_EINVAL, evict(f->store, too_long, &untold, log_done, "x"));
  CALL(f, AU_EINVAL, publish(f->store, &metrics, log_done, "x"));
  CALL(f, AU_EINVAL, shorten(f->store, &beat, GRACE_MS + 1, AU_SHORTEN_LEFT, log_done, "x"));
  beat.session_id = too_long;
  CALL(f, AU_EINVAL, touch(f->store, &beat, AU_TOUCH_BEAT, log_done, "x"));
  turn(f);
  expect_calls(f, "");
}

static void a_full_table_refuses(void **state) {
  fixture *f = *state;
  char id[32];
  for (uint32_t i = 0; i < f->config.max_customers; i++) {
    snprintf(id, sizeof id, "shop-%u", i);
    touch(f, id, "s", "t");
  }
  au_beat beat = memory_beat("one-more", "s", "tab");
  CALL(f, AU_EFULL, touch(f->store, &beat, AU_TOUCH_BEAT, log_done, "x"));
  while (f->store->ops->health(f->store).in_flight > 0) turn(f);
  au_store_health health = f->store->ops->health(f->store);
  assert_true(health.ever_up);
  assert_string_equal(health.name, "memory");
  assert_string_equal(health.reason, "");
  assert_int_equal(health.customers, f->config.max_customers);
  assert_int_equal(health.sessions, f->config.max_customers);
}

/* ---- pipelining ----------------------------------------------------------- */

typedef struct chain {
  fixture *fixture;
  int left, done;
} chain;

static void go_on(au_status status, void *arg) {
  chain *c = arg;
  assert_int_equal(status, AU_OK);
  assert_false(c->fixture->inside);
  c->done++;
  if (c->left-- == 0) return;
  au_beat beat = memory_beat("shop", "s", "tab");
  CALL(c->fixture, AU_OK, touch(c->fixture->store, &beat, AU_TOUCH_BEAT, go_on, c));
}

/* What callbacks begin is answered in the same turn, up to a bound. */
static void callbacks_may_begin_operations(void **state) {
  fixture *f = *state;
  chain c = {f, TURN_MAX - 1, 0};
  au_beat beat = memory_beat("shop", "s", "tab");
  CALL(f, AU_OK, touch(f->store, &beat, AU_TOUCH_BEAT, go_on, &c));
  turn(f);
  assert_int_equal(c.done, TURN_MAX);

  c = (chain){f, 3 * TURN_MAX, 0};
  CALL(f, AU_OK, touch(f->store, &beat, AU_TOUCH_BEAT, go_on, &c));
  turn(f);
  assert_int_equal(c.done, TURN_MAX);
  for (int i = 0; i < 3; i++) turn(f);
  assert_int_equal(c.done, 3 * TURN_MAX + 1);
}

static void count_done(au_status status, void *arg) {
  assert_int_equal(status, AU_OK);
  ++*(int *)arg;
}

typedef struct breeder {
  fixture *fixture;
  int begun, answered;
} breeder;

static void breed(breeder *b);

static void on_bred(au_status status, const au_sample *sample, void *arg) {
  breeder *b = arg;
  assert_int_equal(status, AU_OK);
  assert_int_equal(sample->ema, b->answered); /* that of the customer it asked for */
  b->answered++;
  breed(b);
  breed(b);
}

static void breed(breeder *b) {
  char id[32];
  if (b->begun == 500) return;
  snprintf(id, sizeof id, "shop-%d", b->begun++);
  CALL(b->fixture, AU_OK, sample(b->fixture->store, slice_of(id), on_bred, b));
}

/* Each answer begins two more, so that the ring is full while its head is anywhere. */
static void the_ring_grows_while_it_is_in_use(void **state) {
  fixture *f = *state;
  char id[32];
  for (int i = 0; i < 500; i++) {
    snprintf(id, sizeof id, "shop-%d", i);
    touch(f, id, "s", "t");
    CALL(f, AU_OK, save(f->store, slice_of(id), &untold, i, log_done, "t"));
  }
  while (f->store->ops->health(f->store).in_flight > 0) turn(f);
  breeder b = {f, 0, 0};
  breed(&b);
  while (f->store->ops->health(f->store).in_flight > 0) turn(f);
  assert_int_equal(b.answered, 500);
}

/* The ring says when it is full, and is small again afterwards. */
static void operations_in_flight_are_bounded(void **state) {
  fixture *f = *state;
  au_beat beat = memory_beat("shop", "s", "tab");
  int done = 0;
  for (int i = 0; i < 40; i++)
    CALL(f, AU_OK, touch(f->store, &beat, AU_TOUCH_BEAT, count_done, &done));
  turn(f);
  for (int i = 0; i < IN_FLIGHT_MAX; i++)
    CALL(f, AU_OK, touch(f->store, &beat, AU_TOUCH_BEAT, count_done, &done));
  beat = memory_beat("shop", "another", "tab");
  CALL(f, AU_EBUSY, touch(f->store, &beat, AU_TOUCH_BEAT, count_done, &done));
  assert_int_equal(f->store->ops->health(f->store).sessions, 1); /* nor was it done */
  turn(f);
  assert_int_equal(done, 40 + TURN_MAX);
  CALL(f, AU_OK, leave(f->store, &beat, count_done, &done));
  while (f->store->ops->health(f->store).in_flight > 0) turn(f);
  assert_int_equal(done, 40 + IN_FLIGHT_MAX + 1);
  CALL(f, AU_OK, leave(f->store, &beat, count_done, &done)); /* the small ring again */
  turn(f);
  assert_int_equal(done, 40 + IN_FLIGHT_MAX + 2);
}

/* ---- embedded in a shared store ------------------------------------------------ */

/* Ten more are known elsewhere, of the customer that `arg` names. */
static void ten_more(void *arg, au_slice customer_id, au_sample *sample) {
  if (slice_eq(customer_id, slice_of(arg))) sample->count += 10;
}

static int setup_embedded(void **state) {
  static char customer[] = "shop";
  return memory_setup_as(state, &(memory_embedding){.complete = ten_more, .arg = customer});
}

static void what_is_known_elsewhere_completes_a_sample(void **state) {
  fixture *f = *state;
  touch(f, "shop", "s", "touch");
  touch(f, "other", "s", "touch");
  sample(f, "shop", "shop");
  sample(f, "other", "other");
  turn(f);
  expect_calls(f, "touch:0 touch:0 shop:11/0/0.0/0 other:1/0/0.0/0 changed:shop changed:other ");
  au_sample now;
  memory_store_sample(f->store, slice_of("shop"), &now);
  assert_int_equal(now.count, 11);
  memory_store_sample(f->store, slice_of("unknown"), &now);
  assert_int_equal(now.count, 0);
}

static void an_embedded_store_keeps_profiles_and_no_empty_customers(void **state) {
  fixture *f = *state;
  au_beat beat = memory_beat("shop", "s", "tab");
  presence_live found;
  beat.platform = slice_of("Linux");
  CALL(f, AU_OK, touch(f->store, &beat, AU_TOUCH_JOIN, log_done, "join"));
  presence_table *table = memory_store_table(f->store);
  assert_true(presence_table_find(table, beat.customer_id, beat.session_id, f->now_ms, &found));
  assert_true(slice_eq(found.beat.platform, slice_of("Linux")));
  CALL(f, AU_OK, leave(f->store, &beat, log_done, "leave"));
  CALL(f, AU_OK, due(f->store, 0, 0, 0, 10, log_due, "due"));
  turn(f);
  expect_calls(f, "join:0 leave:0 due:0[] changed:shop ");
  assert_int_equal(f->store->ops->health(f->store).customers, 0);
}

/* Whoever embeds it touches the table itself. */
static void sessions_that_were_put_into_the_table_expire(void **state) {
  fixture *f = *state;
  au_beat beat = memory_beat("shop", "s", "tab");
  presence_table *table = memory_store_table(f->store);
  assert_int_equal(presence_table_touch(table, &beat, AU_TOUCH_JOIN, f->now_ms), AU_OK);
  assert_true(presence_table_shorten(table, &beat, GRACE_MS, f->now_ms));
  memory_store_expire(f->store);
  turn(f);
  expect_calls(f, "changed:shop ");
  f->now_ms += GRACE_MS;
  while (f->changed < 2) uv_run(&f->loop, UV_RUN_ONCE);
  assert_int_equal(f->store->ops->health(f->store).sessions, 0);
}

static void a_change_is_told_once_and_not_after_a_stop(void **state) {
  fixture *f = *state;
  memory_store_changed(f->store, slice_of("shop"));
  memory_store_changed(f->store, slice_of("shop"));
  expect_calls(f, "");
  turn(f);
  expect_calls(f, "changed:shop ");
  memory_store_changed(f->store, slice_of("shop"));
  f->store->ops->stop(f->store, memory_on_stopped, f);
  memory_store_changed(f->store, slice_of("other"));
  memory_store_expire(f->store);
  while (f->stopped == 0) turn(f);
  expect_calls(f, "stopped ");
}

#define EMBEDDED(name) cmocka_unit_test_setup_teardown(name, setup_embedded, memory_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(answers_come_later_and_in_order),
      TEST(borrowed_ids_are_copied),
      TEST(refusals_come_at_once_and_only_once),
      TEST(a_full_table_refuses),
      TEST(callbacks_may_begin_operations),
      TEST(the_ring_grows_while_it_is_in_use),
      TEST(operations_in_flight_are_bounded),
      EMBEDDED(what_is_known_elsewhere_completes_a_sample),
      EMBEDDED(an_embedded_store_keeps_profiles_and_no_empty_customers),
      EMBEDDED(sessions_that_were_put_into_the_table_expire),
      EMBEDDED(a_change_is_told_once_and_not_after_a_stop),
  };
  return cmocka_run_group_tests_name("memory store", tests, NULL, NULL);
}
