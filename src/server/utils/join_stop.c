/* Counts the parts of a stop. */
#include "join_stop.h"

void join_stop_begin(join_stop *j, void (*stopped)(void *arg), void *arg) {
  j->open++;
  j->stopped = stopped;
  j->arg = arg;
}

void *join_stop_add(join_stop *j) {
  j->open++;
  return j;
}

void join_stop_done(void *arg) {
  join_stop *j = (join_stop *)arg;
  if (--j->open == 0 && j->stopped) j->stopped(j->arg);
}

static void on_closed(uv_handle_t *handle) {
  join_stop_done(handle->data);
}

void join_stop_close(join_stop *j, uv_handle_t *handle) {
  handle->data = join_stop_add(j);
  uv_close(handle, on_closed);
}
