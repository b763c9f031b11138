/* Reads commands, refuses what is to be refused, and passes on the rest. */
#include "fake.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fleet.h"
#include "report.h"

enum { REPLY_MAX = 4 * 1024 * 1024 };

const char *fake_name(const fake *f) {
  static char text[40];
  snprintf(text, sizeof text, "%s:%d", f->host, f->port);
  return text;
}

bool fake_accepts(const fake *f) {
  return f->up;
}

int64_t fake_serves_from_ms(const fake *f) {
  return f->stalled_until_ms;
}

int64_t fake_now_ms(const fake *f) {
  return 1700000000000 + sim_ms() + f->clock_ahead_ms;
}

/* ---- replies ---------------------------------------------------------------- */

void fake_status(exec *x, const char *text) {
  buffer_append_format(&x->reply, "+%s\r\n", text);
}

void fake_error(exec *x, const char *text) {
  if (x->in_script && x->f->old_errors)
    buffer_append_format(
        &x->reply, "-ERR Error running script (call to f_0123): @user_script:1: %s\r\n", text);
  else
    buffer_append_format(&x->reply, "-%s\r\n", text);
}

void fake_integer(exec *x, int64_t value) {
  buffer_append_format(&x->reply, ":%lld\r\n", (long long)value);
}

void fake_bulk(exec *x, au_slice text) {
  buffer_append_format(&x->reply, "$%zu\r\n", text.len);
  buffer_append_slice(&x->reply, text);
  buffer_append_text(&x->reply, "\r\n");
}

void fake_nil(exec *x) {
  buffer_append_text(&x->reply, "$-1\r\n");
}

void fake_array(exec *x, size_t count) {
  buffer_append_format(&x->reply, "*%zu\r\n", count);
}

void fake_double(exec *x, double value) {
  char text[40];
  int n = snprintf(text, sizeof text, "%.17g", value);
  fake_bulk(x, (au_slice){text, (size_t)n});
}

void fake_push(connection *c, const buffer *bytes) {
  network_send(c, buffer_slice(bytes));
}

/* ---- arguments -------------------------------------------------------------- */

bool exec_is(const exec *x, int i, const char *word) {
  return i < x->argc && slice_eq_nocase(x->argv[i], slice_of(word));
}

int64_t slice_integer(au_slice text) {
  char room[32];
  if (text.len == 0 || text.len >= sizeof room) return 0;
  memcpy(room, text.ptr, text.len);
  room[text.len] = '\0';
  return strtoll(room, NULL, 10);
}

double slice_double(au_slice text) {
  char room[64];
  if (text.len == 0 || text.len >= sizeof room) return 0;
  memcpy(room, text.ptr, text.len);
  room[text.len] = '\0';
  if (strcmp(room, "+inf") == 0) return INFINITY;
  if (strcmp(room, "-inf") == 0) return -INFINITY;
  return strtod(room, NULL);
}

/* ---- refusals --------------------------------------------------------------- */

void fake_refuse(fake *f, fake_scope scope, const char *error, const char *word, int64_t until_ms) {
  if (f->rule_count == FAKE_RULES_MAX) return;
  fake_rule *rule = &f->rules[f->rule_count++];
  rule->scope = scope;
  rule->error = error;
  rule->until_ms = until_ms;
  snprintf(rule->word, sizeof rule->word, "%s", word);
}

static void end_rules(fake *f) {
  size_t kept = 0;
  for (size_t i = 0; i < f->rule_count; i++)
    if (f->rules[i].until_ms > sim_ms()) f->rules[kept++] = f->rules[i];
  f->rule_count = kept;
}

/* What is refused whatever it would do. PING tells of a disk that cannot be written, and a
 * server that loads still says who it is. */
static const char *refusal(const exec *x) {
  static const char *const always[] = {"INFO", "TIME", "AUTH", "CLIENT", "SELECT", "ROLE"};
  for (size_t i = 0; i < x->f->rule_count; i++) {
    const fake_rule *rule = &x->f->rules[i];
    bool exempt = false;
    for (size_t j = 0; j < sizeof always / sizeof always[0]; j++)
      exempt = exempt || exec_is(x, 0, always[j]);
    if (rule->scope == REFUSE_ALL && !exempt) return rule->error;
    if (rule->scope == REFUSE_WRITES && strncmp(rule->error, "MISCONF", 7) == 0 &&
        exec_is(x, 0, "PING"))
      return rule->error;
    if (rule->scope == REFUSE_COMMAND && exec_is(x, 0, rule->word)) return rule->error;
    if (rule->scope == REFUSE_CHANNEL && exec_is(x, 0, "SUBSCRIBE")) return rule->error;
  }
  return NULL;
}

