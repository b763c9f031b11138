/* Joins libcurl's multi interface to the loop: a poll handle for each of its sockets, one timer. */
#include "http_client.h"

#include "utils/join_stop.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A socket of libcurl's that the loop watches. */
typedef struct watched_socket {
  uv_poll_t poll;
  http_client *client;
  curl_socket_t fd;
} watched_socket;

struct http_client_request {
  http_client_request *prev, *next;
  http_client *client;
  CURLM *multi;
  CURL *easy;
  struct curl_slist *headers;
  http_client_post_args args;
  size_t answered_bytes;
  bool refused; /* an address was not allowed */
  char error[CURL_ERROR_SIZE];
};

struct http_client {
  uv_loop_t *loop;
  CURLM *multi; /* NULL: it is made with the next request */
  uv_timer_t timer;
  http_client_request *requests;
  bool stopping;
  join_stop stop; /* the poll handles are parts of it from their beginning */
};

/* ---- the loop ---------------------------------------------------------------------- */

static void end_request(http_client_request *r) {
  http_client *c = r->client;
  if (r->prev)
    r->prev->next = r->next;
  else
    c->requests = r->next;
  if (r->next) r->next->prev = r->prev;
  curl_multi_remove_handle(r->multi, r->easy);
  curl_easy_cleanup(r->easy);
  curl_slist_free_all(r->headers);
  free(r);
}

/* Whoever sent it may begin another one from `done`, or cancel others: no request is kept here. */
static void finish(http_client_request *r, CURLcode code) {
  long status = 0;
  char problem[HTTP_CLIENT_PROBLEM_SIZE];
  /* An answer that was cut because it is too long has a status all the same. */
  bool answered = code == CURLE_OK || r->answered_bytes > HTTP_CLIENT_ANSWER_MAX_BYTES;
  if (answered) curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
  snprintf(problem, sizeof problem, "%s",
           r->refused    ? "its address is not public, and webhook-networks does not name it"
           : r->error[0] ? r->error
                         : curl_easy_strerror(code));
  http_client_post_args args = r->args;
  end_request(r);
  args.done(args.arg, status, problem);
}

/* libcurl 7.88 divides by zero in a multi handle that once had no memory to watch a socket. So one
 * that has failed goes, with all requests in it. */
static void give_up(http_client *c) {
  CURLM *old = c->multi;
  http_client_request *r;
  c->multi = NULL;
  uv_timer_stop(&c->timer);
  do {
    r = c->requests;
    /* No request is freed and in the list. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    while (r && r->multi != old) r = r->next;
    if (r) finish(r, CURLE_OUT_OF_MEMORY);
  } while (r);
  curl_multi_cleanup(old);
}

static void finish_all(http_client *c) {
  int left;
  CURLMsg *message;
  while (c->multi && !c->stopping && (message = curl_multi_info_read(c->multi, &left)) != NULL) {
    http_client_request *r;
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &r);
    finish(r, code);
  }
}

/* Lets libcurl go on where a socket is ready or its time has come. */
static void go_on(http_client *c, curl_socket_t fd, int flags) {
  int running;
  if (!c->multi) return;
  CURLMcode code = curl_multi_socket_action(c->multi, fd, flags, &running);
  if (code == CURLM_OK || code == CURLM_BAD_SOCKET)
    finish_all(c);
  else
    give_up(c);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  const watched_socket *s = poll->data;
  int flags = status < 0 ? CURL_CSELECT_ERR : 0;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  go_on(s->client, s->fd, flags);
}

static void on_timer(uv_timer_t *timer) {
  go_on(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket_closed(uv_handle_t *handle) {
  watched_socket *s = handle->data;
  http_client *c = s->client;
  free(s);
  join_stop_done(&c->stop);
}

static watched_socket *watch(http_client *c, curl_socket_t fd) {
  watched_socket *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  if (uv_poll_init_socket(c->loop, &s->poll, fd) != 0) {
    free(s);
    return NULL;
  }
  s->client = c;
  s->fd = fd;
  s->poll.data = s;
  join_stop_add(&c->stop);
  return s;
}

/* libcurl wants a socket watched in another way. It closes one only after it was told to forget
 * it, and a poll handle lets go of its descriptor as soon as its closing begins. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched) {
  http_client *c = arg;
  watched_socket *s = watched;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    if (s) uv_close((uv_handle_t *)&s->poll, on_socket_closed);
    return 0;
  }
  if (!s) s = watch(c, fd);
  if (!s) return -1;
  curl_multi_assign(c->multi, fd, s);
  int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  return uv_poll_start(&s->poll, events, on_ready) == 0 ? 0 : -1;
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg) {
  http_client *c = arg;
  if (multi != c->multi) return 0; /* one that goes */
  if (timeout_ms < 0 || c->stopping)
    uv_timer_stop(&c->timer);
  else
    uv_timer_start(&c->timer, on_timer, (uint64_t)timeout_ms, 0); /* also for 0: not from in here */
  return 0;
}

/* ---- one request ------------------------------------------------------------------- */

/* The address is the one that is connected to, so it does not matter what a name said before. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
  http_client_request *r = arg;
  net_addr to = net_from_sockaddr(&address->addr);
  if (purpose != CURLSOCKTYPE_IPCXN || !r->args.may_connect(r->args.arg, &to)) {
    r->refused = true;
    return CURL_SOCKET_BAD;
  }
  r->refused = false; /* of several addresses the last one tells */
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg) {
  http_client_request *r = arg;
  (void)bytes;
  r->answered_bytes += size * n;
  return r->answered_bytes > HTTP_CLIENT_ANSWER_MAX_BYTES ? 0 : size * n;
}

static bool set_headers(http_client_request *r) {
  for (const char *const *line = r->args.headers; *line; line++) {
    struct curl_slist *longer = curl_slist_append(r->headers, *line);
    if (!longer) return false;
    r->headers = longer;
  }
  return true;
}

/* An option that cannot be set is for want of memory; curl_easy_setopt is no function to hand
 * around, hence the macro. */
static bool set_options(http_client_request *r) {
  const http_client_post_args *a = &r->args;
  CURLcode code = CURLE_OK;
#define SET(option, value) \
  if (code == CURLE_OK) code = curl_easy_setopt(r->easy, (option), (value))
  SET(CURLOPT_PRIVATE, r);
  SET(CURLOPT_URL, a->url);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_PROXY, ""); /* it would connect in our place, to any address */
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_POST, 1L);
  SET(CURLOPT_POSTFIELDS, a->body.ptr);
  SET(CURLOPT_POSTFIELDSIZE, (long)a->body.len);
  SET(CURLOPT_HTTPHEADER, r->headers);
  SET(CURLOPT_USERAGENT, "active-users/" AU_VERSION);
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_TIMEOUT_MS, (long)a->timeout_ms);
  SET(CURLOPT_QUICK_EXIT, 1L); /* else the end waits for a thread that resolves a name */
  SET(CURLOPT_FORBID_REUSE, 1L);
  SET(CURLOPT_ERRORBUFFER, r->error);
  SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
  SET(CURLOPT_OPENSOCKETDATA, r);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, r);
  /* The file of all authorities takes 30 ms to read, a folder is read as far as it is needed. */
  if (a->ca[0] || curl_version_info(CURLVERSION_NOW)->capath)
    SET(CURLOPT_CAINFO, a->ca[0] ? a->ca : NULL);
  if (a->ca[0]) SET(CURLOPT_CAPATH, NULL);
