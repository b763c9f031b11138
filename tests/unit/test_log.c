/* Log lines as text and as JSON: escaping, cutting, where they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utils/log.h"

enum { LINE_MAX_BYTES = 2048, STAMP_BYTES = 24 };

static char path[] = "/tmp/au-test-log-XXXXXX";
static char got[4 * LINE_MAX_BYTES];
static char expected[4 * LINE_MAX_BYTES];
static char many[3000]; /* of the letter x, ended by NUL */

static int set_up(void **state) {
  (void)state;
  int fd = mkstemp(path);
  if (fd < 0) return -1;
  memset(many, 'x', sizeof many - 1);
  return close(fd);
}

static int tear_down(void **state) {
  (void)state;
  return unlink(path);
}

static long seen; /* bytes of the file that have been looked at */

/* What has been written since the last call, without the newline at its end. */
static const char *written(void) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fseek(file, seen, SEEK_SET), 0);
  size_t len = fread(got, 1, sizeof got - 1, file);
  fclose(file);
  seen += (long)len;
  got[len] = '\0';
  if (len > 0 && got[len - 1] == '\n') got[len - 1] = '\0';
  return got;
}

static void open_log(au_log_level level, au_log_format format) {
  assert_int_equal(log_open(path), AU_OK);
  log_configure(level, format);
}

#define BYTES(text) \
  { (text), sizeof(text) - 1 }

