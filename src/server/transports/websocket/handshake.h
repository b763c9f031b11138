/* The opening handshake of WebSocket (RFC 6455, 4.2.1), as far as a request shows. */
#ifndef TRANSPORTS_HANDSHAKE_H
#define TRANSPORTS_HANDSHAKE_H

#include "transports/http/http_conn.h"

enum { HANDSHAKE_KEY_BYTES = 24 };

/* 0 when the request may be upgraded; else the status to refuse it with, and
 * *message, static. */
int handshake_check(const http_request *request, const char **message);

#endif
