/* Raw keys by termios, the screen by the sequences of ECMA-48 that every terminal knows. */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { FALLBACK_ROWS = 24, FALLBACK_COLUMNS = 80, WRITE_MAX_BYTES = 64 * 1024 };

static struct termios before;
static volatile sig_atomic_t ended;

static void on_end(int signum) {
  (void)signum;
  ended = 1;
}

/* Only interrupts what waits, so that the page is drawn anew. */
static void on_resize(int signum) {
  (void)signum;
}

static void write_all(const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t n = write(STDOUT_FILENO, bytes, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      ended = 1; /* the terminal is gone */
      return;
    }
    bytes += n;
    len -= (size_t)n;
  }
}

static void write_text(const char *text) {
  write_all(text, strlen(text));
}

bool terminal_is_here(void) {
  return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
}

bool terminal_open(void) {
  if (tcgetattr(STDIN_FILENO, &before) != 0) return false;
  static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action = {.sa_handler = on_end}; /* without SA_RESTART: poll returns */
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) sigaction(ends[i], &action, NULL);
  action.sa_handler = on_resize;
  sigaction(SIGWINCH, &action, NULL);
  struct termios raw = before;
  raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return false;
  write_text("\033[?1049h\033[?25l"); /* the other screen, no cursor */
  return true;
}

void terminal_close(void) {
  write_text("\033[?25h\033[?1049l");
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void terminal_size(unsigned *rows, unsigned *columns) {
  struct winsize size;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
  *rows = known ? size.ws_row : FALLBACK_ROWS;
  *columns = known ? size.ws_col : FALLBACK_COLUMNS;
}

/* One write, so that no half page is seen. */
void terminal_draw(au_slice lines) {
  buffer out;
  buffer_init(&out, WRITE_MAX_BYTES);
  buffer_append_text(&out, "\033[H");
  au_slice line;
  while (slice_next(&lines, '\n', &line)) {
    buffer_append_slice(&out, line);
    buffer_append_text(&out, lines.len > 0 ? "\033[0m\033[K\r\n" : "\033[0m\033[K");
  }
  buffer_append_text(&out, "\033[J");
  if (!out.failed) write_all(out.ptr, out.len);
  buffer_free(&out);
}

static terminal_key key_of(const char *bytes, size_t len) {
  static const struct {
    const char *bytes;
    terminal_key key;
  } keys[] = {
      {"q", KEY_QUIT},
      {"Q", KEY_QUIT},
      {"\003", KEY_QUIT},
      {"k", KEY_UP},
      {"j", KEY_DOWN},
      {"\033[A", KEY_UP},
      {"\033[B", KEY_DOWN},
      {"\033OA", KEY_UP},
      {"\033OB", KEY_DOWN},
      {"\033[5~", KEY_PAGE_UP},
      {"\033[6~", KEY_PAGE_DOWN},
      {" ", KEY_PAGE_DOWN},
  };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (strlen(keys[i].bytes) == len && memcmp(keys[i].bytes, bytes, len) == 0) return keys[i].key;
  return KEY_NONE;
}

terminal_key terminal_wait(uint32_t timeout_ms) {
  if (ended) return KEY_QUIT;
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  int n = poll(&in, 1, (int)timeout_ms);
  if (ended) return KEY_QUIT;
  if (n <= 0) return KEY_NONE;
  char bytes[16]; /* a key is one read: a terminal writes its sequence at once */
  ssize_t len = read(STDIN_FILENO, bytes, sizeof bytes);
  if (len == 0 || (len < 0 && errno != EINTR && errno != EAGAIN)) return KEY_QUIT;
  return len > 0 ? key_of(bytes, (size_t)len) : KEY_NONE;
}
