/* A broadcast under test, and those who listen to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broadcast_case.h"

#include <stdio.h>
#include <stdlib.h>

bool broadcast_case_printing_fails;

/* The text of a message: its customer and its count. */
static frame *print(const au_metrics *metrics) {
  if (broadcast_case_printing_fails) return NULL;
  char text[AU_ID_MAX + 16];
  int len = snprintf(text, sizeof text, "%.*s%u", (int)metrics->customer_id.len,
                     metrics->customer_id.ptr, metrics->count);
  return frame_create((au_slice){text, (size_t)len});
}

static void on_wake(void *arg) {
  fixture *f = arg;
  buffer_append_text(&f->log, "wake ");
}

static au_status on_subscribe(void *arg, au_slice customer_id, bool on) {
  fixture *f = arg;
  buffer_append_format(&f->log, "%c%.*s ", on ? '+' : '-', (int)customer_id.len, customer_id.ptr);
  return AU_OK;
}

void broadcast_case_deliver(subscriber *s, frame *message) {
  ear *e = (ear *)s;
  e->got = message;
  buffer_append_format(&e->fixture->log, "%c:%.*s ", e->name, (int)message->len,
                       frame_text(message));
  if (e->act) e->act(e);
}

broadcast_hooks broadcast_case_hooks(fixture *f, int64_t gap_ms) {
  return (broadcast_hooks){on_wake, on_subscribe, print, f, gap_ms, NULL};
}

int broadcast_case_setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  buffer_init(&f->log, 1 << 20);
  broadcast_hooks hooks = broadcast_case_hooks(f, 0);
  assert_int_equal(broadcast_create((map_seed){1, 2}, &hooks, &f->broadcast), AU_OK);
  for (int i = 0; i < EARS; i++)
    f->ears[i] = (ear){.s.deliver = broadcast_case_deliver, .fixture = f, .name = (char)('a' + i)};
  broadcast_case_printing_fails = false;
  *state = f;
  return 0;
}

int broadcast_case_teardown(void **state) {
  fixture *f = *state;
  for (int i = 0; i < EARS; i++) broadcast_unsubscribe(f->broadcast, &f->ears[i].s);
  broadcast_free(f->broadcast);
  broadcast_free(NULL);
  buffer_free(&f->log);
  free(f);
  return 0;
}

void expect_delivered(fixture *f, const char *name, const char *want) {
  assert_false(f->log.failed);
  if (!slice_eq(buffer_slice(&f->log), slice_of(want)))
    fail_msg("%s: '%.*s' and not '%s'", name, (int)f->log.len, f->log.ptr, want);
  buffer_clear(&f->log);
}

ear *ear_of(fixture *f, char name) {
  return &f->ears[name - 'a'];
}

void subscribe(fixture *f, const char *customer, char name) {
  assert_int_equal(broadcast_subscribe(f->broadcast, slice_of(customer), &ear_of(f, name)->s),
                   AU_OK);
}

void unsubscribe(fixture *f, char name) {
  broadcast_unsubscribe(f->broadcast, &ear_of(f, name)->s);
  assert_null(ear_of(f, name)->s.topic);
}

void publish(fixture *f, const char *customer, uint32_t count, int64_t now_ms) {
  au_metrics metrics = {.customer_id = slice_of(customer), .count = count};
  broadcast_publish(f->broadcast, &metrics, now_ms);
}
