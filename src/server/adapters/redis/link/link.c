/* Connects, matches answers to commands, and connects again. Knows no keys and no
 * operations. */
#include "link.h"

#include "adapters/redis/protocol/command.h"
#include "adapters/redis/protocol/reply.h"
#include "handshake.h"
#include "sentinel.h"
#include "socket.h"
#include "tls.h"
#include "utils/buffer.h"
#include "utils/deadline.h"
#include "utils/join_stop.h"
#include "utils/log.h"

#include <stdlib.h>

typedef enum link_state {
  LINK_DOWN,      /* not started, or waiting to try again */
  LINK_ASKING,    /* the sentinels */
  LINK_OPENING,   /* the socket is being connected */
  LINK_HANDSHAKE, /* its answers are in flight */
  LINK_READY,
  LINK_STOPPED,
} link_state;

/* A command in flight. Redis answers in order and all have the same lifetime, so the
 * queue of deadlines is also the queue of answers. */
typedef struct command {
  deadline due; /* first: a deadline is cast to its command */
  redis_reply_fn cb;
  void *arg;
} command;

struct redis_link {
  redis_link_config config;
  link_state state;
  redis_sentinel *sentinel; /* NULL: it is known where to connect to */
  redis_tls *tls;           /* NULL: plain */
  bool asking;              /* the sentinels, whatever the state */
  bool can_wait;            /* what is issued now */
  bool suspected;           /* the last answer named another master than this one */
  bool found_replica;       /* behind the name of a plain URL, and no master since then */
  redis_endpoint to;        /* with sentinels: the master that was named last */
  redis_socket *socket;     /* NULL when DOWN, ASKING or STOPPED */
  redis_handshake handshake;
  deadline_queue commands;
  uint32_t in_flight;
  buffer text; /* of the command that is being issued */

  uv_timer_t retry;    /* ends the wait when DOWN, the patience when OPENING, and when READY the
                          time until the sentinels are asked again, or a replica would show */
  uv_timer_t patience; /* runs no later than the first deadline */
  unsigned failures;   /* in a row; a link that did not last counts as one */
  int64_t ready_at_ms;
  int64_t message_at_ms; /* when the last message of pub/sub came */
  uint64_t random;
  const char *reason; /* why it is not ready */
  const char *logged; /* the reason that was logged last */

  join_stop stop; /* the timers, the sentinels, and sockets not yet freed */
};

static void connect_now(redis_link *l);
static void open_socket(redis_link *l);

static int64_t now_ms(const redis_link *l) {
  return (int64_t)uv_now(l->config.loop);
}