/* ---- running ---------------------------------------------------------------- */

static fake_command find(const exec *x) {
  if (exec_is(x, 0, "EVAL")) return fake_eval;
  fake_command command = fake_find_connection_command(x);
  if (!command) command = fake_find_key_command(x);
  if (!command) command = fake_find_set_command(x);
  return command;
}

static void trace(const exec *x) {
  char text[96];
  size_t len = 0;
  for (int i = 0; i < x->argc && len + 1 < sizeof text; i++) {
    bool script = i == 1 && exec_is(x, 0, "EVAL");
    au_slice word = script ? slice_of("…") : x->argv[i];
    int n = snprintf(text + len, sizeof text - len, "%.*s ", word.len > 24 ? 24 : (int)word.len,
                     word.ptr);
    len += (size_t)n;
  }
  size_t end = x->reply.len;
  while (end > 0 && x->reply.ptr[end - 1] < ' ') end--;
  report_step("%s < d%d: %s= %.*s", fake_name(x->f), x->from->host, text, end > 30 ? 30 : (int)end,
              end > 0 ? x->reply.ptr : "");
}

static void run(exec *x) {
  fake *f = x->f;
  end_rules(f);
  db_expire(&f->data, fake_now_ms(f));
  buffer_init(&x->reply, REPLY_MAX);
  bool asking = x->from->asking;
  x->from->asking = false;
  const char *error = refusal(x);
  char redirect[80];
  if (!error) error = fleet_redirect(x, asking, redirect, sizeof redirect);
  fake_command command = find(x);
  if (!command)
    report_failure("a command that the scripted Redis does not know", "%.*s", (int)x->argv[0].len,
                   x->argv[0].ptr);
  if (error) {
    buffer_append_format(&x->reply, "-%s\r\n", error);
  } else {
    command(x);
    if (x->error) {
      buffer_clear(&x->reply);
      fake_error(x, x->error);
    }
  }
  trace(x);
  network_send(x->from, buffer_slice(&x->reply));
  buffer_free(&x->reply);
}

/* ---- parsing ---------------------------------------------------------------- */

/* The number behind `kind` at *at; false when it is not whole yet. */
static bool read_count(const buffer *in, size_t *at, char kind, int64_t *count) {
  const char *end = memchr(in->ptr + *at, '\n', in->len - *at);
  if (!end) return false;
  if (in->ptr[*at] != kind) report_failure("a daemon sends no RESP", "%c", in->ptr[*at]);
  size_t line = (size_t)(end - in->ptr);
  *count = slice_integer((au_slice){in->ptr + *at + 1, line - *at - 2});
  *at = line + 1;
  return true;
}

/* One command; false when it has not arrived whole. *used: its length. */
static bool read_command(const buffer *in, exec *x, size_t *used) {
  size_t at = 0;
  int64_t count, len;
  if (in->len == 0 || !read_count(in, &at, '*', &count)) return false;
  if (count < 1 || count > FAKE_ARGS_MAX)
    report_failure("a daemon sends an odd command", "of %lld words", (long long)count);
  x->argc = (int)count;
  for (int i = 0; i < x->argc; i++) {
    if (at >= in->len || !read_count(in, &at, '$', &len)) return false;
    if (in->len - at < (size_t)len + 2) return false;
    x->argv[i] = (au_slice){in->ptr + at, (size_t)len};
    at += (size_t)len + 2;
  }
  *used = at;
  return true;
}

void fake_receive(fake *f, connection *c) {
  size_t used;
  exec x = {.f = f, .from = c};
  if (!f->up) {
    buffer_clear(&c->input);
    return;
  }
  while (c->input.len > 0 && read_command(&c->input, &x, &used)) {
    run(&x);
    buffer_consume(&c->input, used);
    x = (exec){.f = f, .from = c};
  }
}
