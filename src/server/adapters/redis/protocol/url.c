/* Takes a Redis URL apart. A reason never repeats any part of the text: it may hold
 * a password. */
#include "url.h"

#include "utils/buffer.h"

#include <string.h>
#include <sys/un.h>

enum { DB_MAX = 1000000 };

/* hiredis 0.14 leaves the last two bytes of sun_path to chance. */
enum { UNIX_PATH_MAX_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) - 2 };

typedef struct scheme {
  const char *prefix;
  redis_kind kind;
  bool tls;
  uint16_t port; /* when the URL gives none */
} scheme;

static const scheme schemes[] = {
    {"redis://", REDIS_SINGLE, false, 6379},
    {"rediss://", REDIS_SINGLE, true, 6379},
    {"redis+sentinel://", REDIS_SENTINEL, false, 26379},
    {"redis+cluster://", REDIS_CLUSTER, false, 6379},
};

static bool take_prefix(au_slice *rest, const char *prefix) {
  size_t len = strlen(prefix);
  if (rest->len < len || !slice_eq_nocase((au_slice){rest->ptr, len}, slice_of(prefix)))
    return false;
  *rest = (au_slice){rest->ptr + len, rest->len - len};
  return true;
}

/* Printable ASCII without blanks, which is all a URL may hold. */
static bool is_plain(au_slice s) {
  for (size_t i = 0; i < s.len; i++)
    if (s.ptr[i] <= ' ' || s.ptr[i] > '~') return false;
  return true;
}

