/* Tests of jobs that run one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/operators/job_queue.h"

#include <string.h>

/* A job with a letter. One in lower case cannot be started. */
typedef struct task {
  queued_job job; /* first */
  char name;
  struct task *adds; /* when it ends */
} task;

static job_queue queue;
static char events[64];

static void note(char what, const task *t, au_status status) {
  size_t len = strlen(events);
  events[len] = what;
  events[len + 1] = t->name;
  events[len + 2] = status == AU_OK ? ' ' : '!';
}

static au_status start(queued_job *job) {
  const task *t = (const task *)job;
  au_status status = t->name >= 'a' ? AU_ESTORE : AU_OK;
  note('+', t, status);
  return status;
}

static void end(queued_job *job, au_status status) {
  const task *t = (const task *)job;
  note('-', t, status);
  if (t->adds) assert_int_equal(job_queue_add(&queue, &t->adds->job), AU_OK);
}

static int setup(void **state) {
  (void)state;
  queue = (job_queue){.start = start, .end = end};
  memset(events, 0, sizeof events);
  return 0;
}

static void one_after_the_other(void **state) {
  (void)state;
  task a = {.name = 'A'}, b = {.name = 'B'};
  assert_int_equal(job_queue_add(&queue, &a.job), AU_OK);
  assert_int_equal(job_queue_add(&queue, &b.job), AU_OK);
  assert_int_equal(queue.count, 2);
  assert_string_equal(events, "+A ");
  job_queue_finish(&queue, AU_OK);
  job_queue_finish(&queue, AU_ESTORE);
  assert_string_equal(events, "+A -A +B -B!");
  assert_int_equal(queue.count, 0);
  assert_int_equal(job_queue_add(&queue, &a.job), AU_OK);
  assert_string_equal(events, "+A -A +B -B!+A ");
}

static void what_cannot_be_started(void **state) {
  (void)state;
  task a = {.name = 'A'}, x = {.name = 'x'}, y = {.name = 'y'}, b = {.name = 'B'};
  assert_int_equal(job_queue_add(&queue, &x.job), AU_ESTORE); /* at once, and ends for nobody */
  assert_int_equal(queue.count, 0);
  assert_int_equal(job_queue_add(&queue, &a.job), AU_OK);
  assert_int_equal(job_queue_add(&queue, &x.job), AU_OK);
  assert_int_equal(job_queue_add(&queue, &y.job), AU_OK);
  assert_int_equal(job_queue_add(&queue, &b.job), AU_OK);
  job_queue_finish(&queue, AU_OK);
  assert_string_equal(events, "+x!+A -A +x!-x!+y!-y!+B ");
}

/* It begins once: neither twice, nor never. */
static void what_an_end_adds(void **state) {
  (void)state;
  task b = {.name = 'B'}, c = {.name = 'C'}, a = {.name = 'A', .adds = &b};
  task x = {.name = 'x', .adds = &c};
  assert_int_equal(job_queue_add(&queue, &a.job), AU_OK);
  job_queue_finish(&queue, AU_OK);
  assert_string_equal(events, "+A -A +B ");
  assert_int_equal(job_queue_add(&queue, &x.job), AU_OK);
  job_queue_finish(&queue, AU_OK);
  assert_string_equal(events, "+A -A +B -B +x!-x!+C ");
}

static void all_are_canceled(void **state) {
  (void)state;
  task a = {.name = 'A'}, b = {.name = 'B'};
  assert_int_equal(job_queue_add(&queue, &a.job), AU_OK);
  assert_int_equal(job_queue_add(&queue, &b.job), AU_OK);
  job_queue_cancel(&queue);
  assert_string_equal(events, "+A -A!-B!");
  assert_int_equal(queue.count, 0);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(one_after_the_other),
      CASE(what_cannot_be_started),
      CASE(what_an_end_adds),
      CASE(all_are_canceled),
  };
  return cmocka_run_group_tests_name("job_queue", tests, NULL, NULL);
}
