/* Who may use the operators' endpoints (the exposition, /admin/ and the details of /health), and
 * at which listener. Knows no routes. */
#ifndef TRANSPORTS_OPERATORS_H
#define TRANSPORTS_OPERATORS_H

#include <active_users/config.h>

#include "transports/http/http_conn.h"

enum { OPERATORS_TOKEN_MIN = 16, OPERATORS_TOKEN_MAX = 512 };

/* Whether an admin token can be sent as a bearer token (RFC 6750, 2.1), and is long enough. "" is
 * none, and fine. */
bool operators_token_is_valid(const char *token);

/* Whether these endpoints are at the listener of a request; if not, they answer 404. */
bool operators_are_here(const au_config *config, const http_request *request, int admin_listener);

/* Whether a request gets what operators alone may see: 0, or the status of the refusal and a
 * static *message.
 *
 * may_change  it is for /admin/, which without a token answers loopback alone: a peer on loopback
 *             that stands for nobody else, asking for a name of loopback.
 * proxied     the peer is a trusted proxy. */
int operators_refuse(const au_config *config, const http_request *request, bool may_change,
                     bool proxied, const char **message);

#endif