#undef SET
  return code == CURLE_OK;
}

static bool open_multi(http_client *c) {
  CURLM *multi = curl_multi_init();
  if (!multi || curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERDATA, c) != CURLM_OK) {
    curl_multi_cleanup(multi);
    return false;
  }
  c->multi = multi;
  return true;
}

au_status http_client_post(http_client *c, const http_client_post_args *args,
                           http_client_request **out) {
  if (!c->multi && !open_multi(c)) return AU_ENOMEM;
  http_client_request *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->client = c;
  r->multi = c->multi;
  r->args = *args;
  r->easy = curl_easy_init();
  bool begun = r->easy && set_headers(r) && set_options(r) &&
               curl_multi_add_handle(r->multi, r->easy) == CURLM_OK;
  if (!begun) {
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    free(r);
    return AU_ENOMEM;
  }
  r->next = c->requests;
  if (r->next) r->next->prev = r;
  c->requests = r;
  *out = r;
  return AU_OK;
}

void http_client_cancel(http_client_request *request) {
  end_request(request);
}

const char *http_client_check_url(const char *url) {
  CURLU *parts = curl_url();
  char *scheme = NULL, *host = NULL;
  const char *problem = "is no URL";
  if (!parts) return au_status_text(AU_ENOMEM);
  if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    bool known = slice_eq(slice_of(scheme), slice_of("http")) ||
                 slice_eq(slice_of(scheme), slice_of("https"));
    problem = known ? NULL : "the URL is not of http or https";
  }
  curl_free(scheme);
  curl_free(host);
  curl_url_cleanup(parts);
  return problem;
}

/* ---- life -------------------------------------------------------------------------- */

au_status http_client_create(uv_loop_t *loop, http_client **out) {
  http_client *c = calloc(1, sizeof *c);
  if (!c) return AU_ENOMEM;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    free(c);
    return AU_ENOMEM;
  }
  c->loop = loop;
  uv_timer_init(loop, &c->timer);
  c->timer.data = c;
  *out = c;
  return AU_OK;
}

void http_client_stop(http_client *c, void (*stopped)(void *arg), void *arg) {
  c->stopping = true;
  join_stop_begin(&c->stop, stopped, arg);
  for (http_client_request *r = c->requests, *next; r; r = next) {
    next = r->next;
    end_request(r);
  }
  curl_multi_cleanup(c->multi); /* forgets its sockets, which closes the poll handles */
  c->multi = NULL;
  join_stop_close(&c->stop, (uv_handle_t *)&c->timer);
  join_stop_done(&c->stop);
}

void http_client_free(http_client *c) {
  if (!c) return;
  curl_global_cleanup();
  free(c);
}
