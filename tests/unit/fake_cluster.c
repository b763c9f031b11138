/* Plays the nodes of a Redis Cluster. */
#include "fake_cluster.h"

static void fake_on_written(uv_write_t *req, int status) {
  (void)status;
  free(req);
}

/* After "" a connection says nothing more: answers stay in order. */
static void fake_say(fake_peer *p, const char *text) {
  p->silent = p->silent || text[0] == '\0';
  if (p->silent) return;
  uv_write_t *req = malloc(sizeof *req);
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
  if (uv_write(req, (uv_stream_t *)&p->tcp, &buf, 1, fake_on_written) != 0) free(req);
}

static const char *fake_redis_answer(const char *word) {
  static const struct {
    const char *word, *answer;
  } answers[] = {
      {"SET", "+OK\r\n"}, {"ZADD", ":1\r\n"},    {"GETRANGE", "$0\r\n\r\n"},
      {"EVAL", ":1\r\n"}, {"ZCOUNT", ":3\r\n"},  {"ZSCORE", "$-1\r\n"},
      {"ZREM", ":1\r\n"}, {"PUBLISH", ":0\r\n"}, {"ZRANGEBYSCORE", "*0\r\n"},
  };
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
    if (strcmp(word, answers[i].word) == 0) return answers[i].answer;
  return NULL;
}

/* What a daemon asks of its own accord is answered and not counted. */
static bool fake_is_of_node(const char *key) {
  return strncmp(key, "au:epoch", 8) == 0 || strncmp(key, "au:probe", 8) == 0;
}

static void fake_obey(fake_peer *p, const char *word, const char *key) {
  fake_node *n = p->node;
  const char *answer = fake_redis_answer(word);
  if (strcmp(word, "PING") == 0) {
    fake_say(p, "+PONG\r\n");
  } else if (strcmp(word, "TIME") == 0) {
    fake_say(p, "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n");
  } else if (fake_is_of_node(key)) {
    fake_say(p, strcmp(word, "GETRANGE") == 0 ? "$1\r\ne\r\n" : "+OK\r\n");
  } else if (strcmp(word, "CLUSTER") == 0) {
    n->looks++;
    fake_say(p, n->map);
  } else if (strcmp(word, "SUBSCRIBE") == 0) {
    fake_say(p, "*3\r\n$9\r\nsubscribe\r\n$9\r\nmetrics:c\r\n:1\r\n");
  } else if (strcmp(word, "UNSUBSCRIBE") == 0) {
    fake_say(p, "*3\r\n$11\r\nunsubscribe\r\n$9\r\nmetrics:c\r\n:0\r\n");
  } else if (strcmp(word, "ASKING") == 0) {
    p->asking = true;
    fake_say(p, "+OK\r\n");
  } else if (answer) {
    n->commands++;
    n->asked += p->asking;
    if (n->only_asking && !p->asking)
      fake_say(p, "-CLUSTERDOWN not without ASKING\r\n");
    else
      fake_say(p, n->says ? n->says : answer);
    p->asking = false;
  } else {
    fake_say(p, "+OK\r\n");
  }
}

/* Takes one whole command off the bytes, its first two words; false when there is none. */
static bool fake_take(fake_peer *p, char word[32], char key[32]) {
  key[0] = '\0';
  char *at = p->bytes, *end = p->bytes + p->len;
  if (p->len == 0 || !memchr(at, '\n', p->len)) return false;
  long count = strtol(at + 1, NULL, 10);
  at = (char *)memchr(at, '\n', p->len) + 1;
  for (long i = 0; i < count; i++) {
    char *line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    long len = line ? strtol(at + 1, NULL, 10) : 0;
    if (!line || end - line - 1 < len + 2) return false;
    if (i < 2) snprintf(i == 0 ? word : key, 32, "%.*s", (int)len, line + 1);
    at = line + 1 + len + 2;
  }
  p->len = (size_t)(end - at);
  memmove(p->bytes, at, p->len);
  return true;
}

static void fake_on_closed(uv_handle_t *handle) {
  fake_peer *p = handle->data;
  fake_peer **at = &p->node->peers;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  p->node->open--;
  free(p);
}

static void fake_on_room(uv_handle_t *handle, size_t want, uv_buf_t *buf) {
  fake_peer *p = handle->data;
  (void)want;
  *buf = uv_buf_init(p->bytes + p->len, (unsigned)(sizeof p->bytes - p->len));
}

static void fake_on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  fake_peer *p = stream->data;
  (void)buf;
  if (n < 0) {
    if (!uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, fake_on_closed);
    return;
  }
  p->len += (size_t)n;
  for (char word[32], key[32]; fake_take(p, word, key);) fake_obey(p, word, key);
}

static void fake_on_connection(uv_stream_t *listener, int status) {
  fake_node *n = listener->data;
  assert_int_equal(status, 0);
  fake_peer *p = calloc(1, sizeof *p);
  p->node = n;
  uv_tcp_init(listener->loop, &p->tcp);
  uv_tcp_nodelay(&p->tcp, 1);
  p->tcp.data = p;
  assert_int_equal(uv_accept(listener, (uv_stream_t *)&p->tcp), 0);
  p->next = n->peers;
  n->peers = p;
  n->open++;
  uv_read_start((uv_stream_t *)&p->tcp, fake_on_room, fake_on_bytes);
}

void fake_drop(fake_node *n) {
  for (fake_peer *p = n->peers; p; p = p->next)
    if (!uv_is_closing((uv_handle_t *)&p->tcp)) uv_close((uv_handle_t *)&p->tcp, fake_on_closed);
}

void fake_start(uv_loop_t *loop, fake_node *n) {
  struct sockaddr_in at;
  int len = sizeof at;
  uv_ip4_addr("127.0.0.1", 0, &at);
  uv_tcp_init(loop, &n->listener);
  n->listener.data = n;
  assert_int_equal(uv_tcp_bind(&n->listener, (const struct sockaddr *)&at, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *)&n->listener, 16, fake_on_connection), 0);
  assert_int_equal(uv_tcp_getsockname(&n->listener, (struct sockaddr *)&at, &len), 0);
  n->port = ntohs(at.sin_port);
}

void fake_end(uv_loop_t *loop, fake_node *n) {
  fake_drop(n);
  uv_close((uv_handle_t *)&n->listener, NULL);
  while (n->open > 0) uv_run(loop, UV_RUN_ONCE);
}
