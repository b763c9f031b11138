/* The admin token, and what is taken for loopback where there is none. */
#include "operators.h"

#include "utils/buffer.h"
#include "utils/text/query.h"
#include "utils/text/secret.h"

#include <ctype.h>
#include <string.h>

bool operators_token_is_valid(const char *token) {
  size_t len = strlen(token);
  if (len == 0) return true;
  for (const char *c = token; *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr("-._~+/=", *c)) return false;
  return len >= OPERATORS_TOKEN_MIN && len <= OPERATORS_TOKEN_MAX;
}

bool operators_are_here(const au_config *config, const http_request *request, int admin_listener) {
  return config->admin_port[0] == '\0' || request->listener == admin_listener;
}

/* A query is in the log of every proxy, and in the history of a browser. */
static bool has_token_in_query(au_slice query) {
  static const char *const names[] = {"token", "access_token", "admin_token", "admin-token"};
  char value[1];
  size_t len;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (query_get(query, names[i], value, sizeof value, &len) != QUERY_NONE) return true;
  return false;
}

/* Any other name may be one that a page of somebody else has pointed to loopback. */
static bool names_loopback(au_slice host) {
  const char *colon = host.len > 0 ? memchr(host.ptr, ':', host.len) : NULL;
  net_addr addr;
  if (host.len > 0 && host.ptr[0] != '[' && colon) host.len = (size_t)(colon - host.ptr);
  if (slice_eq_nocase(host, slice_of("localhost"))) return true;
  return net_parse_forwarded(host, &addr) && net_is_loopback(&addr);
}

/* A proxy on this host passes on what comes from anywhere, and a browser what any page asks for. */
static bool is_local(const http_request *request, bool proxied) {
  const au_slice *headers = request->headers;
  return net_is_loopback(request->peer) && !proxied && !headers[HTTP_H_FORWARDED_FOR].ptr &&
         !headers[HTTP_H_FORWARDED].ptr && !headers[HTTP_H_PROXY_MARK].ptr &&
         !headers[HTTP_H_ORIGIN].ptr && names_loopback(headers[HTTP_H_HOST]);
}

int operators_refuse(const au_config *config, const http_request *request, bool may_change,
                     bool proxied, const char **message) {
  if (has_token_in_query(request->query)) {
    *message = "a token belongs in the Authorization header, not in the query";
    return 400;
  }
  if (config->admin_token[0] != '\0') {
    *message = "this needs the admin token, as Authorization: Bearer";
    au_slice given = secret_of_bearer(request->headers[HTTP_H_AUTHORIZATION]);
    return given.ptr && secret_is(config->admin_token, given) ? 0 : 401;
  }
  *message = "without an admin token this answers loopback only";
  return may_change && !is_local(request, proxied) ? 403 : 0;
}