static const struct {
  const char *name;
  au_slice value;
  const char *text, *json;
} values[] = {
    {"a word", BYTES("redis"), "redis", "\"redis\""},
    {"empty", BYTES(""), "\"\"", "\"\""},
    {"a blank", BYTES("a b"), "\"a b\"", "\"a b\""},
    {"an equals sign", BYTES("a=b"), "\"a=b\"", "\"a=b\""},
    {"a quote", BYTES("a\"b"), "\"a\\\"b\"", "\"a\\\"b\""},
    {"a backslash", BYTES("a\\b"), "\"a\\\\b\"", "\"a\\\\b\""},
    {"a newline", BYTES("a\nb"), "\"a\\x0ab\"", "\"a\\u000ab\""},
    {"a carriage return", BYTES("\r"), "\"\\x0d\"", "\"\\u000d\""},
    {"a NUL", BYTES("a\0b"), "\"a\\x00b\"", "\"a\\u0000b\""},
    {"an escape sequence", BYTES("\x1b[2J"), "\"\\x1b[2J\"", "\"\\u001b[2J\""},
    {"a delete", BYTES("\x7f"), "\"\\x7f\"", "\"\\u007f\""},
    {"UTF-8", BYTES("\xc3\xbc"), "\"\\xc3\\xbc\"", "\"\xc3\xbc\""},
    {"UTF-8 of four bytes", BYTES("\xf0\x9f\x98\x80"), "\"\\xf0\\x9f\\x98\\x80\"",
     "\"\xf0\x9f\x98\x80\""},
    {"a lone continuation", BYTES("\x80"), "\"\\x80\"", "\"\\u0080\""},
    {"a character cut off", BYTES("\xe2\x82"), "\"\\xe2\\x82\"", "\"\\u00e2\\u0082\""},
    {"cut off by the length", {"\xe2\x82\xac", 2}, "\"\\xe2\\x82\"", "\"\\u00e2\\u0082\""},
    {"cut off before a letter", BYTES("\xe2\x82z"), "\"\\xe2\\x82z\"", "\"\\u00e2\\u0082z\""},
    {"overlong of two", BYTES("\xc0\xaf"), "\"\\xc0\\xaf\"", "\"\\u00c0\\u00af\""},
    {"overlong of three", BYTES("\xe0\x80\xaf"), "\"\\xe0\\x80\\xaf\"",
     "\"\\u00e0\\u0080\\u00af\""},
    {"overlong of four", BYTES("\xf0\x80\x80\xaf"), "\"\\xf0\\x80\\x80\\xaf\"",
     "\"\\u00f0\\u0080\\u0080\\u00af\""},
    {"a surrogate", BYTES("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"", "\"\\u00ed\\u00a0\\u0080\""},
    {"the last character", BYTES("\xf4\x8f\xbf\xbf"), "\"\\xf4\\x8f\\xbf\\xbf\"",
     "\"\xf4\x8f\xbf\xbf\""},
    {"past the last character", BYTES("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"",
     "\"\\u00f4\\u0090\\u0080\\u0080\""},
    {"not a byte of UTF-8", BYTES("\xff"), "\"\\xff\"", "\"\\u00ff\""},
};

static void escapes(au_log_format format) {
  open_log(AU_LOG_INFO, format);
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    log_info("t", "e", LOG_SLICE("k", values[i].value), LOG_INT("n", 1));
    if (format == AU_LOG_TEXT)
      snprintf(expected, sizeof expected, " info  t e k=%s n=1", values[i].text);
    else
      snprintf(expected, sizeof expected,
               "\",\"level\":\"info\",\"component\":\"t\",\"event\":\"e\",\"k\":%s,\"n\":1}",
               values[i].json);
    size_t stamp = format == AU_LOG_TEXT ? STAMP_BYTES : STAMP_BYTES + strlen("{\"ts\":\"");
    const char *line = written();
    if (strlen(line) < stamp || strcmp(line + stamp, expected) != 0)
      fail_msg("%s: %s", values[i].name, line);
  }
}

static void text_escapes(void **state) {
  (void)state;
  escapes(AU_LOG_TEXT);
}

static void json_escapes(void **state) {
  (void)state;
  escapes(AU_LOG_JSON);
}

static void text_line(void **state) {
  (void)state;
  open_log(AU_LOG_DEBUG, AU_LOG_TEXT);
  log_info("http", "listening", LOG_STR("host", "0.0.0.0"), LOG_INT("port", 3001));
  const char *line = written();
  /* 2026-11-24T20:17:00.123Z */
  static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
  for (size_t i = 0; i < STAMP_BYTES; i++) {
    bool digit = line[i] >= '0' && line[i] <= '9';
    assert_true(shape[i] == 'd' ? digit : line[i] == shape[i]);
  }
  assert_string_equal(line + STAMP_BYTES, " info  http listening host=0.0.0.0 port=3001");

  log_warn("a", "b", LOG_NONE);
  assert_string_equal(written() + STAMP_BYTES, " warn  a b");
  log_error("a", "b", LOG_INT("min", INT64_MIN), LOG_NONE, LOG_INT("max", INT64_MAX));
  assert_string_equal(written() + STAMP_BYTES,
                      " error a b min=-9223372036854775808 max=9223372036854775807");
  log_debug("a", "two words\n", LOG_STR("nothing", NULL));
  assert_string_equal(written() + STAMP_BYTES, " debug a two words\\x0a nothing=\"\"");
}

static void json_line(void **state) {
  (void)state;
  open_log(AU_LOG_INFO, AU_LOG_JSON);
  log_info("http", "listening", LOG_STR("host", "0.0.0.0"), LOG_NONE, LOG_INT("port", -3001));
  const char *line = written();
  assert_memory_equal(line, "{\"ts\":\"", 7);
  assert_string_equal(line + 7 + STAMP_BYTES,
                      "\",\"level\":\"info\",\"component\":\"http\",\"event\":\"listening\","
                      "\"host\":\"0.0.0.0\",\"port\":-3001}");
}

static void levels(void **state) {
  (void)state;
  static const char *const names[] = {"error", "warn", "info", "debug"};
  for (int set = AU_LOG_ERROR; set <= AU_LOG_DEBUG; set++) {
    open_log((au_log_level)set, AU_LOG_TEXT);
    for (int used = AU_LOG_ERROR; used <= AU_LOG_DEBUG; used++) {
      LOG_AT((au_log_level)used, "t", "e", LOG_NONE);
      log_write((au_log_level)used, "t", "e", NULL, 0); /* not by the macro */
      bool wanted = used <= set;
      assert_int_equal(log_enabled((au_log_level)used), wanted);
      if ((written()[0] != '\0') != wanted) fail_msg("%s at level %s", names[used], names[set]);
    }
  }
}

/* A value that is not wanted is not even looked at. */
static int evaluated;
static int64_t evaluate(void) {
  return ++evaluated;
}

static void fields_of_a_quiet_level_cost_nothing(void **state) {
  (void)state;
  open_log(AU_LOG_INFO, AU_LOG_TEXT);
  log_debug("t", "e", LOG_INT("n", evaluate()));
  assert_int_equal(evaluated, 0);
}

/* Whatever the lengths, the line fits 2 KiB, ends in a newline, and JSON parses. */
static void long_values_are_cut(void **state) {
  (void)state;
  static const char *const fills[] = {"x", "\n", "\xc3\xbc", "\xff", "\"", "a b"};
  static char first[3000], second[3000];
  for (int format = AU_LOG_TEXT; format <= AU_LOG_JSON; format++) {
    open_log(AU_LOG_INFO, (au_log_format)format);
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++)
      for (size_t len = 0; len<2900; len += len> 850 && len < 1100 ? 1 : 7) {
        size_t unit = strlen(fills[f]);
        for (size_t i = 0; i < sizeof first - 1; i++) first[i] = second[i] = fills[f][i % unit];
        second[len] = '\0';
        log_info("t", "e", LOG_SLICE("first", ((au_slice){first, 900})), LOG_STR("second", second),
                 LOG_STR("third", second), LOG_INT("n", 1));
        const char *line = written();
        size_t whole = strlen(line) + 1;
        if (whole > LINE_MAX_BYTES) fail_msg("%zu bytes in a line of %zu", whole, len);
        assert_null(strchr(line, '\n'));
        if (format == AU_LOG_TEXT) continue;
        cJSON *json = cJSON_ParseWithOpts(line, NULL, 1);
        if (!json) fail_msg("not JSON at %zu: %s", len, line);
        assert_non_null(cJSON_GetObjectItem(json, "first"));
        cJSON_Delete(json);
      }
  }
}

