/* Keeps the subscriptions as they are wanted, whatever the link does. Must not know who
 * wants them, nor where counts come from. */
#include "redis_watch.h"

#include "../utils/buffer.h"
#include "../utils/log.h"
#include "../wire.h"
#include "redis_keys.h"
#include "redis_link.h"
#include "redis_reply.h"

#include <stdlib.h>
#include <string.h>

/* An entry is in one of three rings at any time, or in none while it is being asked for. */
typedef struct ring {
  struct ring *prev, *next;
} ring;

typedef struct entry {
  map_node node; /* first: a node is cast to its entry */
  ring place;
  ring listed; /* in `all` */
  redis_watch *watch;
  uint64_t heard_on; /* number of the link on which Redis confirmed it; 0: on none */
  bool wanted;
  bool asking;    /* a command for it is in flight */
  bool asked_for; /* what that command asks for */
  uint8_t id_len;
  char id[];
} entry;

struct redis_watch {
  redis_watch_config config;
  redis_link *link;
  map *entries;
  ring all;             /* the same, to walk over */
  uint64_t link_number; /* counts links, so that the loss of one unsubscribes all at once */
  ring todo;            /* wanted and not subscribed, or the other way round */
  ring settled;         /* nothing to do until somebody wants something else, or the link is lost */
  ring refused;         /* asked for again with the next probe or link */
  uint32_t asking;
  const char *refusal; /* why some are refused, static; NULL: none is, as far as is known */
  uv_timer_t probe;
  unsigned open_parts;
  void (*stopped)(void *arg);
  void *stopped_arg;
};

/* ---- entries -------------------------------------------------------------- */

static void ring_init(ring *r) {
  r->prev = r->next = r;
}

static void ring_remove(ring *r) {
  r->prev->next = r->next;
  r->next->prev = r->prev;
  ring_init(r);
}

static void ring_append(ring *list, ring *r) {
  r->prev = list->prev;
  r->next = list;
  r->prev->next = r->next->prev = r;
}

static bool is_empty(const ring *list) {
  return list->next == list;
}

/* Moves everything to the end of another list at once. */
static void ring_splice(ring *from, ring *to) {
  if (is_empty(from)) return;
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  ring_init(from);
}

static entry *entry_of(ring *place) {
  return (entry *)(void *)((char *)place - offsetof(entry, place));
}

static au_slice entry_id(const entry *e) {
  return (au_slice){e->id, e->id_len};
}

static bool entry_eq(const map_node *node, const void *key) {
  return slice_eq(entry_id((const entry *)node), *(const au_slice *)key);
}

static uint32_t hash_of(const redis_watch *w, au_slice id) {
  return map_hash(w->entries, id.ptr, id.len, 0);
}

static entry *find(const redis_watch *w, au_slice id) {
  return (entry *)map_find(w->entries, hash_of(w, id), entry_eq, &id);
}

static entry *entry_create(redis_watch *w, au_slice id) {
  entry *e = calloc(1, sizeof *e + id.len);
  if (!e) return NULL;
  e->watch = w;
  e->id_len = (uint8_t)id.len;
  memcpy(e->id, id.ptr, id.len);
  ring_init(&e->place);
  ring_append(&w->all, &e->listed);
  map_insert(w->entries, &e->node, hash_of(w, id));
  return e;
}

static void entry_free(redis_watch *w, entry *e) {
  ring_remove(&e->place);
  ring_remove(&e->listed);
  map_remove(w->entries, &e->node);
  free(e);
}

static bool is_subscribed(const entry *e) {
  return e->heard_on == e->watch->link_number;
}

/* Puts an entry where it belongs; frees it when nobody wants it and Redis knows. */
static void place(redis_watch *w, entry *e) {
  ring_remove(&e->place);
  if (e->asking) return;
  if (!e->wanted && !is_subscribed(e))
    entry_free(w, e);
  else
    ring_append(e->wanted == is_subscribed(e) ? &w->settled : &w->todo, &e->place);
}

