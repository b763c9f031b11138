/* The daemon: a process around au_server. Turns flags, environment and signals into
 * calls of it, and its answers into an exit status. The only file that calls getenv
 * and uv_run; must not know what the server does. */
#include <active_users/server.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "options.h"
#include "utils/log.h"

enum { EXIT_DONE = 0, EXIT_NOT_STARTED = 1, EXIT_BAD_CONFIG = 2, EXIT_SIGNAL = 128 };

enum {
  SIGNALS = 3,
  DESCRIPTORS = 65536,      /* unless max-connections asks for more */
  DESCRIPTORS_BESIDE = 256, /* those that are no connections */
};
static const int signals[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

typedef struct app {
  int argc;
  char **argv;
  uv_loop_t loop;
  uv_signal_t watchers[SIGNALS];
  au_server *server;
  /* The server borrows strings: most from the options it was created with, origins
   * and proxies from those of the last reload. Hence at most two are alive. */
  options *created, *reloaded;
  bool stopping;
} app;

static const char *from_environment(const char *name) {
  return getenv(name);
}

static void complain(const char *reason) {
  fprintf(stderr, "active-users: %s\n", reason);
}

static int exit_status_of(au_status status) {
  return status == AU_EINVAL ? EXIT_BAD_CONFIG : EXIT_NOT_STARTED;
}

/* A descriptor below 3 that is closed would go to the first socket, and what is
 * printed would reach a client. */
static void hold_standard_descriptors(void) {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

/* Often too low, for programs that use select; and often a million or more, where it
 * costs: libwebsockets keeps a table of that size and walks through it whenever a socket
 * closes, which at a million takes 350 us. Whatever is reached, the server works with it. */
static void set_descriptor_limit(uint32_t max_connections) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t wanted = (rlim_t)max_connections + DESCRIPTORS_BESIDE;
  if (wanted < DESCRIPTORS) wanted = DESCRIPTORS;
  limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    log_warn("main", "descriptor limit not set", LOG_STR("error", strerror(errno)));
}

/* A wildcard is no address to connect to. */
static const char *reachable(const char *host) {
  if (strcmp(host, "0.0.0.0") == 0) return "127.0.0.1";
  if (strcmp(host, "::") == 0) return "::1";
  return host;
}

static void print_welcome(const app *a) {
  const au_config *config = options_config(a->created);
  const char *host = reachable(config->host);
  bool v6 = strchr(host, ':') != NULL;
  char base[300];
  snprintf(base, sizeof base, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
           (unsigned)au_server_http_port(a->server));

  printf("active-users " AU_VERSION " listens on http://%s", base);
  if (config->enable_websocket)
    printf(" and ws://%s%s%s:%u/ws/active-users", v6 ? "[" : "", host, v6 ? "]" : "",
           (unsigned)au_server_ws_port(a->server));
  printf("\nTry:\n"
         "  curl -H 'Content-Type: application/json' 'http://%s/presence/join' \\\n"
         "    -d '{\"customerId\":\"shop\",\"sessionId\":\"s1\",\"tabId\":\"t1\"}'\n"
         "  curl 'http://%s/metrics?customerId=shop'\n"
         "  curl 'http://%s/health'\n",
         base, base, base);
  fflush(stdout);
}

/* Runs from the loop when the server has closed all it had. */
static void on_stopped(void *arg) {
  app *a = arg;
  signal(SIGHUP, SIG_IGN); /* without a watcher it would end us by force */
  for (size_t i = 0; i < SIGNALS; i++) uv_close((uv_handle_t *)&a->watchers[i], NULL);
}

static void stop(app *a) {
  a->stopping = true;
  au_server_stop(a->server, on_stopped, a);
}

/* Without the new log file or the new options the daemon goes on with the old. */
static void reload(app *a) {
  const au_config *config = options_config(a->created);
  if (log_open(config->log_file) != AU_OK)
    log_error("main", "log not reopened", LOG_STR("error", strerror(errno)));
  if (a->stopping) return;

  char error[OPTIONS_ERROR_SIZE];
  options *fresh;
  if (options_load(a->argc, a->argv, from_environment, &fresh, error) != AU_OK) {
    log_error("main", "not reloaded", LOG_STR("error", error));
    return;
  }
  if (au_server_reload(a->server, options_config(fresh)) != AU_OK) {
    log_error("main", "not reloaded", LOG_STR("error", au_server_error()));
    options_free(fresh);
    return;
  }
  options_free(a->reloaded);
  a->reloaded = fresh;
}

static void on_signal(uv_signal_t *watcher, int signum) {
  app *a = watcher->data;
  if (signum == SIGHUP) {
    reload(a);
    return;
  }
  if (a->stopping) _exit(EXIT_SIGNAL + signum);
  log_info("main", "signal", LOG_STR("name", signum == SIGINT ? "SIGINT" : "SIGTERM"));
  stop(a);
}

/* Begins before the server does, so that no signal finds its default action. The
 * handles are initialised in any case, and on_stopped closes them. */
static int watch_signals(app *a) {
  int result = 0;
  for (size_t i = 0; i < SIGNALS; i++) {
    uv_signal_init(&a->loop, &a->watchers[i]);
    a->watchers[i].data = a;
    int started = uv_signal_start(&a->watchers[i], on_signal, signals[i]);
    if (started != 0) result = started;
  }
  return result;
}

/* Says why nothing was started: one line, so the log of taking down what there was
 * is kept quiet. */
static int give_up(const app *a, const char *reason, int result) {
  complain(reason);
  log_configure(AU_LOG_ERROR, options_config(a->created)->log_format);
  return result;
}

/* Runs the server until it has stopped. Returns the exit status. */
static int serve(app *a) {
  au_status status = au_server_create(&a->loop, options_config(a->created), &a->server);
  if (status != AU_OK) {
    int result = give_up(a, au_server_error(), exit_status_of(status));
    uv_run(&a->loop, UV_RUN_DEFAULT); /* closes what was built before it failed */
    return result;
  }

  int result = EXIT_DONE;
  int watching = watch_signals(a);
  if (watching != 0) {
    result = give_up(a, uv_strerror(watching), EXIT_NOT_STARTED);
  } else if ((status = au_server_start(a->server)) != AU_OK) {
    result = give_up(a, au_server_error(), exit_status_of(status));
  }
  if (result == EXIT_DONE)
    print_welcome(a);
  else
    stop(a);

  uv_run(&a->loop, UV_RUN_DEFAULT);
  au_server_free(a->server);
  return result;
}

static int run_daemon(app *a) {
  const au_config *config = options_config(a->created);
  if (log_open(config->log_file) != AU_OK) {
    fprintf(stderr, "active-users: log-file: cannot open %s: %s\n", config->log_file,
            strerror(errno));
    return EXIT_NOT_STARTED;
  }
  log_configure(config->log_level, config->log_format);
  set_descriptor_limit(config->max_connections);

  int error = uv_loop_init(&a->loop);
  if (error != 0) {
    complain(uv_strerror(error));
    return EXIT_NOT_STARTED;
  }
  int result = serve(a);
  /* A handle left open is a mistake of ours; say so rather than hide it. */
  error = uv_loop_close(&a->loop);
  if (error != 0 && result == EXIT_DONE) {
    log_error("main", "loop not closed", LOG_STR("error", uv_strerror(error)));
    result = EXIT_NOT_STARTED;
  }
  return result;
}

/* An action that could not print has failed. */
static int print_action(const options *opts) {
  switch (options_what(opts)) {
  case OPTIONS_RUN: break;
  case OPTIONS_HELP: options_print_help(stdout); break;
  case OPTIONS_VERSION: puts("active-users " AU_VERSION); break;
  case OPTIONS_PRINT_CONFIG: options_print_config(opts, stdout); break;
  case OPTIONS_PRINT_MARKDOWN: options_print_markdown(stdout); break;
  }
  if (fflush(stdout) == 0) return EXIT_DONE;
  complain(strerror(errno));
  return EXIT_NOT_STARTED;
}

int main(int argc, char **argv) {
  static app a;
  char error[OPTIONS_ERROR_SIZE];
  a.argc = argc;
  a.argv = argv;
  signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of one write */
  hold_standard_descriptors();

  au_status status = options_load(argc, argv, from_environment, &a.created, error);
  if (status != AU_OK) {
    complain(error);
    return exit_status_of(status);
  }

  int result = options_what(a.created) == OPTIONS_RUN ? run_daemon(&a) : print_action(a.created);
  options_free(a.reloaded);
  options_free(a.created);
  return result;
}