static void a_huge_value_leaves_room_for_others(void **state) {
  (void)state;
  open_log(AU_LOG_INFO, AU_LOG_TEXT);
  log_info("t", "e", LOG_STR("huge", many), LOG_STR("reason", "still here"));
  const char *line = written();
  assert_non_null(strstr(line, "xxx... reason=\"still here\""));

  log_configure(AU_LOG_INFO, AU_LOG_JSON);
  log_info(many, many, LOG_STR("a", many), LOG_STR("b", many));
  cJSON *json = cJSON_ParseWithOpts(written(), NULL, 1);
  assert_non_null(json);
  assert_non_null(cJSON_GetObjectItem(json, "event"));
  cJSON_Delete(json);
}

static void a_failed_open_changes_nothing(void **state) {
  (void)state;
  open_log(AU_LOG_INFO, AU_LOG_TEXT);
  assert_int_equal(log_open("/nonexistent/x.log"), AU_EINVAL);
  log_info("t", "still", LOG_NONE);
  assert_string_equal(written() + STAMP_BYTES, " info  t still");
}

static void no_file_and_no_terminal(void **state) {
  (void)state;
  char dir[] = "/tmp/au-test-log-dir-XXXXXX", fifo[64], link[64], dead_end[64];
  assert_non_null(mkdtemp(dir));
  snprintf(fifo, sizeof fifo, "%s/fifo", dir);
  snprintf(link, sizeof link, "%s/link", dir);
  snprintf(dead_end, sizeof dead_end, "%s/dead-end", dir);
  assert_int_equal(mkfifo(fifo, 0600), 0);
  assert_int_equal(symlink(path, link), 0);
  assert_int_equal(symlink("nowhere", dead_end), 0);
  int reader = open(fifo, O_RDONLY | O_NONBLOCK); /* a FIFO that could be opened at once */
  assert_true(reader >= 0);

  static const char *const kind = "not a regular file or a terminal";
  const struct {
    const char *path, *reason;
  } cases[] = {
      {dir, kind},
      {fifo, kind},
      {"/dev/zero", kind},
      {"/dev/full", kind},
      {link, "a symbolic link is not followed"},
      {dead_end, "a symbolic link is not followed"},
      {"/nonexistent/x.log", "No such file or directory"},
  };
  open_log(AU_LOG_INFO, AU_LOG_TEXT);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (log_open(cases[i].path) != AU_EINVAL) fail_msg("%s was opened", cases[i].path);
    assert_string_equal(log_open_error(), cases[i].reason);
  }
  log_info("t", "still", LOG_NONE);
  assert_string_equal(written() + STAMP_BYTES, " info  t still");
  assert_int_equal(log_open("/dev/null"), AU_OK);

  close(reader);
  assert_int_equal(log_open(fifo), AU_EINVAL); /* nobody reads: the open must not wait */
  assert_int_equal(unlink(fifo) | unlink(link) | unlink(dead_end) | rmdir(dir), 0);
}