/* ---- subscribing ---------------------------------------------------------- */

static void pump(redis_watch *w);

static bool confirms(const redisReply *reply, bool subscribed) {
  return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
         slice_eq(redis_reply_text(reply->element[0]),
                  slice_of(subscribed ? "subscribe" : "unsubscribe"));
}

/* Logged once, until everybody who is wanted is heard. */
static void refused(redis_watch *w, const redisReply *reply) {
  const char *reason = redis_reply_refusal(reply).reason;
  w->config.counters->store_errors++;
  if (!w->refusal) log_warn("redis", "subscription refused", LOG_STR("reason", reason));
  w->refusal = reason;
}

static void end_refusal(redis_watch *w) {
  bool settled = w->asking == 0 && is_empty(&w->todo) && is_empty(&w->refused);
  if (!w->refusal || !settled) return;
  w->refusal = NULL;
  log_info("redis", "subscriptions accepted again", LOG_NONE);
}

static void on_answer(au_status status, const redisReply *reply, void *arg) {
  entry *e = arg;
  redis_watch *w = e->watch;
  e->asking = false;
  w->asking--;
  if (status != AU_OK) { /* the link is lost: on_lost follows, or the end */
    e->heard_on = 0;
    place(w, e);
    return;
  }
  if (confirms(reply, e->asked_for)) {
    e->heard_on = e->asked_for ? w->link_number : 0;
    place(w, e);
  } else {
    refused(w, reply);
    e->heard_on = 0;
    if (e->wanted)
      ring_append(&w->refused, &e->place);
    else
      place(w, e);
  }
  pump(w);
  end_refusal(w);
}

static bool ask(redis_watch *w, entry *e) {
  redis_key key;
  const au_slice args[] = {slice_of(e->wanted ? "SUBSCRIBE" : "UNSUBSCRIBE"),
                           redis_key_channel(&key, entry_id(e))};
  if (redis_link_command(w->link, args, 2, on_answer, e) != AU_OK) return false;
  e->asking = true;
  e->asked_for = e->wanted;
  w->asking++;
  return true;
}

static entry *take_first(ring *list) {
  ring *first = list->next;
  if (first == list) return NULL;
  list->next = first->next;
  list->next->prev = list;
  ring_init(first);
  return entry_of(first);
}

/* Asks for what is left to do, in bounded portions. */
static void pump(redis_watch *w) {
  while (w->asking < REDIS_WATCH_IN_FLIGHT) {
    entry *e = take_first(&w->todo);
    if (!e) return;
    if (e->wanted == is_subscribed(e)) { /* so since the link before this one was lost */
      place(w, e);
    } else if (!ask(w, e)) { /* the next answer or link goes on */
      ring_append(&w->todo, &e->place);
      return;
    }
  }
}

void redis_watch_set(redis_watch *w, au_slice customer_id, bool on) {
  entry *e = find(w, customer_id);
  if (!e) {
    if (!on) return;
    e = entry_create(w, customer_id);
    if (!e) {
      log_error("redis", "a customer is not listened to: out of memory", LOG_NONE);
      return;
    }
  }
  if (e->wanted == on) return;
  e->wanted = on;
  place(w, e);
  if (redis_link_is_ready(w->link)) pump(w);
}

void redis_watch_each(redis_watch *w, void (*fn)(void *arg, redis_watch *w, au_slice customer_id),
                      void *arg) {
  for (ring *r = w->all.next, *next; r != &w->all; r = next) {
    next = r->next;
    entry *e = (entry *)(void *)((char *)r - offsetof(entry, listed));
    if (e->wanted) fn(arg, w, entry_id(e));
  }
}

bool redis_watch_is_deaf(const redis_watch *w, au_slice customer_id) {
  const entry *e = find(w, customer_id);
  return e && e->wanted && !is_subscribed(e);
}

const char *redis_watch_reason(const redis_watch *w) {
  if (!redis_link_is_ready(w->link)) return redis_link_reason(w->link);
  return w->refusal ? w->refusal : "";
}

