/* What the files of the REST interface share. Included by these only: rest.c (routes and
 * life), rest_access.c, rest_reply.c, rest_presence.c, rest_metrics.c, and those of admin/, badge/,
 * history/ and stream/. */
#ifndef TRANSPORTS_REST_PRIVATE_H
#define TRANSPORTS_REST_PRIVATE_H

#include "rest.h"

#include "prometheus.h"
#include "rest_limits.h"
#include "transports/access/refusals.h"
#include "utils/net/net.h"

enum {
  REST_MAX_BODY_BYTES = 64 * 1024, /* of an answer */
  REST_MAX_EXPOSITION_BYTES = 512 * 1024,
  REST_RETRY_AFTER_S = 2, /* said with a 503; the store is tried again within that */
};

struct rest {
  rest_config config;
  net_list *trusted_proxies;
  rest_limits *limits;
  int64_t started_ms;
  bool stopping;
  buffer json;                           /* the body being made */
  buffer history;                        /* one with points */
  buffer exposition[PROMETHEUS_FORMATS]; /* as printed at `exposition_ms` */
  int64_t exposition_ms[PROMETHEUS_FORMATS];
  log_pace disagreements; /* of X-Forwarded-For and Forwarded */
  refusal_log refusals;
  rate_state refused_body; /* why on_head refused; for the on_bad_request that follows */
};

/* A request on its way through a handler. Borrowed for the handler's call. */
typedef struct rest_call {
  rest *rest;
  http_conn *conn;
  const http_request *request;
  address *from; /* of the client; NULL without memory */
} rest_call;

static inline bool rest_is_below(au_slice path, const char *folder) {
  au_slice prefix = slice_of(folder);
  return path.len >= prefix.len && slice_eq((au_slice){path.ptr, prefix.len}, prefix);
}

/* ---- rest_reply.c ---------------------------------------------------------- */

/* What is not kept by any cache and read as nothing else, which is all but the assets. */
void rest_reply_dynamic(http_conn *conn, const http_reply *reply);
/* Replies with the body in `r->json`. */
void rest_reply_json(rest *r, http_conn *conn, int status);
/* `field` may be NULL. */
void rest_reply_error(rest *r, http_conn *conn, int status, const char *message, const char *field);
/* Of an operation that failed. */
void rest_reply_status(rest *r, http_conn *conn, au_status status);
/* 429: `verdict` is not REST_ALLOWED, and the lines of the limit are in the headers. The log tells
 * of it with the origin of the request. */
void rest_reply_blocked(rest *r, http_conn *conn, const http_request *request, rest_verdict verdict,
                        int64_t retry_s);

/* Appends the lines of the limit that a request of this path would pay, if it is one that shows
 * them. */
void rest_show_limits(const rest_call *call);
/* Answers a request that has not paid for itself, with the state of the limit that it would have
 * paid: every answer of /presence/ and of /metrics for a customer shows one. */
void rest_reply_unpaid(const rest_call *call, int status, const char *message, const char *field);

/* Whether a request may go on; else the 429 is sent. */
bool rest_pay(const rest_call *call, au_slice customer_id, rest_cost cost);
/* Whether a request may have what is for operators; else the refusal is sent. It pays as any other
 * request. `may_change` as for operators_refuse. */
bool rest_admits_operator(const rest_call *call, bool may_change);
/* Whether what is for operators is at this listener, and the request may have it. Sends nothing. */
bool rest_is_operator(const rest_call *call);
/* Refuses a request that names no customer; its address pays for it. */
void rest_refuse(const rest_call *call, rest_cost cost, int status, const char *message,
                 const char *field);

/* Takes the connection of a request for a transport that keeps it open. It counts for its client,
 * also where the connection is a trusted proxy's. false: the refusal is sent. */
bool rest_detach(const rest_call *call, http_detached *out);

/* ---- rest_access.c ---------------------------------------------------------- */

/* Refuses a request of a page whose origin is not allowed: 403 without CORS headers. `of_customer`
 * as for refusal_of_origin. */
void rest_refuse_origin(const rest_call *call, bool of_customer);
/* Whether the request comes from a page that may read of this customer, or from no page; else the
 * 403 is sent. */
bool rest_admits_page(const rest_call *call, au_slice customer_id);
/* Whether a request may act for its customer and session; else the 401 or 403 is sent.
 *
 * from_body  the token in the body; ptr NULL: none. The one of the header goes first.
 * left_ms    how long the token stays valid; -1: for ever, or none is asked for. */
bool rest_may_act(const rest_call *call, const au_beat *beat, au_slice from_body, int64_t *left_ms);

/* ---- a request that waits for the store ------------------------------------- */

/* In the connection's context. */
typedef struct rest_pending {
  rest *rest;
  http_conn *conn;
  uint64_t *counter; /* of acknowledged ones */
  address *from;     /* of the client, while the store works */
  int64_t token_left_ms;
  bool wants_metrics;
  char *page;         /* that is asked for, owned; NULL: none */
  au_metrics metrics; /* that wait for their peaks; without an id */
  uint8_t customer_len;
  char customer[AU_ID_MAX];
} rest_pending;

_Static_assert(sizeof(rest_pending) <= HTTP_CONTEXT_BYTES, "it must fit into the context");

/* Takes a reference on the connection, for the later reply. */
rest_pending *rest_begin(const rest_call *call, au_slice customer_id);

static inline au_slice rest_pending_customer(const rest_pending *p) {
  return (au_slice){p->customer, p->customer_len};
}

/* ---- handlers --------------------------------------------------------------- */

/* rest_presence.c */
void rest_handle_join(const rest_call *call);
void rest_handle_beat(const rest_call *call);
void rest_handle_leave(const rest_call *call);

/* admin/admin.c */
void rest_handle_admin(const rest_call *call);

/* history/rest_history.c */
void rest_handle_history(const rest_call *call);

/* pages/rest_pages.c */
void rest_handle_pages(const rest_call *call);

/* rest_metrics.c */
void rest_handle_metrics(const rest_call *call);
/* Reads the customer that a query names, decoded into `id`. False: the 400 is sent and paid for, or
 * the 403 of rest_admits_page. */
bool rest_customer_of(const rest_call *call, char id[AU_ID_MAX], au_slice *out);
/* Makes metrics of a sample, with their peaks: then calls `cb`, now or later. */
void rest_add_peaks(rest_pending *p, const au_sample *sample, history_peaks_fn cb);
void rest_handle_health(const rest_call *call);
void rest_handle_ready(const rest_call *call);
/* Takes the peaks that `cb` of rest_add_peaks got. */
const au_metrics *rest_take_peaks(rest_pending *p, const au_peaks *peaks);
/* Whether a GET /metrics asks for a customer's, which pages may read. */
static inline bool rest_asks_for_customer(const http_request *request) {
  return request->query.len > 0;
}

/* badge/rest_badge.c */
void rest_handle_badge(const rest_call *call);
/* stream/rest_stream.c */
void rest_handle_stream(const rest_call *call);

#endif
