/* OpenSSL on a descriptor that does not block.
 *
 * The library is shared with libwebsockets in this process, and its queue of errors
 * belongs to the thread: it is emptied before each call whose failure is looked into. */
#include "tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct redis_tls {
  SSL_CTX *context;
};

struct redis_tls_session {
  SSL *ssl;
};

/* ---- trust ------------------------------------------------------------------ */

static au_status trust(SSL_CTX *context, const char *ca_file) {
  if (!ca_file || ca_file[0] == '\0')
    return SSL_CTX_set_default_verify_paths(context) == 1 ? AU_OK : AU_ENOMEM;
  return SSL_CTX_load_verify_locations(context, ca_file, NULL) == 1 ? AU_OK : AU_EINVAL;
}

au_status redis_tls_create(const char *ca_file, redis_tls **out) {
  redis_tls *tls = calloc(1, sizeof *tls);
  if (!tls) return AU_ENOMEM;
  ERR_clear_error();
  tls->context = SSL_CTX_new(TLS_client_method());
  au_status status = tls->context ? trust(tls->context, ca_file) : AU_ENOMEM;
  ERR_clear_error();
  if (status != AU_OK) {
    redis_tls_free(tls);
    return status;
  }
  SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
  /* After the handshake a read waits for reading only, and a write for writing. */
  SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION);
  /* What is left of a write is offered again from wherever it lies by then. */
  SSL_CTX_set_mode(tls->context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  *out = tls;
  return AU_OK;
}

void redis_tls_free(redis_tls *tls) {
  if (!tls) return;
  SSL_CTX_free(tls->context);
  free(tls);
}

/* ---- one connection --------------------------------------------------------- */

/* An address is compared with the addresses of the certificate; it is no server name. */
static bool expect_host(SSL *ssl, const char *host) {
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1) return true;
  return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

au_status redis_tls_open(redis_tls *tls, int fd, const char *host, redis_tls_session **out) {
  redis_tls_session *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->ssl = SSL_new(tls->context);
  if (!s->ssl || !expect_host(s->ssl, host) || SSL_set_fd(s->ssl, fd) != 1) {
    redis_tls_close(s);
    return AU_ENOMEM;
  }
  SSL_set_connect_state(s->ssl);
  *out = s;
  return AU_OK;
}

static bool is_distrusted(const redis_tls_session *s) {
  return SSL_get_verify_result(s->ssl) != X509_V_OK;
}

/* What went wrong, by what SSL_get_error said. */
static const char *explain(const redis_tls_session *s, int error, int system_error) {
  if (is_distrusted(s)) return X509_verify_cert_error_string(SSL_get_verify_result(s->ssl));
  unsigned long code = ERR_peek_error();
  const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
  if (text) return text;
  if (error == SSL_ERROR_SYSCALL && system_error != 0) return strerror(system_error);
  return "the other side closed the connection";
}

redis_tls_step redis_tls_handshake(redis_tls_session *s, const char **why) {
  ERR_clear_error();
  errno = 0;
  int done = SSL_do_handshake(s->ssl);
  int system_error = errno;
  if (done == 1) return REDIS_TLS_DONE;
  int error = SSL_get_error(s->ssl, done);
  if (error == SSL_ERROR_WANT_READ) return REDIS_TLS_WANTS_READ;
  if (error == SSL_ERROR_WANT_WRITE) return REDIS_TLS_WANTS_WRITE;
  *why = explain(s, error, system_error);
  return REDIS_TLS_FAILED;
}

const char *redis_tls_reason(const redis_tls_session *s) {
  return is_distrusted(s) ? "the certificate of redis is not trusted"
                          : "redis does not agree on TLS: without TLS the scheme is redis://";
}

/* Of a read or a write that gave no bytes. */
static ssize_t none(const redis_tls_session *s, int n, int system_error, const char **why) {
  int error = SSL_get_error(s->ssl, n);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
  *why = explain(s, error, system_error);
  return -1;
}

ssize_t redis_tls_read(redis_tls_session *s, void *buf, size_t size, const char **why) {
  ERR_clear_error();
  errno = 0;
  int n = SSL_read(s->ssl, buf, size > INT_MAX ? INT_MAX : (int)size);
  return n > 0 ? n : none(s, n, errno, why);
}

ssize_t redis_tls_write(redis_tls_session *s, au_slice bytes, const char **why) {
  ERR_clear_error();
  errno = 0;
  int n = SSL_write(s->ssl, bytes.ptr, bytes.len > INT_MAX ? INT_MAX : (int)bytes.len);
  return n > 0 ? n : none(s, n, errno, why);
}

void redis_tls_close(redis_tls_session *s) {
  if (!s) return;
  SSL_free(s->ssl);
  free(s);
}
