/* Keeps the subscriptions as they are wanted, whatever the link does and wherever it leads. */
#include "pubsub.h"

#include "adapters/redis/link/link.h"
#include "adapters/redis/protocol/keys.h"
#include "adapters/redis/protocol/reply.h"
#include "utils/buffer.h"
#include "utils/id_map.h"
#include "utils/join_stop.h"
#include "utils/log.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

/* The entry of the daemons' channel has an empty id, which no customer has.
 *
 * An entry is in one of three rings at any time, or in none while it is being asked for. */
typedef struct ring {
  struct ring *prev, *next;
} ring;

typedef struct entry {
  map_node node; /* first: the entry is of an id_map */
  ring place;
  redis_pubsub *pubsub;
  uint64_t confirmed_on; /* number of the link on which it was confirmed; 0: on none */
  uint64_t subscription; /* number of that confirmation */
  bool wanted;
  bool asking;    /* a command for it is in flight */
  bool asked_for; /* what that command asks for */
} entry;

/* One link to the server that was chosen. After another choice it lives until it has stopped. */
typedef struct connection {
  redis_pubsub *pubsub;
  redis_link *link;
  redis_url url;
} connection;

struct redis_pubsub {
  redis_pubsub_config config;
  connection *at; /* NULL: nowhere */
  id_map entries;
  uint64_t link_number; /* counts links, so that the loss of one unsubscribes all at once */
  uint64_t confirmed;   /* subscriptions so far */
  ring todo;            /* wanted and not subscribed, or the other way round */
  ring settled;         /* as wanted, until that changes or the link is lost */
  ring refused;         /* asked for again with the next probe or link */
  uint32_t asking;
  const char *refusal; /* why some are refused, static; NULL: none is, as far as is known */
  uv_timer_t probe;
  bool stopping;
  join_stop stop; /* links, also those that end before it, and the timer */
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

static entry *entry_create(redis_pubsub *p, au_slice id) {
  entry *e = id_map_add(&p->entries, id);
  if (!e) return NULL;
  e->pubsub = p;
  ring_init(&e->place);
  return e;
}

static bool is_subscribed(const entry *e) {
  return e->confirmed_on == e->pubsub->link_number;
}

/* Puts an entry where it belongs; frees it when nobody wants it and Redis knows. */
static void place(redis_pubsub *p, entry *e) {
  ring_remove(&e->place);
  if (e->asking) return;
  if (!e->wanted && !is_subscribed(e))
    id_map_drop(&p->entries, e);
  else
    ring_append(e->wanted == is_subscribed(e) ? &p->settled : &p->todo, &e->place);
}

/* ---- subscribing ---------------------------------------------------------- */

static void pump(redis_pubsub *p);

static bool is_ready(const redis_pubsub *p) {
  return p->at && redis_link_is_ready(p->at->link);
}

static bool confirms(const redisReply *reply, bool subscribed) {
  return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
         slice_eq(redis_reply_text(reply->element[0]),
                  slice_of(subscribed ? "subscribe" : "unsubscribe"));
}

/* Logged once, until every wanted customer is subscribed. */
static void refused(redis_pubsub *p, const redisReply *reply) {
  const char *reason = redis_reply_refusal(reply).reason;
  p->config.counters->store_errors++;
  if (!p->refusal && p->at) {
    const redis_endpoint *at = redis_link_endpoint(p->at->link);
    log_warn("redis", "subscription refused", LOG_STR("host", at->host), LOG_INT("port", at->port),
             LOG_STR("reason", reason));
  }
  p->refusal = reason;
}

static void end_refusal(redis_pubsub *p) {
  bool settled = p->asking == 0 && is_empty(&p->todo) && is_empty(&p->refused);
  if (!p->refusal || !settled) return;
  p->refusal = NULL;
  log_info("redis", "subscriptions accepted again", LOG_NONE);
}

static void on_answer(au_status status, const redisReply *reply, void *arg) {
  entry *e = arg;
  redis_pubsub *p = e->pubsub;
  e->asking = false;
  p->asking--;
  if (status != AU_OK) { /* the link is lost, or another one was chosen */
    e->confirmed_on = 0;
    place(p, e);
    if (is_ready(p)) pump(p);
    return;
  }
  if (confirms(reply, e->asked_for)) {
    e->confirmed_on = e->asked_for ? p->link_number : 0;
    e->subscription = ++p->confirmed;
    place(p, e);
  } else {
    refused(p, reply);
    e->confirmed_on = 0;
    if (e->wanted)
      ring_append(&p->refused, &e->place);
    else
      place(p, e);
  }
  pump(p);
  end_refusal(p);
}

static bool ask(redis_pubsub *p, entry *e) {
  redis_key key;
  au_slice channel = id_map_id(e).len == 0 ? slice_of(REDIS_CHANNEL_DAEMONS)
                                           : redis_key_channel(&key, id_map_id(e));
  const au_slice args[] = {slice_of(e->wanted ? "SUBSCRIBE" : "UNSUBSCRIBE"), channel};
  if (redis_link_command(p->at->link, args, 2, on_answer, e) != AU_OK) return false;
  e->asking = true;
  e->asked_for = e->wanted;
  p->asking++;
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
static void pump(redis_pubsub *p) {
  while (p->asking < REDIS_PUBSUB_IN_FLIGHT) {
    entry *e = take_first(&p->todo);
    if (!e) return;
    if (e->wanted == is_subscribed(e)) { /* so since the link before this one was lost */
      place(p, e);
    } else if (!ask(p, e)) { /* the next answer or link goes on */
      ring_append(&p->todo, &e->place);
      return;
    }
  }
}

au_status redis_pubsub_set(redis_pubsub *p, au_slice customer_id, bool on) {
  entry *e = id_map_find(&p->entries, customer_id);
  if (!e && !on) return AU_OK;
  if (!e) e = entry_create(p, customer_id);
  if (!e) return AU_ENOMEM;
  if (e->wanted == on) return AU_OK;
  e->wanted = on;
  place(p, e);
  if (is_ready(p)) pump(p);
  return AU_OK;
}

au_status redis_pubsub_hear(redis_pubsub *p) {
  return redis_pubsub_set(p, (au_slice){"", 0}, true);
}

uint64_t redis_pubsub_subscription(const redis_pubsub *p, au_slice customer_id) {
  const entry *e = id_map_find(&p->entries, customer_id);
  if (!e || !e->wanted) return REDIS_PUBSUB_UNWANTED;
  return is_subscribed(e) ? e->subscription : 0;
}

const char *redis_pubsub_reason(const redis_pubsub *p) {
  if (!p->at) return "waiting for a server to subscribe at";
  if (!is_ready(p)) return redis_link_reason(p->at->link);
  return p->refusal ? p->refusal : "";
}

/* ---- events of the link --------------------------------------------------- */

static void on_ready(void *arg) {
  const connection *at = arg;
  if (at == at->pubsub->at) pump(at->pubsub);
}

/* A new link begins with no subscription: everything that is still wanted is to do. */
static void unsubscribe_all(redis_pubsub *p) {
  p->link_number++;
  ring_splice(&p->settled, &p->todo);
  ring_splice(&p->refused, &p->todo);
}

static void on_lost(void *arg) {
  const connection *at = arg;
  redis_pubsub *p = at->pubsub;
  if (at != p->at) return;
  unsubscribe_all(p);
  redis_pubsub_choose(p);
}

/* Anybody who may publish there can write there: what is not a message of this customer
 * is ignored. */
static void on_message(void *arg, au_slice channel, au_slice payload) {
  const connection *at = arg;
  redis_pubsub *p = at->pubsub;
  au_slice customer_id;
  char id[AU_ID_MAX];
  au_metrics metrics;
  if (slice_eq(channel, slice_of(REDIS_CHANNEL_DAEMONS))) {
    p->config.told(p->config.arg, payload);
    return;
  }
  if (!redis_key_is_channel(channel, &customer_id)) return;
  const entry *e = id_map_find(&p->entries, customer_id);
  if (!e || !e->wanted) return;
  if (wire_parse_metrics(payload, id, &metrics) != AU_OK ||
      !slice_eq(metrics.customer_id, customer_id)) {
    p->config.counters->store_foreign++;
    log_debug("redis", "message ignored", LOG_SLICE("channel", channel));
    return;
  }
  p->config.published(p->config.arg, &metrics);
}

/* A link that only listens would not notice that the other end is gone; the deadline of
 * this command does. */
static void on_probe(uv_timer_t *timer) {
  redis_pubsub *p = timer->data;
  const au_slice args[] = {slice_of("PING")};
  if (!is_ready(p)) return;
  if (redis_link_command(p->at->link, args, 1, redis_ignore, NULL) != AU_OK)
    log_debug("redis", "probe not sent", LOG_NONE);
  ring_splice(&p->refused, &p->todo);
  pump(p);
  end_refusal(p);
}

/* ---- the link --------------------------------------------------------------- */

static void connection_free(connection *at) {
  redis_link_free(at->link);
  explicit_bzero(&at->url, sizeof at->url);
  free(at);
}

static void on_connection_stopped(void *arg) {
  connection *at = arg;
  redis_pubsub *p = at->pubsub;
  connection_free(at);
  join_stop_done(&p->stop);
}

/* NULL without memory. */
static connection *connection_create(redis_pubsub *p, const redis_url *url) {
  connection *at = calloc(1, sizeof *at);
  if (!at) return NULL;
  at->pubsub = p;
  at->url = *url;
  const redis_link_config link = {
      .loop = p->config.loop,
      .url = &at->url,
      .name = "active-users-pubsub",
      .seed = p->config.seed.k1,
      .command_timeout_ms = REDIS_COMMAND_TIMEOUT_MS,
      .max_in_flight = REDIS_PUBSUB_IN_FLIGHT + 8, /* the handshake and the probe */
      .ready = on_ready,
      .lost = on_lost,
      .lost_count = &p->config.counters->store_lost,
      .message = on_message,
      .arg = at,
  };
  if (redis_link_create(&link, &at->link) != AU_OK) {
    connection_free(at);
    return NULL;
  }
  redis_link_start(at->link);
  (void)join_stop_add(&p->stop);
  return at;
}

/* `url` may be that of the connection before it. */
static void connect_to(redis_pubsub *p, const redis_url *url) {
  connection *before = p->at;
  connection *next = connection_create(p, url);
  if (!next) { /* the one before goes on; the next change of the servers is another chance */
    log_error("redis", "no subscriptions at another server: out of memory", LOG_NONE);
    return;
  }
  p->at = next;
  if (!before) return;
  unsubscribe_all(p);
  redis_link_stop(before->link, on_connection_stopped, before);
}

static bool is_at(const redis_pubsub *p, const redis_url *url) {
  return p->at && redis_endpoint_eq(&url->hosts[0], &p->at->url.hosts[0]);
}

void redis_pubsub_choose(redis_pubsub *p) {
  if (p->stopping) return;
  const redis_url *url = p->config.choose(p->config.arg, p->at ? &p->at->url : NULL);
  if (url && !is_at(p, url)) connect_to(p, url);
}

void redis_pubsub_renew(redis_pubsub *p, const redis_url *at) {
  if (!p->stopping && is_at(p, at)) connect_to(p, &p->at->url);
}

/* ---- life ----------------------------------------------------------------- */

au_status redis_pubsub_create(const redis_pubsub_config *config, redis_pubsub **out) {
  redis_pubsub *p = calloc(1, sizeof *p);
  if (!p) return AU_ENOMEM;
  p->config = *config;
  p->link_number = 1;
  ring_init(&p->todo);
  ring_init(&p->settled);
  ring_init(&p->refused);
  au_status status = id_map_init(&p->entries, config->seed, sizeof(entry));
  if (status != AU_OK) {
    free(p);
    return status;
  }
  *out = p;
  return AU_OK;
}

void redis_pubsub_start(redis_pubsub *p) {
  uv_timer_init(p->config.loop, &p->probe);
  p->probe.data = p;
  uv_timer_start(&p->probe, on_probe, REDIS_PUBSUB_PROBE_MS, REDIS_PUBSUB_PROBE_MS);
  redis_pubsub_choose(p);
}

void redis_pubsub_stop(redis_pubsub *p, void (*stopped)(void *arg), void *arg) {
  p->stopping = true;
  join_stop_begin(&p->stop, stopped, arg);
  if (p->at) redis_link_stop(p->at->link, on_connection_stopped, p->at);
  join_stop_close(&p->stop, (uv_handle_t *)&p->probe);
  join_stop_done(&p->stop);
}

void redis_pubsub_free(redis_pubsub *p) {
  if (!p) return;
  id_map_free(&p->entries);
  free(p);
}
