/* Builds one line in a buffer of fixed size and writes it with one write(2). Must
 * not know what the lines are about, and reads no environment. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  LINE_BYTES = 2048,
  VALUE_MAX_BYTES = 1024, /* as written; one huge value leaves room for the others */
  TAIL_BYTES = 16,        /* kept back for what closes a line: `..."}` and the newline */
};

static int log_fd = STDERR_FILENO;
static int64_t lines_lost; /* since the last one that was written */
static bool log_is_tty;
static const char *open_error = "";
static au_log_level log_level = AU_LOG_INFO;
static au_log_format log_format = AU_LOG_TEXT;

static const struct {
  const char *name, *padded, *coloured;
} levels[] = {
    [AU_LOG_ERROR] = {"error", "error", "\x1b[31merror\x1b[0m"},
    [AU_LOG_WARN] = {"warn", "warn ", "\x1b[33mwarn\x1b[0m "},
    [AU_LOG_INFO] = {"info", "info ", "\x1b[32minfo\x1b[0m "},
    [AU_LOG_DEBUG] = {"debug", "debug", "\x1b[90mdebug\x1b[0m"},
};

typedef struct line {
  char bytes[LINE_BYTES];
  size_t len;
  size_t end; /* put stops here; close_with may go on into the tail */
} line;

const char *log_open_error(void) {
  return open_error;
}

static bool same_device(const struct stat *file, const char *path) {
  struct stat other;
  return stat(path, &other) == 0 && S_ISCHR(file->st_mode) && file->st_rdev == other.st_rdev;
}

/* A FIFO or a socket waits for somebody who reads, a disk takes the lines for its data. */
static bool takes_lines(int fd) {
  struct stat file;
  if (fstat(fd, &file) != 0) return false;
  return S_ISREG(file.st_mode) || isatty(fd) == 1 || same_device(&file, "/dev/null");
}

/* The descriptor that a service manager gave, -1 for any other path. Opening these again
 * fails where it is a socket and needs rights to the other end where it is a pipe. */
static int standard_stream(const char *path) {
  if (path[0] == '\0' || strcmp(path, "/dev/stderr") == 0) return STDERR_FILENO;
  return strcmp(path, "/dev/stdout") == 0 ? STDOUT_FILENO : -1;
}

/* The descriptor, or -1 with open_error set. */
static int open_file(const char *path) {
  /* O_NONBLOCK: the open of a FIFO waits for its reader, for ever. O_NOFOLLOW: who may
   * write to the folder must not choose which file of ours is written to. O_NOCTTY: a
   * log sent to a terminal must not make it ours. */
  int fd = open(
      path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0640);
  if (fd >= 0 && takes_lines(fd)) return fd;
  const char *reason = "not a regular file or a terminal";
  if (fd >= 0) {
    close(fd);
  } else if (errno == ELOOP) {
    reason = "a symbolic link is not followed";
  } else if (errno != ENXIO && errno != EISDIR) { /* these two: a FIFO or socket, a folder */
    reason = strerror(errno);
  }
  open_error = reason;
  return -1;
}

au_status log_open(const char *path) {
  int fd = standard_stream(path);
  if (fd < 0) fd = open_file(path);
  if (fd < 0) return AU_EINVAL;
  if (log_fd > STDERR_FILENO) close(log_fd);
  log_fd = fd;
  log_is_tty = isatty(fd) == 1;
  return AU_OK;
}

void log_configure(au_log_level level, au_log_format format) {
  log_level = level;
  log_format = format;
}

bool log_enabled(au_log_level level) {
  return level <= log_level;
}

/* All of the bytes or none, so that no escape is ever cut in two. */
static bool put(line *l, const char *bytes, size_t len) {
  if (l->len + len > l->end) return false;
  memcpy(l->bytes + l->len, bytes, len);
  l->len += len;
  return true;
}

static bool put_text(line *l, const char *text) {
  return put(l, text, strlen(text));
}

/* Into the tail, which has room for every closing there is. */
static void close_with(line *l, const char *text) {
  size_t len = strlen(text);
  memcpy(l->bytes + l->len, text, len);
  l->len += len;
}

/* The length of the UTF-8 character that begins `s`, or 0 when it is not one:
 * overlong, a surrogate, past U+10FFFF or cut off. */
static size_t utf8_length(const unsigned char *s, size_t len) {
  if (s[0] < 0x80) return 1;
  size_t need = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4 || len < need) return 0;
  for (size_t i = 1; i < need; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
  if (s[0] == 0xed && s[1] > 0x9f) return 0;
  if (s[0] == 0xf0 && s[1] < 0x90) return 0;
  if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
  return need;
}