/* ---- what the link tells -------------------------------------------------- */

static void on_ready(void *arg) {
  pump(arg);
}

/* A new link begins with no subscription: everything that is still wanted is to do. */
static void on_lost(void *arg) {
  redis_watch *w = arg;
  w->link_number++;
  ring_splice(&w->settled, &w->todo);
  ring_splice(&w->refused, &w->todo);
}

/* Anybody who may publish there can write there: what is not a message of this customer
 * is ignored. */
static void on_message(void *arg, au_slice channel, au_slice payload) {
  redis_watch *w = arg;
  au_slice customer_id;
  char id[AU_ID_MAX];
  au_metrics metrics;
  if (!redis_key_is_channel(channel, &customer_id)) return;
  const entry *e = find(w, customer_id);
  if (!e || !e->wanted) return;
  if (wire_parse_metrics(payload, id, &metrics) != AU_OK ||
      !slice_eq(metrics.customer_id, customer_id)) {
    log_debug("redis", "message ignored", LOG_SLICE("channel", channel));
    return;
  }
  w->config.events->published(w->config.events->arg, &metrics);
}

/* A link that only listens would not notice that the other end is gone; the deadline of
 * this command does. */
static void on_probe(uv_timer_t *timer) {
  redis_watch *w = timer->data;
  const au_slice args[] = {slice_of("PING")};
  if (!redis_link_is_ready(w->link)) return;
  if (redis_link_command(w->link, args, 1, redis_link_ignore, NULL) != AU_OK)
    log_debug("redis", "probe not sent", LOG_NONE);
  ring_splice(&w->refused, &w->todo);
  pump(w);
  end_refusal(w);
}

/* ---- life ----------------------------------------------------------------- */

au_status redis_watch_create(const redis_watch_config *config, redis_watch **out) {
  redis_watch *w = calloc(1, sizeof *w);
  if (!w) return AU_ENOMEM;
  w->config = *config;
  w->link_number = 1;
  ring_init(&w->all);
  ring_init(&w->todo);
  ring_init(&w->settled);
  ring_init(&w->refused);
  const redis_link_config link = {
      .loop = config->loop,
      .url = config->url,
      .name = "active-users-pubsub",
      .seed = config->seed.k1,
      .command_timeout_ms = REDIS_COMMAND_TIMEOUT_MS,
      .max_in_flight = REDIS_WATCH_IN_FLIGHT + 8, /* the greeting and the probe */
      .ready = on_ready,
      .lost = on_lost,
      .message = on_message,
      .arg = w,
  };
  if (map_create(config->seed, &w->entries) != AU_OK ||
      redis_link_create(&link, &w->link) != AU_OK) {
    redis_watch_free(w);
    return AU_ENOMEM;
  }
  *out = w;
  return AU_OK;
}

void redis_watch_start(redis_watch *w) {
  uv_timer_init(w->config.loop, &w->probe);
  w->probe.data = w;
  uv_timer_start(&w->probe, on_probe, REDIS_WATCH_PROBE_MS, REDIS_WATCH_PROBE_MS);
  redis_link_start(w->link);
}

static void part_stopped(redis_watch *w) {
  if (--w->open_parts == 0) w->stopped(w->stopped_arg);
}

static void on_link_stopped(void *arg) {
  part_stopped(arg);
}

static void on_probe_closed(uv_handle_t *handle) {
  part_stopped(handle->data);
}

void redis_watch_stop(redis_watch *w, void (*stopped)(void *arg), void *arg) {
  w->stopped = stopped;
  w->stopped_arg = arg;
  w->open_parts = 2;
  redis_link_stop(w->link, on_link_stopped, w);
  uv_close((uv_handle_t *)&w->probe, on_probe_closed);
}

void redis_watch_free(redis_watch *w) {
  if (!w) return;
  for (map_node *node; w->entries && (node = map_any(w->entries)) != NULL;)
    entry_free(w, (entry *)node);
  map_free(w->entries);
  redis_link_free(w->link);
  free(w);
}
