/* The browser SDK, the demo page, the dashboard and the descriptions of the API, built into the
 * binary. Knows no route: whoever asks has a path. The table comes from src/client/build.mjs, or
 * with the descriptions alone from src/packaging/plain-assets.sh where there is no Node. */
#ifndef TRANSPORTS_ASSETS_H
#define TRANSPORTS_ASSETS_H

#include "transports/http/http_conn.h"

typedef struct asset {
  const char *path;
  const char *content_type;
  const char *cache_control;
  const char *policy; /* Content-Security-Policy but for frame-ancestors, or NULL */
  const char *tag;    /* of the plain bytes, without quotes */
  const unsigned char *plain, *gzip;
  size_t plain_len, gzip_len;
} asset;

/* Generated. */
extern const asset assets_table[];
extern const size_t assets_count;

/* Whether this build has an asset at the path. */
bool assets_has(au_slice path);

/* Answers a GET or HEAD with the asset of the request's path: 200 or 304, plain or
 * gzip as the client takes it. False: there is no such asset, or a WebSocket is wanted
 * of it, and nothing was sent.
 *
 * frame_ancestors  which pages may have a page in a frame: the sources of that directive of CSP. */
bool assets_reply(http_conn *conn, const http_request *request, au_slice frame_ancestors);

/* Whether an Accept-Encoding allows gzip (RFC 9110, 12.5.3). */
bool assets_takes_gzip(au_slice accept_encoding);

/* Whether an If-None-Match names this tag, given with its quotes (RFC 9110, 13.1.2). */
bool assets_none_match_hits(au_slice if_none_match, au_slice tag);

#endif