/* splitmix64: spreads the daemons that lost the same Redis, nothing more. */
static uint64_t next_random(redis_link *l) {
  uint64_t z = (l->random += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* ---- commands and their answers ------------------------------------------- */

static command *take_first(redis_link *l) {
  deadline *d = deadline_first(&l->commands);
  if (!d) return NULL;
  deadline_cancel(d);
  l->in_flight--;
  return (command *)d;
}

static void answer(command *c, au_status status, const redisReply *reply) {
  redis_reply_fn cb = c->cb;
  void *arg = c->arg;
  free(c);
  cb(status, reply, arg);
}

static void answer_all(redis_link *l, au_status status) {
  for (command *c; (c = take_first(l)) != NULL;) answer(c, status, NULL);
}

static void on_patience(uv_timer_t *timer);

/* Without asking whether the link is ready: the handshake is sent by this too. */
static au_status issue(void *link, const au_slice *args, size_t n, redis_reply_fn cb, void *arg) {
  redis_link *l = link;
  if (l->in_flight >= l->config.max_in_flight) return AU_EBUSY;
  size_t bytes = 0;
  for (size_t i = 0; i < n; i++) bytes += args[i].len;
  if (bytes > REDIS_COMMAND_MAX_BYTES) return AU_EINVAL;
  redis_command_print(&l->text, args, n);
  command *c = l->text.failed ? NULL : malloc(sizeof *c);
  if (!c) return AU_ENOMEM;
  *c = (command){.cb = cb, .arg = arg};
  au_status status = redis_socket_write(l->socket, buffer_slice(&l->text), l->can_wait);
  if (status != AU_OK) {
    free(c);
    return status;
  }
  deadline_arm(&l->commands, &c->due, now_ms(l));
  l->in_flight++;
  if (!uv_is_active((uv_handle_t *)&l->patience))
    uv_timer_start(&l->patience, on_patience, (uint64_t)l->config.command_timeout_ms, 0);
  return AU_OK;
}

au_status redis_link_command(redis_link *l, const au_slice *args, size_t n, redis_reply_fn cb,
                             void *arg) {
  if (l->state != LINK_READY) return l->state == LINK_STOPPED ? AU_ECANCELED : AU_ESTORE;
  return issue(l, args, n, cb, arg);
}

void redis_link_set_can_wait(redis_link *l, bool can_wait) {
  l->can_wait = can_wait;
}

/* ---- losing it and trying again ------------------------------------------- */

static void on_retry(uv_timer_t *timer) {
  connect_now(timer->data);
}

/* Half of the delay is fixed and half is chance. */
static uint64_t backoff_ms(redis_link *l) {
  uint64_t delay = REDIS_BACKOFF_MIN_MS;
  uint64_t most = l->found_replica ? REDIS_REPLICA_BACKOFF_MAX_MS : REDIS_BACKOFF_MAX_MS;
  for (unsigned i = 0; i < l->failures && delay < most; i++) delay *= 2;
  if (delay > most) delay = most;
  return delay / 2 + next_random(l) % (delay / 2 + 1);
}

/* The end of a connection, made or not. `reason` is static, `detail` for the log only. */
static void lose(redis_link *l, au_status status, const char *reason, const char *detail) {
  bool was_ready = l->state == LINK_READY;
  if (l->config.lost_count) ++*l->config.lost_count;
  if (l->sentinel && (l->state == LINK_OPENING || l->state == LINK_HANDSHAKE))
    redis_sentinel_suspect(l->sentinel);
  if (l->socket) redis_socket_close(l->socket);
  l->socket = NULL;
  l->state = LINK_DOWN;
  l->reason = reason;
  if (l->logged != reason)
    log_warn("redis", "connection failed", LOG_STR("link", l->config.name),
             LOG_STR("host", l->to.host), LOG_INT("port", l->to.port), LOG_STR("reason", reason),
             LOG_STR("detail", detail));
  l->logged = reason;
  uv_timer_stop(&l->patience);
  bool lasted = was_ready && now_ms(l) - l->ready_at_ms >= REDIS_LASTING_MS;
  if (lasted && !l->found_replica) l->failures = 0;
  uv_timer_start(&l->retry, on_retry, backoff_ms(l), 0);
  l->failures++;
  /* Callbacks come last: they may stop the link, and find it in its new state. `lost` is the
   * first, so that the others find its owner in its new state too. */
  if (was_ready) l->config.lost(l->config.arg);
  answer_all(l, l->state == LINK_STOPPED ? AU_ECANCELED : status);
}

/* When patience with the first command ends. */
static int64_t patience_ends_ms(const redis_link *l) {
  int64_t due_ms = deadline_next_ms(&l->commands);
  int64_t silent_ms = l->config.message ? l->message_at_ms + l->config.command_timeout_ms : 0;
  return silent_ms > due_ms ? silent_ms : due_ms;
}

/* Before the link is dropped, what has already arrived is taken: this process may have
 * slept longer than Redis did. As long as answers come, no command is late. */
static void on_patience(uv_timer_t *timer) {
  redis_link *l = timer->data;
  const deadline *first = deadline_first(&l->commands);
  if (!first) return;
  if (patience_ends_ms(l) <= now_ms(l)) {
    redis_socket_read(l->socket);
    if (!l->socket || l->in_flight == 0) return;
    if (deadline_first(&l->commands) == first && patience_ends_ms(l) <= now_ms(l)) {
      lose(l, AU_ETIMEDOUT, "redis does not answer in time", "the deadline of a command");
      return;
    }
  }
  int64_t left_ms = patience_ends_ms(l) - now_ms(l);
  uv_timer_start(timer, on_patience, left_ms > 1 ? (uint64_t)left_ms : 1, 0);
}

static void on_connect_timeout(uv_timer_t *timer) {
  redis_link *l = timer->data;
  lose(l, AU_ESTORE, redis_socket_reason(l->socket), "no connection in time");
}

/* ---- the sentinels -------------------------------------------------------- */

static void ask_sentinels(redis_link *l) {
  if (l->asking) return; /* since before the link was lost */
  l->asking = true;
  redis_sentinel_ask(l->sentinel);
}

static void on_refresh(uv_timer_t *timer) {
  ask_sentinels(timer->data);
}

static void refresh_later(redis_link *l) {
  uv_timer_start(&l->retry, on_refresh, REDIS_MASTER_REFRESH_MS, 0);
}

/* A master that works is left when two answers in a row name another one: one of them may be of
 * a sentinel that knows nothing better. */
static void compare_master(redis_link *l, const redis_endpoint *master) {
  bool same = redis_endpoint_eq(master, &l->to);
  bool was_suspected = l->suspected;
  l->suspected = !same;
  if (same) {
    refresh_later(l);
  } else if (was_suspected) {
    lose(l, AU_ESTORE, "the sentinels name another master", "asked twice");
  } else {
    redis_sentinel_suspect(l->sentinel);
    ask_sentinels(l);
  }
}

static void on_master(void *arg, const redis_endpoint *master) {
  redis_link *l = arg;
  l->asking = false;
  if (l->state == LINK_READY) compare_master(l, master);
  if (l->state != LINK_ASKING) return;
  l->suspected = false;
  l->to = *master;
  open_socket(l);
}

static void on_no_master(void *arg, const char *reason) {
  redis_link *l = arg;
  l->asking = false;
  if (l->state == LINK_ASKING) lose(l, AU_ESTORE, reason, "asked all sentinels");
  if (l->state == LINK_READY) refresh_later(l);
}

/* ---- events of the socket and the handshake -------------------------------- */

static void on_opened(void *arg) {
  redis_link *l = arg;
  uv_timer_stop(&l->retry);
  l->state = LINK_HANDSHAKE;
  if (redis_handshake_send(&l->handshake) != AU_OK)
    lose(l, AU_ESTORE, "out of memory", "handshake");
}

static void log_ready(redis_link *l) {
  l->logged = NULL;
  log_info("redis", "connected", LOG_STR("link", l->config.name), LOG_STR("host", l->to.host),
           LOG_INT("port", l->to.port));
}

static void on_writable(uv_timer_t *timer) {
  redis_link *l = timer->data;
  l->found_replica = false;
  log_ready(l);
}

static void on_handshake_done(void *arg) {
  redis_link *l = arg;
  l->state = LINK_READY;
  l->ready_at_ms = now_ms(l);
  l->reason = "";
  if (l->sentinel) refresh_later(l);
  /* It may be the same replica, which the next test write shows: no change to log until then. */
  if (l->found_replica)
    uv_timer_start(&l->retry, on_writable, REDIS_REPLICA_SHOWS_MS, 0);
  else
    log_ready(l);
  l->config.ready(l->config.arg);
}

/* Refused, closed, or never made. */
static void on_failed(void *arg, const char *reason, const char *why) {
  lose(arg, AU_ESTORE, reason, why);
}

static void refuse(redis_link *l, const redisReply *reply, const char *detail) {
  lose(l, AU_ESTORE, redis_reply_refusal(reply).reason, detail);
}

/* In pub/sub mode a message may come between any two answers. */
static bool take_message(redis_link *l, const redisReply *reply) {
  if (!l->config.message || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) return false;
  if (!slice_eq(redis_reply_text(reply->element[0]), slice_of("message"))) return false;
  l->message_at_ms = now_ms(l);
  l->config.message(l->config.arg, redis_reply_text(reply->element[1]),
                    redis_reply_text(reply->element[2]));
  return true;
}

/* The master was demoted: the sentinels know the next one, and behind a name may be another server
 * by now. The answer may have stopped or lost the link already. */
static void leave_replica(redis_link *l, const redisReply *reply) {
  if (l->state != LINK_READY || l->config.stays_at_replica ||
      !redis_reply_is_error_code(reply, "READONLY"))
    return;
  l->found_replica = !l->sentinel;
  refuse(l, reply, "a write");
}

static void on_replied(void *arg, const redisReply *reply) {
  redis_link *l = arg;
  if (take_message(l, reply)) return;
  command *c = take_first(l);
  if (c) {
    answer(c, AU_OK, reply);
    leave_replica(l, reply);
  } else if (redis_reply_is_error(reply)) { /* "max number of clients reached" comes unasked */
    refuse(l, reply, "unasked");
  } else {
    lose(l, AU_ESTORE, "redis answers what was not asked", "protocol");
  }
}

static void on_freed(void *arg) {
  redis_link *l = arg;
  join_stop_done(&l->stop);
}

static void open_socket(redis_link *l) {
  const redis_socket_config config = {
      .loop = l->config.loop,
      .to = &l->to,
      .tls = l->tls,
      .attempt = l->failures,
      .bulk_max_bytes = l->config.message ? REDIS_MESSAGE_MAX_BYTES : REDIS_BULK_MAX_BYTES,
      .events = {on_opened, on_replied, on_failed, on_freed, l},
  };
  l->state = LINK_OPENING;
  if (redis_socket_open(&config, &l->socket) != AU_OK) {
    lose(l, AU_ESTORE, "out of memory", "socket");
    return;
  }
  (void)join_stop_add(&l->stop);
  uv_timer_start(&l->retry, on_connect_timeout, REDIS_CONNECT_TIMEOUT_MS, 0);
}

static void connect_now(redis_link *l) {
  if (!l->sentinel) {
    open_socket(l);
    return;
  }
  l->state = LINK_ASKING;
  ask_sentinels(l);
}

/* ---- life ----------------------------------------------------------------- */

au_status redis_link_check(const redis_url *url, const char **reason) {
  bool has_ca = url->ca_file && url->ca_file[0] != '\0';
  if (has_ca && !url->tls) {
    *reason = "redis-ca is for TLS: write rediss://";
    return AU_EINVAL;
  }
  if (!url->tls) return AU_OK;
  redis_tls *tls;
  au_status status = redis_tls_create(url->ca_file, &tls);
  if (status == AU_OK)
    redis_tls_free(tls);
  else if (status == AU_EINVAL)
    *reason = "the file of redis-ca cannot be read or holds no certificate";
  return status;
}

au_status redis_link_create(const redis_link_config *config, redis_link **out) {
  const redis_url *url = config->url;
  redis_link *l = calloc(1, sizeof *l);
  if (!l) return AU_ENOMEM;
  l->config = *config;
  l->to = config->to ? *config->to : url->hosts[0];
  l->random = config->seed;
  l->reason = "not connected yet";
  deadline_queue_init(&l->commands, config->command_timeout_ms);
  buffer_init(&l->text, (size_t)2 * REDIS_COMMAND_MAX_BYTES);
  const redis_sentinel_config sentinel = {
      .loop = config->loop,
      .url = url,
      .name = config->name,
      .found = on_master,
      .failed = on_no_master,
      .arg = l,
  };
  au_status status = AU_OK;
  if (url->kind == REDIS_SENTINEL && !config->to)
    status = redis_sentinel_create(&sentinel, &l->sentinel);
  if (status == AU_OK && url->tls) status = redis_tls_create(url->ca_file, &l->tls);
  if (status != AU_OK) {
    redis_link_free(l);
    return status;
  }
  l->handshake = (redis_handshake){
      .url = url,
      .name = config->name,
      .wants_master = l->sentinel != NULL,
      .issue = issue,
      .done = on_handshake_done,
      .refused = on_failed,
      .arg = l,
  };
  *out = l;
  return AU_OK;
}

/* Connecting waits for the loop, so that no event comes before it runs. */
void redis_link_start(redis_link *l) {
  uv_timer_init(l->config.loop, &l->retry);
  uv_timer_init(l->config.loop, &l->patience);
  l->retry.data = l->patience.data = l;
  if (l->sentinel) redis_sentinel_start(l->sentinel);
  uv_timer_start(&l->retry, on_retry, 0, 0);
}

const redis_endpoint *redis_link_endpoint(const redis_link *l) {
  return &l->to;
}

bool redis_link_is_ready(const redis_link *l) {
  return l->state == LINK_READY;
}

const char *redis_link_reason(const redis_link *l) {
  return l->reason;
}

uint32_t redis_link_capacity(const redis_link *l) {
  return l->config.max_in_flight - l->in_flight;
}

/* The commands in flight end here rather than in redis_link_stop, because that may be called from
 * anywhere. */
static void on_patience_closed(uv_handle_t *handle) {
  redis_link *l = handle->data;
  answer_all(l, AU_ECANCELED);
  join_stop_done(&l->stop);
}

void redis_link_stop(redis_link *l, void (*stopped)(void *arg), void *arg) {
  l->state = LINK_STOPPED;
  l->reason = "stopping";
  join_stop_begin(&l->stop, stopped, arg);
  if (l->socket) redis_socket_close(l->socket);
  l->socket = NULL;
  if (l->sentinel) redis_sentinel_stop(l->sentinel, join_stop_done, join_stop_add(&l->stop));
  join_stop_close(&l->stop, (uv_handle_t *)&l->retry);
  (void)join_stop_add(&l->stop);
  uv_close((uv_handle_t *)&l->patience, on_patience_closed);
  join_stop_done(&l->stop);
}

void redis_link_free(redis_link *l) {
  if (!l) return;
  redis_sentinel_free(l->sentinel);
  redis_tls_free(l->tls);
  buffer_free(&l->text);
  free(l);
}
