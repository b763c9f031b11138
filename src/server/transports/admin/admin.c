/* The paths of /admin/: cut, decoded and checked. */
#include "admin_private.h"

#include "utils/text/query.h"
#include "wire/wire.h"

#include <string.h>

/* ---- paths ------------------------------------------------------------------------ */

typedef enum admin_cut { CUT_OK, CUT_UNKNOWN, CUT_MALFORMED } admin_cut;

/* `%2F` in a word is a character of it: paths are cut before they are decoded. */
static admin_cut cut(au_slice path, admin_path *out) {
  au_slice word;
  size_t prefix = strlen(ADMIN_PATH);
  path = (au_slice){path.ptr + prefix, path.len - prefix};
  out->count = 0;
  if (path.len > 0 && path.ptr[path.len - 1] == '/') return CUT_UNKNOWN;
  while (slice_next(&path, '/', &word)) {
    size_t len;
    if (out->count == ADMIN_PATH_WORDS) return CUT_UNKNOWN;
    char *at = out->bytes[out->count];
    if (!percent_decode(word, at, AU_ID_MAX, &len)) return CUT_MALFORMED;
    out->words[out->count++] = (au_slice){at, len};
  }
  return CUT_OK;
}

/* A word of a pattern: itself, or what stands in its place. */
static const char *check_word(const char *pattern, au_slice word, bool *matches) {
  *matches = true;
  if (strcmp(pattern, "{customer}") == 0) return wire_valid_id(word) ? NULL : "customerId";
  if (strcmp(pattern, "{session}") == 0) return wire_valid_id(word) ? NULL : "sessionId";
  if (strcmp(pattern, "{address}") == 0) return NULL; /* its handler checks it */
  *matches = slice_eq(word, slice_of(pattern));
  return NULL;
}

/* ---- routes ------------------------------------------------------------------------- */

static const struct {
  const char *allow;
  const char *words[ADMIN_PATH_WORDS]; /* up to the first NULL */
  void (*get)(const admin_call *call);
  void (*post)(const admin_call *call);
  void (*end)(const admin_call *call);
} routes[] = {
    {"GET, HEAD", {"customers"}, admin_list_customers, NULL, NULL},
    {"GET, HEAD, DELETE",
     {"customers", "{customer}"},
     admin_list_sessions,
     NULL,
     admin_end_customer},
    {"DELETE", {"customers", "{customer}", "sessions", "{session}"}, NULL, NULL, admin_end_session},
    {"GET, HEAD", {"sessions", "{customer}", "{session}"}, admin_show_session, NULL, NULL},
    {"GET, HEAD", {"addresses", "{address}"}, admin_show_address, NULL, NULL},
    {"DELETE", {"addresses", "{address}", "sessions"}, NULL, NULL, admin_end_address},
    {"GET, HEAD, POST", {"blocks"}, admin_list_blocks, admin_add_block, NULL},
    {"DELETE", {"blocks", "{address}"}, NULL, NULL, admin_lift_block},
};

enum { ROUTES = sizeof routes / sizeof routes[0] };

/* ROUTES: none. *field is the first word that is no id, or NULL. */
static size_t find(const admin_path *path, const char **field) {
  for (size_t i = 0; i < ROUTES; i++) {
    size_t n = 0;
    bool matches = true;
    *field = NULL;
    for (; n < ADMIN_PATH_WORDS && routes[i].words[n] && matches; n++) {
      if (n == path->count) break;
      const char *bad = check_word(routes[i].words[n], path->words[n], &matches);
      if (!*field) *field = bad;
    }
    bool whole = n == ADMIN_PATH_WORDS || !routes[i].words[n];
    if (matches && whole && n == path->count) return i;
  }
  return ROUTES;
}

void rest_handle_admin(const rest_call *call) {
  admin_call admin = {.rest = call};
  const char *field;
  if (!rest_admits_operator(call, true)) return;
  call->rest->config.counters->operators_requests++;
  admin_cut result = cut(call->request->path, &admin.path);
  size_t found = result == CUT_OK ? find(&admin.path, &field) : ROUTES;
  if (result == CUT_MALFORMED) {
    admin_error(call, 400, "a part of the path is too long, or has a bad escape", NULL);
    return;
  }
  if (found == ROUTES) {
    char message[REFUSAL_TEXT_SIZE];
    refusal_of_path(message, call->request->path);
    admin_error(call, 404, message, NULL);
    return;
  }
  void (*handle)(const admin_call *) = NULL;
  switch (call->request->method) {
  case HTTP_IS_GET:
  case HTTP_IS_HEAD: handle = routes[found].get; break;
  case HTTP_IS_POST: handle = routes[found].post; break;
  case HTTP_IS_DELETE: handle = routes[found].end; break;
  default: break;
  }
  if (!handle) {
    buffer_append_format(http_conn_headers(call->conn), "Allow: %s\r\n", routes[found].allow);
    char message[REFUSAL_TEXT_SIZE];
    refusal_of_method(message, call->request->path, routes[found].allow);
    admin_error(call, 405, message, NULL);
  } else if (field) {
    admin_error(call, 400, "must be " WIRE_ID_RULE, field);
  } else {
    handle(&admin);
  }
}
