/* The daemon: a process around au_server. Turns flags, environment and signals into
 * calls of it, and its answers into an exit status. The only file that calls getenv
 * and uv_run. A first argument that is a command of operators leads to cli/ instead. */
#include <active_users/server.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "options/options.h"
#include "process.h"
#include "utils/log.h"
#include "utils/net/authority.h"

/* 2 is what a person has to mend: the unit does not try again. */
enum { EXIT_DONE = 0, EXIT_NOT_STARTED = 1, EXIT_MEND = 2, EXIT_SIGNAL = 128 };

enum { SIGNALS = 3, PASSED_MAX = 8 };
static const int signals[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

typedef struct app {
  int argc;
  char **argv; /* a copy: reloading reads the flags again */
  uv_loop_t loop;
  uv_signal_t watchers[SIGNALS];
  au_server *server;
  /* The server borrows strings: most from the options it was created with, origins
   * and proxies from those of the last reload. Hence at most two are alive. */
  options *created, *reloaded;
  bool has_passed_sockets;
  bool stopping;
} app;

static const char *from_environment(const char *name) {
  return getenv(name);
}

static void print_error(const char *reason) {
  fprintf(stderr, "active-users: %s\n", reason);
}

/* The last error of the server, with the place of the setting it is about. */
static const char *located_error(const options *opts) {
  static char error[OPTIONS_ERROR_SIZE];
  options_locate(opts, au_server_error(), error);
  return error;
}

static int exit_status_of(au_status status) {
  return status == AU_EINVAL || status == AU_ELISTEN ? EXIT_MEND : EXIT_NOT_STARTED;
}

static void warn_of_exposed(const char *flag, const char *where, bool in_file) {
  log_warn("main",
           in_file ? "the group or others may read the file of a secret"
                   : "a secret was an argument, which every user of the host may have read",
           LOG_STR("setting", flag), LOG_STR("from", where));
}

/* For a reload: of the arguments the start has told. */
static void warn_of_exposed_file(const char *flag, const char *where, bool in_file) {
  if (in_file) warn_of_exposed(flag, where, in_file);
}

static void warn_of_unknown(au_slice name, const char *similar) {
  if (similar)
    log_warn("main", "a variable is no setting and is ignored", LOG_SLICE("name", name),
             LOG_STR("did_you_mean", similar));
  else
    log_warn("main", "a variable is no setting and is ignored", LOG_SLICE("name", name));
}

/* What an operator should know once, and can change. */
static void warn_of_risks(const app *a) {
  options_each_unknown_variable(environ, warn_of_unknown);
  if (geteuid() == 0) log_warn("main", "running as root, which nothing here needs", LOG_NONE);
  options_each_exposed(a->created, warn_of_exposed);
}

/* For a person at a terminal: where the log is JSON, nobody wants other lines in between, and where
 * sockets are passed nobody reads them. */
static void print_welcome(const app *a) {
  const au_config *config = options_config(a->created);
  if (config->log_format == AU_LOG_JSON || a->has_passed_sockets) return;
  const char *host = authority_reachable(config->host);
  char base[AUTHORITY_SIZE], bound[AUTHORITY_SIZE], ws[AUTHORITY_SIZE];
  authority_print(base, host, au_server_http_port(a->server));
  authority_print(bound, config->host, au_server_http_port(a->server));
  authority_print(ws, config->host, au_server_ws_port(a->server));

  printf("active-users " AU_VERSION " listens on http://%s", bound);
  if (config->enable_websocket) printf(" and ws://%s/ws/active-users", ws);
  if (host != config->host) printf(", on every address of this machine");
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
    log_error("main", "log not reopened", LOG_STR("file", config->log_file),
              LOG_STR("error", log_open_error()));
  if (a->stopping) return;

  char error[OPTIONS_ERROR_SIZE];
  options *fresh;
  if (options_load(a->argc, a->argv, from_environment, &fresh, error) != AU_OK) {
    log_error("main", "not reloaded", LOG_STR("error", error));
    return;
  }
  if (au_server_reload(a->server, options_config(fresh)) != AU_OK) {
    log_error("main", "not reloaded", LOG_STR("error", located_error(fresh)));
    options_free(fresh);
    return;
  }
  if (options_have_secret(fresh)) process_hide_memory();
  options_each_exposed(fresh, warn_of_exposed_file);
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
  print_error(reason);
  log_configure(AU_LOG_ERROR, options_config(a->created)->log_format);
  return result;
}

static au_status start(app *a) {
  static int passed[PASSED_MAX];
  size_t count = process_passed_sockets(from_environment, passed, PASSED_MAX);
  a->has_passed_sockets = count > 0;
  au_server_use_sockets(a->server, passed, count);
  return au_server_start(a->server);
}

/* Runs the server until it has stopped. Returns the exit status. */
static int serve(app *a) {
  au_status status = au_server_create(&a->loop, options_config(a->created), &a->server);
  if (status != AU_OK) {
    int result = give_up(a, located_error(a->created), exit_status_of(status));
    uv_run(&a->loop, UV_RUN_DEFAULT); /* closes what was built before it failed */
    return result;
  }

  int result = EXIT_DONE;
  int watching = watch_signals(a);
  if (watching != 0) {
    result = give_up(a, uv_strerror(watching), EXIT_NOT_STARTED);
  } else if ((status = start(a)) != AU_OK) {
    result = give_up(a, located_error(a->created), exit_status_of(status));
  }
  if (result == EXIT_DONE) {
    warn_of_risks(a); /* after what may fail, which is told in one line */
    print_welcome(a);
  } else {
    stop(a);
  }

  uv_run(&a->loop, UV_RUN_DEFAULT);
  au_server_free(a->server);
  return result;
}

static int run_daemon(app *a) {
  const au_config *config = options_config(a->created);
  if (log_open(config->log_file) != AU_OK) {
    fprintf(stderr, "active-users: log-file: cannot open %s: %s\n", config->log_file,
            log_open_error());
    return EXIT_MEND;
  }
  log_configure(config->log_level, config->log_format);
  process_set_descriptor_limit(config->max_connections);

  int error = uv_loop_init(&a->loop);
  if (error != 0) {
    print_error(uv_strerror(error));
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
  print_error(strerror(errno));
  return EXIT_NOT_STARTED;
}

int main(int argc, char **argv) {
  static app a;
  char error[OPTIONS_ERROR_SIZE];
  signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of one write */
  process_return_memory();
  process_hold_standard_descriptors();
  process_give_up_privileges();
  a.argc = argc;
  a.argv = process_copy_arguments(argc, argv);
  options_hide_secrets(argc, argv);

  au_status status = AU_ENOMEM;
  int result;
  if (a.argv && argc > 1 && cli_is_command(argv[1])) {
    result = cli_run(argc, a.argv, from_environment);
    process_free_arguments(a.argv);
    return result;
  }
  snprintf(error, sizeof error, "%s", au_status_text(status));
  if (a.argv) status = options_load(argc, a.argv, from_environment, &a.created, error);
  if (status != AU_OK) {
    print_error(error);
    result = exit_status_of(status);
  } else {
    if (options_have_secret(a.created)) process_hide_memory();
    result = options_what(a.created) == OPTIONS_RUN ? run_daemon(&a) : print_action(a.created);
  }
  options_free(a.reloaded);
  options_free(a.created);
  process_free_arguments(a.argv);
  return result;
}
