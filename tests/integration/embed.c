/* What an embedder writes: a loop of its own and the public headers, nothing else.
 * Prints `http_port=N`, and stops when its standard input ends or on SIGTERM. */
#include <active_users/server.h>
#include <signal.h>
#include <stdio.h>

static uv_pipe_t input;
static uv_signal_t on_term;

static void stopped(void *arg) {
  (void)arg;
  puts("stopped");
}

static void stop(au_server *server) {
  if (uv_is_closing((uv_handle_t *)&input)) return; /* both ends may ask */
  uv_close((uv_handle_t *)&input, NULL);
  uv_close((uv_handle_t *)&on_term, NULL);
  au_server_stop(server, stopped, NULL);
}

static void term(uv_signal_t *handle, int signum) {
  (void)signum;
  stop(handle->data);
}

static void alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  static char scratch[64];
  (void)handle, (void)suggested;
  *buf = uv_buf_init(scratch, sizeof scratch);
}

static void read_input(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  (void)buf;
  if (len < 0) stop(stream->data);
}

int main(void) {
  uv_loop_t loop;
  au_config config;
  au_server *server = NULL;
  au_config_init(&config);
  config.host = "127.0.0.1";
  config.http_port = config.ws_port = 0;
  if (uv_loop_init(&loop) != 0) return 1;
  if (au_server_create(&loop, &config, &server) != AU_OK || au_server_start(server) != AU_OK) {
    fprintf(stderr, "%s\n", au_server_error());
    return 1;
  }
  printf("http_port=%u\n", (unsigned)au_server_http_port(server));
  fflush(stdout);

  uv_pipe_init(&loop, &input, 0);
  uv_signal_init(&loop, &on_term);
  input.data = on_term.data = server;
  uv_pipe_open(&input, 0);
  uv_read_start((uv_stream_t *)&input, alloc, read_input);
  uv_signal_start(&on_term, term, SIGTERM);
  uv_run(&loop, UV_RUN_DEFAULT); /* ends when every handle is closed, the server's too */
  au_server_free(server);
  return uv_loop_close(&loop) == 0 ? 0 : 1;
}
