/* What the tests of broadcast.h share: a broadcast, sixteen subscribers with a letter each, and the
 * log of what they and the hooks were called with. */
#ifndef BROADCAST_CASE_H
#define BROADCAST_CASE_H

#include "services/broadcast.h"
#include "utils/buffer.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { EARS = 16 };

typedef struct fixture fixture;

/* A subscriber that may do something when it is delivered to. */
typedef struct ear {
  subscriber s; /* first */
  fixture *fixture;
  char name;
  frame *got; /* borrowed: the last message */
  void (*act)(struct ear *self);
} ear;

struct fixture {
  broadcast *broadcast;
  buffer log; /* what the hooks and the ears were called with, in order */
  ear ears[EARS];
};
/* No message can be printed while it is set; off when a test begins. */
extern bool broadcast_case_printing_fails;

/* The hooks of a broadcast that writes to the log of `f`. */
broadcast_hooks broadcast_case_hooks(fixture *f, int64_t gap_ms);

/* Of an ear: logs the message, then lets the ear act. */
void broadcast_case_deliver(subscriber *s, frame *message);

int broadcast_case_setup(void **state);
int broadcast_case_teardown(void **state);

/* Fails the test when the log is not `want`, and empties it. */
void expect_delivered(fixture *f, const char *name, const char *want);
/* An ear by its letter. */
ear *ear_of(fixture *f, char name);
void subscribe(fixture *f, const char *customer, char name);
void unsubscribe(fixture *f, char name);
void publish(fixture *f, const char *customer, uint32_t count, int64_t now_ms);

#define TEST(name) \
  cmocka_unit_test_setup_teardown(name, broadcast_case_setup, broadcast_case_teardown)

#endif