/* Text is for terminals: everything but printable ASCII is shown as its byte, so
 * that a value can neither end the line nor move the cursor. JSON keeps UTF-8. */
static bool put_escaped(line *l, const char *bytes, size_t len) {
  bool json = log_format == AU_LOG_JSON;
  for (size_t i = 0; i < len;) {
    const unsigned char *c = (const unsigned char *)bytes + i;
    size_t whole = json ? utf8_length(c, len - i) : *c < 0x80;
    char escape[8];
    bool fits;
    if (*c == '"' || *c == '\\') {
      fits = put(l, (const char[]){'\\', (char)*c}, 2);
    } else if (whole == 0 || *c < 0x20 || *c == 0x7f) {
      int n = snprintf(escape, sizeof escape, json ? "\\u%04x" : "\\x%02x", *c);
      fits = put(l, escape, (size_t)n);
      whole = 1;
    } else {
      fits = put(l, (const char *)c, whole);
    }
    if (!fits) return false;
    i += whole;
  }
  return true;
}

static bool is_plain(const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') return false;
  }
  return len > 0;
}

/* Writes a value and closes it in any case; one that is too long ends in "...". */
static bool put_value(line *l, const char *bytes, size_t len) {
  bool quoted = log_format == AU_LOG_JSON || !is_plain(bytes, len);
  if (quoted && !put_text(l, "\"")) return false;

  size_t end = l->end;
  if (l->len + VALUE_MAX_BYTES < end) l->end = l->len + VALUE_MAX_BYTES;
  if (!put_escaped(l, bytes, len)) close_with(l, "...");
  l->end = end;
  if (quoted) close_with(l, "\"");
  return true;
}

/* Returns false, and leaves the line as it was, when there is no room to begin. */
static bool put_field(line *l, const log_field *field) {
  if (field->kind == LOG_FIELD_NONE) return true;
  size_t before = l->len;
  bool json = log_format == AU_LOG_JSON;
  bool done =
      put_text(l, json ? ",\"" : " ") && put_text(l, field->key) && put_text(l, json ? "\":" : "=");
  if (done && field->kind == LOG_FIELD_INT) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, field->num);
    done = put_text(l, digits);
  } else if (done) {
    const char *bytes = field->str ? field->str : "";
    size_t len = field->kind == LOG_FIELD_SLICE && field->str ? (size_t)field->num : strlen(bytes);
    done = put_value(l, bytes, len);
  }
  if (!done) l->len = before;
  return done;
}

static void put_time(line *l) {
  struct timespec now;
  struct tm utc;
  char text[64];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + len, sizeof text - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
  put_text(l, text);
}

static void put_head(line *l, au_log_level level, const char *component, const char *event) {
  if (log_format == AU_LOG_JSON) {
    put_text(l, "{\"ts\":\"");
    put_time(l);
    put_text(l, "\",\"level\":\"");
    put_text(l, levels[level].name);
    put_text(l, "\",\"component\":");
    put_value(l, component, strlen(component));
    put_text(l, ",\"event\":");
    put_value(l, event, strlen(event));
  } else {
    put_time(l);
    put_text(l, " ");
    put_text(l, log_is_tty ? levels[level].coloured : levels[level].padded);
    put_text(l, " ");
    put_escaped(l, component, strlen(component));
    put_text(l, " ");
    put_escaped(l, event, strlen(event));
  }
}

void log_write(au_log_level level, const char *component, const char *event,
               const log_field *fields, size_t n) {
  if (!log_enabled(level)) return;
  line l;
  l.len = 0;
  l.end = LINE_BYTES - TAIL_BYTES;
  put_head(&l, level, component, event);
  for (size_t i = 0; i < n; i++)
    if (!put_field(&l, &fields[i])) break;
  close_with(&l, log_format == AU_LOG_JSON ? "}\n" : "\n");

  /* A log that cannot be written is no reason to stop, nor one that nobody reads to
   * wait: the line is lost, and the next one that fits says how many were. A line is
   * shorter than PIPE_BUF, so a pipe that is writable takes it whole. */
  struct pollfd ready = {.fd = log_fd, .events = POLLOUT};
  if (poll(&ready, 1, 0) == 0) {
    lines_lost++;
    return;
  }
  if (lines_lost > 0) {
    int64_t lost = lines_lost;
    lines_lost = 0;
    log_warn("log", "lines were lost, nobody read them", LOG_INT("lines", lost));
  }
  /* One call, so that lines of several daemons in one file do not mix. */
  ssize_t written;
  do written = write(log_fd, l.bytes, l.len);
  while (written < 0 && errno == EINTR);
}
