/* Sends HTTP requests from the loop, by libcurl: many at once, none of which can hold the loop.
 * Names are resolved by a thread of libcurl. Follows no redirect and uses no proxy. */
#ifndef WEBHOOKS_HTTP_CLIENT_H
#define WEBHOOKS_HTTP_CLIENT_H

#include <uv.h>

#include "utils/buffer.h"
#include "utils/net/net.h"

enum {
  HTTP_CLIENT_ANSWER_MAX_BYTES = 64 * 1024, /* of a body, which is not looked at */
  HTTP_CLIENT_PROBLEM_SIZE = 256,
  HTTP_CLIENT_HEADERS_MAX = 8,
};

typedef struct http_client http_client;
typedef struct http_client_request http_client_request;

typedef struct http_client_post_args {
  const char *url;
  const char *const *headers; /* lines; ends with NULL */
  au_slice body;              /* borrowed until the request has ended */
  const char *ca;             /* PEM file; "": the system's */
  uint32_t timeout_ms;        /* for the name, the connection, the request and its answer */
  /* Whether an address may be connected to; asked for each that a connection is made to. */
  bool (*may_connect)(void *arg, const net_addr *address);
  /* The request has ended: runs once, from the loop. `status` is that of the answer, 0 when there
   * is none; then `problem` says why. */
  void (*done)(void *arg, long status, const char *problem);
  void *arg;
} http_client_post_args;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status http_client_create(uv_loop_t *loop, http_client **out);

/* What is wrong with a URL, static; NULL: it is one of http or https with a host. */
const char *http_client_check_url(const char *url);

/* Begins a request. Returns AU_OK, or AU_ENOMEM: then `done` never runs. */
AU_MUST_CHECK au_status http_client_post(http_client *c, const http_client_post_args *args,
                                         http_client_request **out);

/* Ends a request at once; `done` does not run. */
void http_client_cancel(http_client_request *request);

/* Cancels what is in flight. `stopped` runs once, from the loop; then the client may be freed. */
void http_client_stop(http_client *c, void (*stopped)(void *arg), void *arg);
void http_client_free(http_client *c);

#endif
