/* What the files of /admin/ share. Included by these only. */
#ifndef TRANSPORTS_ADMIN_PRIVATE_H
#define TRANSPORTS_ADMIN_PRIVATE_H

#include "transports/rest_private.h"

enum {
  ADMIN_PATH_WORDS = 4,
  ADMIN_MAX_BODY_BYTES = 1000 * 1000, /* of an answer; the longest page of sessions */
  ADMIN_PAGE = 100,                   /* rows of a page */
};

/* A path behind /admin/, cut at its slashes; each word decoded and its own. */
typedef struct admin_path {
  size_t count;
  au_slice words[ADMIN_PATH_WORDS];
  char bytes[ADMIN_PATH_WORDS][AU_ID_MAX];
} admin_path;

/* One request that was let in. Borrowed for the handler's call. */
typedef struct admin_call {
  const rest_call *rest;
  admin_path path;
} admin_call;

static inline void admin_error(const rest_call *call, int status, const char *message,
                               const char *field) {
  if (status == 400) call->rest->config.counters->http_invalid++;
  rest_reply_error(call->rest, call->conn, status, message, field);
}

/* lists.c */
void admin_list_customers(const admin_call *call);
void admin_list_sessions(const admin_call *call);
void admin_show_session(const admin_call *call);

/* changes.c */
void admin_end_customer(const admin_call *call);
void admin_end_session(const admin_call *call);
void admin_end_address(const admin_call *call);
void admin_list_blocks(const admin_call *call);
void admin_add_block(const admin_call *call);
void admin_lift_block(const admin_call *call);
void admin_show_address(const admin_call *call);

#endif
