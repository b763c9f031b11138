/* A request and its answer, over and over. Knows no paths. */
#include "exchange.h"

#include "request.h"
#include "response.h"

#include <stdlib.h>

typedef enum exchange_state {
  EXCHANGE_OPENING, /* the first connection */
  EXCHANGE_IDLE,
  EXCHANGE_ASKED,     /* no byte of the answer has come */
  EXCHANGE_ANSWERING, /* some have */
} exchange_state;

struct exchange {
  dialer *dialer;
  conn *conn; /* NULL: closed by the server while nothing was asked */
  const exchange_events *events;
  void *owner;
  buffer request; /* the last one */
  response answer;
  uint64_t due_ns;
  uint32_t note;
  exchange_state state;
  bool is_fresh;       /* the connection was made for this request */
  bool is_given_up;    /* by the owner */
  const char *problem; /* found here, not by libuv */
};

static au_status connect_again(exchange *x);

static void free_exchange(exchange *x) {
  buffer_free(&x->request);
  response_free(&x->answer);
  free(x);
}

static void break_off(exchange *x, const char *problem) {
  if (!x->problem) x->problem = problem;
  conn_close(x->conn);
}

static void send_request(exchange *x) {
  if (conn_send(x->conn, buffer_slice(&x->request)) != AU_OK) conn_close(x->conn);
}

static void on_opened(void *owner) {
  exchange *x = owner;
  if (x->state != EXCHANGE_OPENING) {
    send_request(x);
    return;
  }
  x->state = EXCHANGE_IDLE;
  x->events->ready(x->owner, x);
}

static void on_received(void *owner, au_slice bytes) {
  exchange *x = owner;
  size_t used = exchange_is_asked(x) ? response_feed(&x->answer, bytes) : 0;
  if (x->state == EXCHANGE_ASKED) x->state = EXCHANGE_ANSWERING;
  if (x->answer.state == RESPONSE_BAD)
    break_off(x, "an answer that is not HTTP/1.1 with a Content-Length");
  else if (used < bytes.len)
    break_off(x, "more than one answer to one request");
  else if (x->answer.state == RESPONSE_DONE) {
    x->state = EXCHANGE_IDLE;
    x->events->answered(x->owner, x, x->answer.status);
  }
}

static void on_closed(void *owner, int why) {
  exchange *x = owner;
  x->conn = NULL;
  if (x->is_given_up) {
    free_exchange(x);
    return;
  }
  const char *text = x->problem ? x->problem
                     : why != 0 ? uv_strerror(why)
                                : "a request that could not be written";
  if (!x->problem && x->state == EXCHANGE_IDLE) return;
  if (!x->problem && x->state == EXCHANGE_ASKED && !x->is_fresh) {
    au_status status = connect_again(x);
    if (status == AU_OK) return;
    text = au_status_text(status);
  }
  x->events->failed(x->owner, x, text);
  free_exchange(x);
}

static const conn_events events_of_conn = {on_opened, on_received, on_closed};

static au_status connect_again(exchange *x) {
  x->is_fresh = true;
  return dial(x->dialer, &events_of_conn, x, &x->conn);
}

au_status exchange_open(dialer *d, const exchange_events *events, void *owner, exchange **out) {
  exchange *x = calloc(1, sizeof *x);
  if (!x) return AU_ENOMEM;
  x->dialer = d;
  x->events = events;
  x->owner = owner;
  buffer_init(&x->request, REQUEST_MAX_BYTES);
  response_reset(&x->answer);
  au_status status = dial(d, &events_of_conn, x, &x->conn);
  if (status != AU_OK) {
    free(x);
    return status;
  }
  *out = x;
  return AU_OK;
}

au_status exchange_send(exchange *x, au_slice bytes) {
  buffer_clear(&x->request);
  buffer_append_slice(&x->request, bytes);
  response_reset(&x->answer);
  x->state = EXCHANGE_ASKED;
  if (x->request.failed) return AU_ENOMEM;
  if (!x->conn) return connect_again(x);
  x->is_fresh = false;
  send_request(x);
  return AU_OK;
}

bool exchange_is_asked(const exchange *x) {
  return x->state == EXCHANGE_ASKED || x->state == EXCHANGE_ANSWERING;
}

void exchange_close(exchange *x) {
  x->is_given_up = true;
  if (x->conn)
    conn_close(x->conn);
  else
    free_exchange(x);
}

uint64_t *exchange_due_ns(exchange *x) {
  return &x->due_ns;
}

uint32_t *exchange_note(exchange *x) {
  return &x->note;
}
