/* Takes a Redis URL apart. Must not know how to connect, and never repeats any part
 * of the text in a reason: it may hold a password. */
#include "redis_url.h"

#include "../utils/buffer.h"

#include <string.h>
#include <sys/un.h>

enum { REDIS_DEFAULT_PORT = 6379, REDIS_DB_MAX = 1000000 };

/* hiredis 0.14 leaves the last two bytes of sun_path to chance. */
enum { UNIX_PATH_MAX_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) - 2 };

/* Schemes that are known and not built in: said apart from a slip of the pen. */
static const struct {
  const char *scheme, *reason;
} later[] = {
    {"rediss://", "rediss:// (TLS) is not supported by this build yet"},
    {"redis+sentinel://", "redis+sentinel:// is not supported by this build yet"},
    {"redis+cluster://", "redis+cluster:// is not supported by this build yet"},
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
  uint64_t n = 0;
  if (s.len == 0 || s.len > 10) return false;
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    n = n * 10 + (uint64_t)(s.ptr[i] - '0');
  }
  if (n > max) return false;
  *out = (uint32_t)n;
  return true;
}

/* Where the last `c` stands, or s.len. */
static size_t last_of(au_slice s, char c) {
  for (size_t i = s.len; i > 0; i--)
    if (s.ptr[i - 1] == c) return i - 1;
  return s.len;
}

static const char *read_login(au_slice login, redis_url *out) {
  au_slice password = login, user;
  if (!memchr(login.ptr, ':', login.len))
    return "a user comes with a password: redis://user:password@host";
  (void)slice_next(&password, ':', &user);
  if (!decode_text(user, out->user) || !decode_text(password, out->password))
    return "the user or password is too long or badly percent-encoded";
  if (out->password[0] == '\0') return "the password is empty";
  return NULL;
}

/* host, host:port, [v6] or [v6]:port */
static const char *read_host(au_slice text, redis_url *out) {
  au_slice host, port;
  if (text.len > 0 && text.ptr[0] == '[') {
    size_t end = last_of(text, ']');
    if (end == text.len) return "the IPv6 address lacks its closing bracket";
    host = (au_slice){text.ptr + 1, end - 1};
    port = (au_slice){text.ptr + end + 1, text.len - end - 1};
    if (port.len > 0 && port.ptr[0] != ':') return "only a port may follow the IPv6 address";
    if (host.len > 0 && !memchr(host.ptr, ':', host.len))
      return "the brackets hold no IPv6 address";
  } else {
    size_t colon = last_of(text, ':');
    host = (au_slice){text.ptr, colon};
    port = (au_slice){text.ptr + colon, text.len - colon};
    if (host.len > 0 && memchr(host.ptr, ':', host.len))
      return "an IPv6 address stands in brackets: redis://[::1]:6379";
  }
  if (host.len == 0) return "the host is missing";
  if (!decode_text(host, out->host)) return "the host is too long or badly percent-encoded";
  if (port.len == 0) return NULL;
  uint32_t number;
  if (!read_number((au_slice){port.ptr + 1, port.len - 1}, UINT16_MAX, &number) || number == 0)
    return "the port is not a number from 1 to 65535";
  out->port = (uint16_t)number;
  return NULL;
}

static const char *read_tcp(au_slice rest, redis_url *out) {
  size_t slash = 0;
  while (slash < rest.len && rest.ptr[slash] != '/') slash++;
  au_slice authority = {rest.ptr, slash};
  if (slash + 1 < rest.len) {
    au_slice db = {rest.ptr + slash + 1, rest.len - slash - 1};
    if (!read_number(db, REDIS_DB_MAX, &out->db))
      return "what follows the host is not a database number";
  }
  size_t at = last_of(authority, '@');
  if (at < authority.len) {
    const char *reason = read_login((au_slice){authority.ptr, at}, out);
    if (reason) return reason;
    authority = (au_slice){authority.ptr + at + 1, authority.len - at - 1};
  }
  return read_host(authority, out);
}

static const char *read_unix(au_slice rest, redis_url *out) {
  if (rest.len == 0) return "the path of the socket is missing";
  if (rest.len > UNIX_PATH_MAX_BYTES || !copy_text(rest, out->unix_path))
    return "the path of the socket is too long";
  return NULL;
}

static const char *read_url(au_slice rest, redis_url *out) {
  if (!is_plain(rest)) return "a URL holds printable ASCII without blanks";
  for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
    if (take_prefix(&rest, later[i].scheme)) return later[i].reason;
  if (take_prefix(&rest, "redis://")) return read_tcp(rest, out);
  if (take_prefix(&rest, "unix://")) return read_unix(rest, out);
  return "it begins with redis:// or unix://";
}

au_status redis_url_parse(const char *text, redis_url *out, const char **reason) {
  redis_url url = {.port = REDIS_DEFAULT_PORT};
  *reason = read_url(slice_of(text), &url);
  if (*reason) return AU_EINVAL;
  *out = url;
  return AU_OK;
}