static void reopen_after_rotation(void **state) {
  (void)state;
  char rotated[sizeof path + 2];
  snprintf(rotated, sizeof rotated, "%s.1", path);
  open_log(AU_LOG_INFO, AU_LOG_TEXT);
  int next = dup(STDIN_FILENO);
  close(next);
  assert_int_equal(rename(path, rotated), 0);
  log_info("t", "before", LOG_NONE);
  assert_int_equal(log_open(path), AU_OK);
  seen = 0;
  log_info("t", "after", LOG_NONE);
  assert_string_equal(written() + STAMP_BYTES, " info  t after");

  /* Neither the old file nor its descriptor is kept, and appending goes on. */
  int now = dup(STDIN_FILENO);
  close(now);
  assert_in_range(now, 0, next + 1);
  for (int i = 0; i < 50; i++) assert_int_equal(log_open(path), AU_OK);
  int later = dup(STDIN_FILENO);
  close(later);
  assert_in_range(later, 0, next + 1);
  log_info("t", "one", LOG_NONE);
  assert_int_equal(log_open(path), AU_OK);
  log_info("t", "two", LOG_NONE);
  const char *lines = written();
  assert_non_null(strstr(lines, "one"));
  assert_non_null(strstr(lines, "two"));
  assert_int_equal(unlink(rotated), 0);
}

static void the_file_is_not_for_children(void **state) {
  (void)state;
  int next = dup(STDIN_FILENO);
  close(next);
  assert_int_equal(log_open(""), AU_OK);
  assert_int_equal(log_open(path), AU_OK);
  bool closes = false;
  for (int fd = 3; fd <= next; fd++)
    if (fcntl(fd, F_GETFD) >= 0 && (fcntl(fd, F_GETFL) & O_APPEND))
      closes = fcntl(fd, F_GETFD) & FD_CLOEXEC;
  assert_true(closes);
}