static bool copy_text(au_slice from, char to[REDIS_URL_TEXT_MAX]) {
  if (from.len >= REDIS_URL_TEXT_MAX) return false;
  memcpy(to, from.ptr, from.len);
  to[from.len] = '\0';
  return true;
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* false when it does not fit, or holds a broken escape or a NUL. */
static bool decode_text(au_slice from, char to[REDIS_URL_TEXT_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < from.len; i++) {
    char c = from.ptr[i];
    if (c == '%') {
      int high = i + 2 < from.len ? hex_value(from.ptr[i + 1]) : -1;
      int low = high >= 0 ? hex_value(from.ptr[i + 2]) : -1;
      if (low < 0) return false;
      c = (char)(high << 4 | low);
      i += 2;
    }
    if (c == '\0' || n + 1 >= REDIS_URL_TEXT_MAX) return false;
    to[n++] = c;
  }
  to[n] = '\0';
  return true;
}

/* Digits only; false above `max`. */
static bool read_number(au_slice s, uint32_t max, uint32_t *out) {
  uint64_t n;
  if (!slice_digits(s, 10, &n) || n > max) return false;
  *out = (uint32_t)n;
  return true;
}

/* The index of the first or the last `c`, or s.len. */
static size_t first_of(au_slice s, char c) {
  const char *found = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
  return found ? (size_t)(found - s.ptr) : s.len;
}

static size_t last_of(au_slice s, char c) {
  for (size_t i = s.len; i > 0; i--)
    if (s.ptr[i - 1] == c) return i - 1;
  return s.len;
}

/* Cuts `s` at an index: the text before it, and the text behind it. */
static au_slice before(au_slice s, size_t at) {
  return (au_slice){s.ptr, at};
}

static au_slice behind(au_slice s, size_t at) {
  return at < s.len ? (au_slice){s.ptr + at + 1, s.len - at - 1} : (au_slice){s.ptr + s.len, 0};
}

static const char *read_login(au_slice login, redis_url *out) {
  size_t colon = first_of(login, ':');
  if (colon == login.len) return "a user comes with a password: redis://user:password@host";
  if (!decode_text(before(login, colon), out->user) ||
      !decode_text(behind(login, colon), out->password))
    return "the user or password is too long or badly percent-encoded";
  if (out->password[0] == '\0') return "the password is empty";
  return NULL;
}

/* host, host:port, [v6] or [v6]:port */
static const char *read_host(au_slice text, uint16_t default_port, redis_endpoint *out) {
  au_slice host, port;
  if (text.len > 0 && text.ptr[0] == '[') {
    size_t end = last_of(text, ']');
    if (end == text.len) return "the IPv6 address lacks its closing bracket";
    host = (au_slice){text.ptr + 1, end - 1};
    port = behind(text, end);
    if (port.len > 0 && port.ptr[0] != ':') return "only a port may follow the IPv6 address";
    if (host.len > 0 && first_of(host, ':') == host.len) return "the brackets hold no IPv6 address";
  } else {
    size_t colon = last_of(text, ':');
    host = before(text, colon);
    port = (au_slice){text.ptr + colon, text.len - colon};
    if (first_of(host, ':') < host.len)
      return "an IPv6 address stands in brackets: redis://[::1]:6379";
  }
  if (host.len == 0) return "the host is missing";
  if (!decode_text(host, out->host)) return "the host is too long or badly percent-encoded";
  uint32_t number = default_port;
  if (port.len > 0 && (!read_number(behind(port, 0), UINT16_MAX, &number) || number == 0))
    return "the port is not a number from 1 to 65535";
  out->port = (uint16_t)number;
  return NULL;
}

static const char *read_hosts(au_slice list, uint16_t default_port, redis_url *out) {
  for (bool more = true; more;) {
    if (out->host_count == REDIS_URL_HOSTS_MAX) return "a URL names at most 16 hosts";
    size_t comma = first_of(list, ',');
    const char *reason =
        read_host(before(list, comma), default_port, &out->hosts[out->host_count++]);
    if (reason) return reason;
    more = comma < list.len;
    list = behind(list, comma);
  }
  if (out->kind == REDIS_SINGLE && out->host_count > 1)
    return "several hosts are redis+sentinel://host,host/name or redis+cluster://host,host";
  return NULL;
}

static const char *read_db(au_slice text, redis_url *out) {
  if (text.len == 0 || read_number(text, DB_MAX, &out->db)) return NULL;
  return "what follows the host is not a database number";
}

/* The text behind the hosts. */
static const char *read_path(au_slice path, redis_url *out) {
  static const char no_name[] =
      "the name of the master is missing: redis+sentinel://host,host/name";
  size_t slash = first_of(path, '/');
  switch (out->kind) {
  case REDIS_SINGLE: return read_db(path, out);
  case REDIS_SENTINEL:
    if (slash == 0) return no_name;
    if (!decode_text(before(path, slash), out->master_name))
      return "the name of the master is too long or badly percent-encoded";
    return read_db(behind(path, slash), out);
  case REDIS_CLUSTER:
    if (read_db(path, out) || out->db != 0)
      return "a cluster has no databases: redis+cluster://host,host";
    return NULL;
  }
  return NULL;
}

static const char *read_tcp(au_slice rest, const scheme *of, redis_url *out) {
  out->kind = of->kind;
  out->tls = of->tls;
  size_t slash = first_of(rest, '/');
  au_slice authority = before(rest, slash), hosts = authority;
  size_t at = last_of(authority, '@');
  if (at < authority.len) {
    const char *reason = read_login(before(authority, at), out);
    if (reason) return reason;
    hosts = behind(authority, at);
  }
  const char *reason = read_hosts(hosts, of->port, out);
  return reason ? reason : read_path(behind(rest, slash), out);
}

static const char *read_unix(au_slice path, redis_url *out) {
  if (path.len == 0) return "the path of the socket is missing";
  if (path.len > UNIX_PATH_MAX_BYTES || !copy_text(path, out->hosts[0].host))
    return "the path of the socket is too long";
  out->host_count = 1;
  return NULL;
}

/* "localhost:6379" and the like, which many write without the scheme. */
static bool is_host_and_port(au_slice text) {
  size_t colon = last_of(text, ':');
  uint32_t port;
  if (colon == 0 || colon == text.len || !read_number(behind(text, colon), UINT16_MAX, &port))
    return false;
  for (size_t i = 0; i < colon; i++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", text.ptr[i]))
      return false;
  return true;
}

/* Some mistakes are known by their form; none is repeated, since it may hold a password. */
static const char *wrong_scheme(au_slice text) {
#define SCHEMES \
  "must begin with redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://"
  if (is_host_and_port(text)) return SCHEMES "; you gave a host and a port alone";
  if (text.len > 0 && text.ptr[0] == '/') return SCHEMES "; you gave a path alone";
  if (take_prefix(&text, "http://") || take_prefix(&text, "https://"))
    return SCHEMES "; you gave http://";
  if (take_prefix(&text, "tcp://")) return SCHEMES "; you gave tcp://";
  return SCHEMES;
#undef SCHEMES
}

static const char *read_url(au_slice rest, redis_url *out) {
  if (!is_plain(rest)) return "a URL holds printable ASCII without blanks";
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
    if (take_prefix(&rest, schemes[i].prefix)) return read_tcp(rest, &schemes[i], out);
  if (take_prefix(&rest, "unix://")) return read_unix(rest, out);
  return wrong_scheme(rest);
}

au_status redis_url_parse(const char *text, redis_url *out, const char **reason) {
  redis_url url = {.kind = REDIS_SINGLE};
  *reason = read_url(slice_of(text), &url);
  if (*reason) return AU_EINVAL;
  *out = url;
  return AU_OK;
}

bool redis_endpoint_eq(const redis_endpoint *a, const redis_endpoint *b) {
  return a->port == b->port && strcmp(a->host, b->host) == 0;
}
