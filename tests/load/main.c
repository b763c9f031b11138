/* au-load: the command. Standard output has figures, standard error what happens. */
#include "load_options.h"
#include "run.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

void run_failed(run *r, const char *why) {
  if (r->failed++ == 0) snprintf(r->problem, sizeof r->problem, "%s", why);
}

bool run_shows_now(run *r) {
  uint64_t now_ns = uv_hrtime();
  if (!r->shows_progress || now_ns - r->shown_ns < RUN_PROGRESS_MS * UINT64_C(1000000))
    return false;
  r->shown_ns = now_ns;
  return true;
}

void run_progress(run *r, const char *format, ...) {
  char line[128];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  fprintf(stderr, "\r%s, %llu failed\033[K", line, (unsigned long long)r->failed);
}

/* As many descriptors as this user may have: one a socket. */
static void raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void on_signal(uv_signal_t *handle, int signal) {
  (void)signal;
  ((run *)handle->data)->stopped = true;
}

/* Does not keep the loop alive. */
static void stop_on(run *r, uv_signal_t *handle, int signal) {
  uv_signal_init(r->loop, handle);
  handle->data = r;
  uv_signal_start(handle, on_signal, signal);
  uv_unref((uv_handle_t *)handle);
}

static int measure(run *r) {
  const load_options *o = r->options;
  report_text(&r->report, "mode", o->mode_name);
  report_text(&r->report, "target", o->target.host);
  bool holds = o->mode == LOAD_SOCKETS || o->mode == LOAD_STORM;
  au_status status = holds ? sockets_run(r) : requests_run(r);
  if (r->shows_progress) fputs("\r\033[K", stderr);
  if (status != AU_OK) run_failed(r, au_status_text(status));
  if (r->meter.lost) run_failed(r, "a process of --pid was gone before the end");
  report_number(&r->report, "failed", (double)r->failed, 0);
  if (r->failed > 0) {
    report_text(&r->report, "problem", r->problem);
    fprintf(stderr, "au-load: %llu failed, the first: %s\n", (unsigned long long)r->failed,
            r->problem);
  }
  report_print(&r->report, stdout);
  return r->failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  load_options o;
  load_action action;
  char problem[LOAD_PROBLEM_SIZE];
  if (load_parse(argc, argv, &o, &action, problem) != AU_OK) {
    fprintf(stderr, "au-load: %s\n", problem);
    return EXIT_USAGE;
  }
  if (action == LOAD_HELP) {
    load_print_help(stdout);
    return EXIT_SUCCESS;
  }
  if (action == LOAD_VERSION) {
    puts("au-load " AU_VERSION);
    return EXIT_SUCCESS;
  }
  signal(SIGPIPE, SIG_IGN);
  raise_limit();
  run *r = calloc(1, sizeof *r);
  uv_loop_t loop;
  if (!r || uv_loop_init(&loop) != 0) {
    fputs("au-load: out of memory\n", stderr);
    free(r);
    return EXIT_FAILURE;
  }
  r->loop = &loop;
  r->options = &o;
  r->dialer.loop = &loop;
  r->dialer.target = &o.target;
  r->changes.loop = &loop;
  r->changes.target = &o.change_target;
  r->shows_progress = isatty(STDERR_FILENO) && !getenv("CI");
  report_init(&r->report, o.json);
  uv_signal_t interrupt, terminate;
  stop_on(r, &interrupt, SIGINT);
  stop_on(r, &terminate, SIGTERM);
  int code = EXIT_USAGE;
  if (meter_init(&r->meter, &o) == AU_OK)
    code = measure(r);
  else
    fputs("au-load: --pid: no such process\n", stderr);
  uv_close((uv_handle_t *)&interrupt, NULL);
  uv_close((uv_handle_t *)&terminate, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  report_free(&r->report);
  uv_loop_close(&loop);
  free(r);
  return code;
}
