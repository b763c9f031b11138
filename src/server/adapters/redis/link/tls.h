/* TLS of connections to Redis: trust, handshake, reading and writing on a descriptor that
 * does not block. Knows no loop and no Redis.
 *
 * OpenSSL is used directly: hiredis has TLS from 1.0 on only (Debian 12 has 0.14), and does
 * not compare the certificate with the host. */
#ifndef ADAPTERS_REDIS_TLS_H
#define ADAPTERS_REDIS_TLS_H

#include <active_users/types.h>
#include <sys/types.h>

/* What one record holds at most: a read of this size leaves nothing inside OpenSSL that
 * polling the descriptor would not show. */
enum { REDIS_TLS_RECORD_BYTES = 16 * 1024 };

typedef struct redis_tls redis_tls;                 /* whom to trust */
typedef struct redis_tls_session redis_tls_session; /* on one descriptor */

typedef enum redis_tls_step {
  REDIS_TLS_DONE,
  REDIS_TLS_WANTS_READ,
  REDIS_TLS_WANTS_WRITE,
  REDIS_TLS_FAILED,
} redis_tls_step;

/* ca_file  PEM file of the authorities to trust; "" or NULL: the system's.
 * Returns AU_OK, AU_EINVAL (no certificate can be read from the file) or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_tls_create(const char *ca_file, redis_tls **out);

/* NULL is fine. Not before the sessions are closed. */
void redis_tls_free(redis_tls *tls);

/* `fd` is connected and stays the caller's; `host` is the name or address that the
 * certificate must be for. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_tls_open(redis_tls *tls, int fd, const char *host,
                                       redis_tls_session **out);

/* Goes on with the handshake; call again when the descriptor is as it wants. `*why` is set
 * when it failed, and good until the next call of this page. */
redis_tls_step redis_tls_handshake(redis_tls_session *s, const char **why);

/* Why a handshake failed, static. */
const char *redis_tls_reason(const redis_tls_session *s);

/* The number of bytes, 0 when there is to be waited, or -1 with *why (the end is one too). */
ssize_t redis_tls_read(redis_tls_session *s, void *buf, size_t size, const char **why);
ssize_t redis_tls_write(redis_tls_session *s, au_slice bytes, const char **why);

/* NULL is fine. */
void redis_tls_close(redis_tls_session *s);

#endif
