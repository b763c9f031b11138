/* The stop of something that has several parts: counts those that have not ended yet, and calls
 * back when the last has. All zero, it is ready for use.
 *
 *   void ticker_stop(ticker *t, void (*stopped)(void *arg), void *arg) {
 *     join_stop_begin(&t->stop, stopped, arg);
 *     changes_stop(t->changes, join_stop_done, join_stop_add(&t->stop));
 *     join_stop_close(&t->stop, (uv_handle_t *)&t->timer);
 *     join_stop_done(&t->stop);
 *   }
 *
 * The only file of utils/ that knows libuv, for its handles are parts like others. */
#ifndef UTILS_JOIN_STOP_H
#define UTILS_JOIN_STOP_H

#include <uv.h>

typedef struct join_stop {
  unsigned open; /* parts that have not ended, and the stop itself until all have been named */
  void (*stopped)(void *arg);
  void *arg;
} join_stop;

/* The stop begins. `stopped` runs once, as the last thing that is done with `j`, so it may free
 * the owner; or begin the next step with the same `j`. It runs inside the join_stop_done that
 * ends the last part, and not before the caller has called join_stop_done for itself. */
void join_stop_begin(join_stop *j, void (*stopped)(void *arg), void *arg);

/* One part more, also before the stop begins. Returns `j`, the argument of join_stop_done. */
void *join_stop_add(join_stop *j);

/* A part has ended, or the caller has named all its parts. Takes a join_stop; its type is that of
 * a `stopped` callback, so that a part can call it by itself. */
void join_stop_done(void *j);

/* Closes a handle as one part more. Its `data` is the stop's from here on. */
void join_stop_close(join_stop *j, uv_handle_t *handle);

#endif
