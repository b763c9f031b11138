/* From bytes to one request: llhttp, and the framing rules of RFC 9112 that it leaves out.
 * Whatever could be read in two ways is refused. Knows no socket and no reply. */
#ifndef TRANSPORTS_HTTP_PARSER_H
#define TRANSPORTS_HTTP_PARSER_H

#include <llhttp.h>

#include "http_conn.h"
#include "http_head.h"

enum {
  HTTP_MAX_BODY_WIRE_BYTES = 256 * 1024, /* of a chunked body with its framing */
};

typedef enum http_parsed {
  HTTP_PARSED_MORE,    /* all bytes that could be used are used; the request is not whole */
  HTTP_PARSED_HEAD,    /* the head is whole, a body follows: decide, then feed what comes behind */
  HTTP_PARSED_REQUEST, /* `request` is whole; feed no more before http_parser_reset */
  HTTP_PARSED_REFUSED, /* answer `status` and `message`, and close: what follows means nothing */
} http_parsed;

typedef struct http_parser {
  llhttp_t llhttp;
  http_head_check head;
  http_request request;
  bool in_body;          /* the head has been read */
  bool expects_continue; /* the peer waits for 100 before it sends the body */
  bool keep_alive;       /* the peer may send another request */
  unsigned header_count, host_count, coding_count;
  http_header header_at; /* of the field being read; HTTP_H_COUNT: not one of ours */
  size_t body_wire_bytes, extension_bytes;
  char last_byte;         /* of the bytes before those at hand, of a chunked body */
  const char *head_bytes; /* the head, where it was offered; NULL: in kept_head */
  size_t head_len;
  buffer x_forwarded_for, forwarded; /* those of several lines, as one */
  buffer kept_head, kept_body;       /* of a message that did not come in one piece */
  int status;                        /* of a refusal, or 0 */
  const char *message;               /* static */
} http_parser;

/* max_head_bytes  of a request; a larger one is 431. */
void http_parser_init(http_parser *p, size_t max_head_bytes);

/* Makes ready for the next request; frees what the last one kept. */
void http_parser_reset(http_parser *p);

/* Takes some of `bytes`: empty lines, a whole head, or some of a body; *used says how many. A
 * head that is not whole uses none of them: offer them again with what follows. After
 * HTTP_PARSED_HEAD feed at once what lies behind it, even if that is nothing: texts of `request`
 * point into what was offered until HTTP_PARSED_MORE, which copies them. */
AU_MUST_CHECK http_parsed http_parser_feed(http_parser *p, const char *bytes, size_t len,
                                           size_t *used);

/* Bytes that it has allocated. */
size_t http_parser_kept_bytes(const http_parser *p);

#endif
