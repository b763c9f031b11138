/* References of connections, in a file of their own: where clang's analyzer sees the last one end,
 * it takes every later use of the connection for one after its end. */
#include "http_private.h"

#include <stdlib.h>

void http_conn_ref(http_conn *conn) {
  conn->refs++;
}

void http_conn_unref(http_conn *conn) {
  if (--conn->refs > 0) return;
  buffer_free(&conn->lines); /* a late reply may have added some */
  free(conn);
}
