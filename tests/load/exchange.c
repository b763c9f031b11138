/* A request and its answer, over and over. Knows no paths. */
#include "exchange.h"

#include "response.h"

#include <stdlib.h>

struct exchange {
  conn *conn;
  const exchange_events *events;
  void *owner;
  response answer;
  uint64_t due_ns;
  uint32_t note;
  bool waiting;        /* for an answer */
  const char *problem; /* found here, not by libuv */
};

static void break_off(exchange *x, const char *problem) {
  if (!x->problem) x->problem = problem;
  conn_close(x->conn);
}

static void on_opened(void *owner) {
  exchange *x = owner;
  x->events->ready(x->owner, x);
}

static void on_received(void *owner, au_slice bytes) {
  exchange *x = owner;
  size_t used = x->waiting ? response_feed(&x->answer, bytes) : 0;
  if (x->answer.state == RESPONSE_BAD)
    break_off(x, "an answer that is not HTTP/1.1 with a Content-Length");
  else if (used < bytes.len)
    break_off(x, "more than one answer to one request");
  else if (x->answer.state == RESPONSE_DONE) {
    x->waiting = false;
    x->events->answered(x->owner, x, x->answer.status);
  }
}

static void on_closed(void *owner, int why) {
  exchange *x = owner;
  const char *text = x->problem ? x->problem : why != 0 ? uv_strerror(why) : "closed";
  if (x->problem) why = UV_EPROTO;
  x->events->closed(x->owner, x, why, text);
  response_free(&x->answer);
  free(x);
}

static const conn_events events_of_conn = {on_opened, on_received, on_closed};

au_status exchange_open(dialer *d, const exchange_events *events, void *owner, exchange **out) {
  exchange *x = calloc(1, sizeof *x);
  if (!x) return AU_ENOMEM;
  x->events = events;
  x->owner = owner;
  response_reset(&x->answer);
  au_status status = dial(d, &events_of_conn, x, &x->conn);
  if (status != AU_OK) {
    free(x);
    return status;
  }
  *out = x;
  return AU_OK;
}

void exchange_send(exchange *x, au_slice request) {
  response_reset(&x->answer);
  x->waiting = true;
  if (conn_send(x->conn, request) != AU_OK) break_off(x, "a request that could not be written");
}

void exchange_close(exchange *x) {
  conn_close(x->conn);
}

uint64_t *exchange_due_ns(exchange *x) {
  return &x->due_ns;
}

uint32_t *exchange_note(exchange *x) {
  return &x->note;
}
