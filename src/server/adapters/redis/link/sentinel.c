/* One question to each of the sentinels until one of them answers it. */
#include "sentinel.h"

#include "adapters/redis/protocol/reply.h"
#include "socket.h"
#include "utils/buffer.h"
#include "utils/join_stop.h"
#include "utils/log.h"

#include <stdlib.h>
#include <string.h>

enum { QUESTION_MAX_BYTES = 512 };

struct redis_sentinel {
  redis_sentinel_config config;
  redis_socket *socket; /* to the sentinel that is being asked; NULL: none is */
  uv_timer_t patience;
  size_t turn;           /* which of the URL's hosts */
  size_t asked;          /* how many of them in this ask */
  unsigned failures;     /* of all time: picks another address of a name */
  const char *reason;    /* the most telling one of this ask, static */
  redis_endpoint master; /* the last that was found; port 0: none yet */
  join_stop stop;        /* the timer, and sockets not yet freed */
};

static const char unreachable[] = "no sentinel can be reached";

static void ask_one(redis_sentinel *s);

/* ---- the answer ------------------------------------------------------------- */

static void hang_up(redis_sentinel *s) {
  if (s->socket) redis_socket_close(s->socket);
  s->socket = NULL;
  uv_timer_stop(&s->patience);
}

/* On to the next, or to the end: a sentinel that said something tells more than one that
 * is not there. */
static void give_up_one(redis_sentinel *s, const char *reason, const char *why) {
  const redis_endpoint *to = &s->config.url->hosts[s->turn];
  log_debug("redis", "no word of a sentinel", LOG_STR("link", s->config.name),
            LOG_STR("sentinel", to->host), LOG_INT("port", to->port), LOG_STR("reason", reason),
            LOG_STR("detail", why));
  hang_up(s);
  redis_sentinel_suspect(s);
  s->failures++;
  if (reason != unreachable) s->reason = reason;
  if (++s->asked < s->config.url->host_count)
    ask_one(s);
  else
    s->config.failed(s->config.arg, s->reason);
}

/* Host and port, as texts. */
static bool read_master(const redisReply *reply, redis_endpoint *out) {
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return false;
  au_slice host = redis_reply_text(reply->element[0]);
  if (host.len == 0 || host.len >= sizeof out->host || memchr(host.ptr, '\0', host.len))
    return false;
  memcpy(out->host, host.ptr, host.len);
  out->host[host.len] = '\0';
  uint64_t port;
  if (!slice_digits(redis_reply_text(reply->element[1]), 5, &port)) return false;
  out->port = (uint16_t)port;
  return port > 0 && port <= UINT16_MAX;
}

static const char *refusal(const redisReply *reply) {
  if (reply->type == REDIS_REPLY_NIL || (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0))
    return "the sentinels do not know the master of the URL";
  if (redis_reply_is_error_code(reply, "NOAUTH"))
    return "the sentinels want a password, which is not supported";
  if (redis_reply_is_error_code(reply, "ERR unknown command"))
    return "a host of the URL is no sentinel: write redis:// for a plain redis";
  return "a sentinel answers with something else than was asked for";
}

static void on_replied(void *arg, const redisReply *reply) {
  redis_sentinel *s = arg;
  redis_endpoint master = {.port = 0};
  if (!read_master(reply, &master)) {
    give_up_one(s, refusal(reply), "its answer");
    return;
  }
  hang_up(s);
  if (!redis_endpoint_eq(&master, &s->master))
    log_info("redis", "master found", LOG_STR("link", s->config.name), LOG_STR("host", master.host),
             LOG_INT("port", master.port));
  s->master = master;
  s->config.found(s->config.arg, &s->master);
}

/* ---- the question ----------------------------------------------------------- */

static void on_opened(void *arg) {
  redis_sentinel *s = arg;
  const char *name = s->config.url->master_name;
  buffer text;
  buffer_init(&text, QUESTION_MAX_BYTES);
  buffer_append_format(&text,
                       "*3\r\n$8\r\nSENTINEL\r\n$23\r\nget-master-addr-by-name\r\n$%zu\r\n%s\r\n",
                       strlen(name), name);
  if (text.failed || redis_socket_write(s->socket, buffer_slice(&text), false) != AU_OK)
    give_up_one(s, unreachable, "out of memory");
  buffer_free(&text);
}

static void on_closed(void *arg, const char *reason, const char *why) {
  (void)reason; /* speaks of a redis */
  give_up_one(arg, unreachable, why);
}

static void on_freed(void *arg) {
  redis_sentinel *s = arg;
  join_stop_done(&s->stop);
}

/* Also reports what could not even begin, so that every outcome comes from the loop. */
static void on_patience(uv_timer_t *timer) {
  give_up_one(timer->data, unreachable, "no answer in time");
}

static void ask_one(redis_sentinel *s) {
  const redis_socket_config config = {
      .loop = s->config.loop,
      .to = &s->config.url->hosts[s->turn],
      .attempt = s->failures,
      .bulk_max_bytes = REDIS_BULK_MAX_BYTES,
      .events = {on_opened, on_replied, on_closed, on_freed, s},
  };
  if (redis_socket_open(&config, &s->socket) == AU_OK) (void)join_stop_add(&s->stop);
  uv_timer_start(&s->patience, on_patience, s->socket ? REDIS_SENTINEL_TIMEOUT_MS : 0, 0);
}

void redis_sentinel_ask(redis_sentinel *s) {
  s->asked = 0;
  s->reason = unreachable;
  ask_one(s);
}

void redis_sentinel_suspect(redis_sentinel *s) {
  s->turn = (s->turn + 1) % s->config.url->host_count;
}

/* ---- life ------------------------------------------------------------------- */

au_status redis_sentinel_create(const redis_sentinel_config *config, redis_sentinel **out) {
  redis_sentinel *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->config = *config;
  *out = s;
  return AU_OK;
}

void redis_sentinel_start(redis_sentinel *s) {
  uv_timer_init(s->config.loop, &s->patience);
  s->patience.data = s;
}

void redis_sentinel_stop(redis_sentinel *s, void (*stopped)(void *arg), void *arg) {
  join_stop_begin(&s->stop, stopped, arg);
  hang_up(s);
  join_stop_close(&s->stop, (uv_handle_t *)&s->patience);
  join_stop_done(&s->stop);
}

void redis_sentinel_free(redis_sentinel *s) {
  free(s);
}