/* A socket of packets tells how many writes there were. */
static void one_write_a_line_to_standard_error(void **state) {
  (void)state;
  int pair[2], saved = dup(STDERR_FILENO);
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  assert_int_equal(log_open(""), AU_OK);
  log_configure(AU_LOG_INFO, AU_LOG_JSON);
  assert_int_equal(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
  log_info("t", "one", LOG_STR("k", "v"), LOG_INT("n", 1));
  log_info("t", "two", LOG_STR("k", many));
  dup2(saved, STDERR_FILENO);

  char line[4096];
  for (int i = 0; i < 2; i++) {
    ssize_t n = recv(pair[0], line, sizeof line - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    assert_int_equal(line[n - 1], '\n');
    line[n - 1] = '\0';
    assert_null(strchr(line, '\n'));
    assert_non_null(strstr(line, i == 0 ? "\"one\"" : "\"two\""));
  }
  assert_true(recv(pair[0], line, sizeof line, MSG_DONTWAIT) < 0);
  close(pair[0]);
  close(pair[1]);
  close(saved);
}

static void colour_on_a_terminal_only(void **state) {
  (void)state;
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(terminal >= 0);
  assert_int_equal(grantpt(terminal), 0);
  assert_int_equal(unlockpt(terminal), 0);
  assert_int_equal(log_open(ptsname(terminal)), AU_OK);
  static const struct {
    au_log_level level;
    au_log_format format;
    const char *want;
  } cases[] = {
      {AU_LOG_ERROR, AU_LOG_TEXT, " \x1b[31merror\x1b[0m t e\r\n"},
      {AU_LOG_WARN, AU_LOG_TEXT, " \x1b[33mwarn\x1b[0m  t e\r\n"},
      {AU_LOG_INFO, AU_LOG_JSON, "\",\"level\":\"info\",\"component\":\"t\",\"event\":\"e\"}\r\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char line[256];
    log_configure(AU_LOG_INFO, cases[i].format);
    LOG_AT(cases[i].level, "t", "e", LOG_NONE);
    size_t len = 0;
    do { /* a terminal may hand out one line in parts */
      ssize_t n = read(terminal, line + len, sizeof line - 1 - len);
      assert_true(n > 0);
      len += (size_t)n;
    } while (line[len - 1] != '\n');
    line[len] = '\0';
    assert_true(len > STAMP_BYTES);
    assert_non_null(strstr(line, cases[i].want));
  }
  assert_int_equal(log_open(path), AU_OK);
  close(terminal);
}

/* A full pipe is not waited for; the lines it cost are told of when it has room. */
static void a_log_nobody_reads(void **state) {
  (void)state;
  int ends[2], saved = dup(STDOUT_FILENO);
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  int reader = ends[0];
  fflush(stdout);
  assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
  assert_int_equal(log_open("/dev/stdout"), AU_OK);
  log_configure(AU_LOG_INFO, AU_LOG_TEXT);
  alarm(30); /* where it were waited for, this test would not end */
  for (int i = 0; i < 200; i++) log_info("test", "line", LOG_STR("much", many));
  alarm(0);

  static char drained[512 * 1024];
  ssize_t len = read(reader, drained, sizeof drained);
  assert_true(len > 0 && len < 200 * LINE_MAX_BYTES);
  assert_int_equal(drained[len - 1], '\n'); /* whole lines only */
  log_info("test", "again", LOG_NONE);
  len = read(reader, drained, sizeof drained - 1);
  assert_true(len > 0);
  drained[len] = '\0';
  assert_non_null(strstr(drained, "lines were lost"));
  assert_non_null(strstr(drained, "test again"));
  assert_int_equal(log_open(""), AU_OK); /* and leaves the standard output open */
  assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
  close(saved);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_line),
      cmocka_unit_test(json_line),
      cmocka_unit_test(text_escapes),
      cmocka_unit_test(json_escapes),
      cmocka_unit_test(levels),
      cmocka_unit_test(fields_of_a_quiet_level_cost_nothing),
      cmocka_unit_test(long_values_are_cut),
      cmocka_unit_test(a_huge_value_leaves_room_for_others),
      cmocka_unit_test(a_log_nobody_reads),
      cmocka_unit_test(a_failed_open_changes_nothing),
      cmocka_unit_test(no_file_and_no_terminal),
      cmocka_unit_test(reopen_after_rotation),
      cmocka_unit_test(the_file_is_not_for_children),
      cmocka_unit_test(one_write_a_line_to_standard_error),
      cmocka_unit_test(colour_on_a_terminal_only),
  };
  return cmocka_run_group_tests_name("log", tests, set_up, tear_down);
}
