/* Serves the files of the browser SDK from memory. */
#include "assets.h"

#include <string.h>

/* "0", "0.", "0.000": a weight of nothing. */
static bool is_zero(au_slice q) {
  if (q.len == 0 || q.ptr[0] != '0') return false;
  for (size_t i = 1; i < q.len; i++)
    if (q.ptr[i] != '0' && q.ptr[i] != '.') return false;
  return true;
}

/* Whether the parameters of a coding (";q=0.5") refuse it. */
static bool refused(au_slice parameters) {
  au_slice part;
  while (slice_next(&parameters, ';', &part)) {
    part = slice_trim(part);
    if (part.len >= 2 && (part.ptr[0] | 0x20) == 'q' && part.ptr[1] == '=')
      return is_zero(slice_trim((au_slice){part.ptr + 2, part.len - 2}));
  }
  return false;
}

bool assets_takes_gzip(au_slice accept_encoding) {
  au_slice part, name;
  bool any = false, named = false, taken = false;
  while (slice_next(&accept_encoding, ',', &part)) {
    if (!slice_next(&part, ';', &name)) continue;
    name = slice_trim(name);
    if (slice_eq_nocase(name, slice_of("gzip")) || slice_eq_nocase(name, slice_of("x-gzip"))) {
      named = true;
      taken = !refused(part);
    } else if (slice_eq(name, slice_of("*"))) {
      any = !refused(part);
    }
  }
  return named ? taken : any;
}

bool assets_none_match_hits(au_slice if_none_match, au_slice tag) {
  au_slice part;
  while (slice_next(&if_none_match, ',', &part)) {
    part = slice_trim(part);
    if (slice_eq(part, slice_of("*"))) return true;
    /* Weak comparison: a proxy that packs again may have made it weak. */
    if (part.len > 2 && memcmp(part.ptr, "W/", 2) == 0)
      part = (au_slice){part.ptr + 2, part.len - 2};
    if (slice_eq(part, tag)) return true;
  }
  return false;
}

static const asset *find(au_slice path) {
  for (size_t i = 0; i < assets_count; i++)
    if (slice_eq(path, slice_of(assets_table[i].path))) return &assets_table[i];
  return NULL;
}

bool assets_has(au_slice path) {
  return find(path) != NULL;
}

bool assets_reply(http_conn *conn, const http_request *request, au_slice frame_ancestors) {
  const asset *found = find(request->path);
  if (!found || slice_eq_nocase(request->headers[HTTP_H_UPGRADE], slice_of("websocket")))
    return false;
  /* Two representations, two tags: a cache must not mix them up. */
  bool gzip = assets_takes_gzip(request->headers[HTTP_H_ACCEPT_ENCODING]);
  char tag[64];
  int len = snprintf(tag, sizeof tag, "\"%s%s\"", found->tag, gzip ? "-gz" : "");

  buffer *lines = http_conn_headers(conn);
  buffer_append_format(lines,
                       "ETag: %s\r\nCache-Control: %s\r\nVary: Accept-Encoding\r\n"
                       "X-Content-Type-Options: nosniff\r\n"
                       "Cross-Origin-Resource-Policy: cross-origin\r\n",
                       tag, found->cache_control);
  if (found->policy)
    buffer_append_format(lines,
                         "Content-Security-Policy: %s; frame-ancestors %.*s\r\n"
                         "Referrer-Policy: no-referrer\r\n",
                         found->policy, (int)frame_ancestors.len, frame_ancestors.ptr);

  http_reply reply = {.status = 304};
  if (!assets_none_match_hits(request->headers[HTTP_H_IF_NONE_MATCH],
                              (au_slice){tag, (size_t)len})) {
    if (gzip) buffer_append_text(lines, "Content-Encoding: gzip\r\n");
    reply = (http_reply){
        .status = 200,
        .content_type = found->content_type,
        .body = gzip ? (au_slice){(const char *)found->gzip, found->gzip_len}
                     : (au_slice){(const char *)found->plain, found->plain_len},
    };
  }
  http_conn_reply(conn, &reply);
  return true;
}
