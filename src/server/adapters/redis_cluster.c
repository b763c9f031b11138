/* Follows the map of a Cluster. Must not know keys' names (but their slots), nor what is sent
 * to the nodes. */
#include "redis_cluster.h"

#include "../utils/buffer.h"
#include "../utils/log.h"
#include "redis_members.h"
#include "redis_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_SIZE = 128 };

static const char waiting[] = "waiting for the cluster's map";
static const char no_slots[] = "the cluster serves no slots yet";
static const char no_cluster[] = "this redis is no cluster: use redis://";
static const char bad_map[] = "the cluster's map cannot be read";
static const char uncovered[] = "some slots of the cluster are served by nobody";

struct redis_cluster {
  redis_store *store;
  redis_members *nodes;         /* begins, keeps and ends the members */
  redis_member *const *members; /* in their places; NULL: a free one */
  uint8_t owner[REDIS_SLOTS];   /* of each slot: a place, or REDIS_NOBODY */
  redis_node *nowhere;          /* serves what nobody serves; never started */

  uv_timer_t hand_over; /* active: what nodes are owed is being handed over */
  bool moved;           /* slots have, and nothing was handed over since */

  uv_timer_t timer;
  bool known;           /* a map was read */
  bool again;           /* somebody wants another look while one is under way */
  const char *trouble;  /* why there is no map, static; NULL: no reason is known */
  redis_member *asked;  /* for the map; NULL: nobody is being asked */
  size_t turn;          /* whom to ask next */
  int64_t looked_ms;    /* when the last look began, monotonic */
  redis_topology found; /* by it */
  char reason[REASON_SIZE];

  bool stopping;
  unsigned open_parts;
  void (*stopped)(void *arg);
  void *stopped_arg;
};

static int64_t now_ms(const redis_cluster *c) {
  return redis_store_mono_ms(c->store);
}

/* ---- the map ---------------------------------------------------------------- */

static redis_node *node_at(const redis_cluster *c, uint8_t place) {
  return place == REDIS_NOBODY ? c->nowhere : c->members[place]->node;
}

redis_node *redis_cluster_node(const redis_cluster *c, uint16_t slot) {
  return node_at(c, c->owner[slot]);
}

/* Of a node that is lost nobody knows what it has passed on; of none, what was owed is all. */
static bool may_lack_something(const redis_cluster *c, uint8_t place) {
  return place == REDIS_NOBODY ? redis_debts_any(c->nowhere->debts)
                               : !redis_node_is_whole(node_at(c, place));
}

static void give_slot(redis_cluster *c, uint16_t slot, uint8_t place) {
  uint8_t before = c->owner[slot];
  if (before == place) return;
  if (place != REDIS_NOBODY && may_lack_something(c, before)) c->members[place]->inherits = true;
  c->moved = true;
  if (before != REDIS_NOBODY) c->members[before]->slots--;
  if (place != REDIS_NOBODY) c->members[place]->slots++;
  c->owner[slot] = place;
}

/* Customers are listened to where they are served: messages are heard at every node, but a
 * node that is lost or ended carries none. */
static void move_watch(void *arg, redis_watch *watch, au_slice customer_id) {
  redis_watch *to = redis_store_node(arg, customer_id)->watch;
  if (to == watch) return;
  redis_watch_set(to, customer_id, true);
  redis_watch_set(watch, customer_id, false);
}

static void move_watches(redis_cluster *c) {
  redis_watch_each(c->nowhere->watch, move_watch, c->store);
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (c->members[i]) redis_watch_each(c->members[i]->node->watch, move_watch, c->store);
}

/* Until all is handed over they lack something; and then they are told all of it. */
static void tell_heirs(redis_cluster *c, bool all_is_here) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    redis_member *m = c->members[i];
    if (!m || !m->inherits) continue;
    redis_replay_all(m->node->replay, false);
    if (!all_is_here) continue;
    m->inherits = false;
    if (redis_node_serves(m->node)) redis_replay_begin(m->node->replay);
  }
}

/* Debts are handed over in portions: there may be a million. */
static void on_hand_over(uv_timer_t *timer) {
  redis_cluster *c = timer->data;
  size_t max = REDIS_CLUSTER_HAND_OVER_MAX;
  bool more = redis_debts_hand_over(c->nowhere->debts, &max);
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (c->members[i]) more = redis_debts_hand_over(c->members[i]->node->debts, &max) || more;
  if (more)
    uv_timer_start(&c->hand_over, on_hand_over, 0, 0);
  else
    tell_heirs(c, true);
}

/* What a node was not told while it was lost, and what it may have lost, its successor is
 * told. */
static void hand_debts_over(redis_cluster *c) {
  if (!c->moved) return;
  c->moved = false;
  redis_debts_begin_hand_over(c->nowhere->debts);
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (c->members[i]) redis_debts_begin_hand_over(c->members[i]->node->debts);
  tell_heirs(c, false);
  uv_timer_start(&c->hand_over, on_hand_over, 0, 0);
}

static void end_idle(redis_cluster *c) {
  if (uv_is_active((const uv_handle_t *)&c->hand_over)) return; /* they may be owed something */
  redis_members_end_idle(c->nodes);
}

/* A node whose link was ready before it had slots: its data has no name yet. */
static void look_at_newcomers(redis_cluster *c) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    redis_member *m = c->members[i];
    if (m && m->slots > 0 && !m->node->identity.is_known && redis_link_is_ready(m->node->link))
      redis_identity_look(m->node);
  }
}

static void take_map(redis_cluster *c) {
  uint8_t place[REDIS_NODES_MAX];
  for (size_t i = 0; i < c->found.count; i++)
    place[i] = redis_members_place(c->nodes, &c->found.masters[i]);
  for (size_t slot = 0; slot < REDIS_SLOTS; slot++) {
    uint8_t owner = c->found.owner[slot];
    give_slot(c, (uint16_t)slot, owner == REDIS_NOBODY ? REDIS_NOBODY : place[owner]);
  }
  if (!c->known) log_info("redis", "cluster's map", LOG_INT("nodes", c->found.count));
  c->known = true;
  c->trouble = NULL;
  move_watches(c);
  hand_debts_over(c);
  look_at_newcomers(c);
  end_idle(c);
}

/* ---- looking ---------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void look_in(redis_cluster *c, int64_t delay_ms) {
  uv_timer_start(&c->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

void redis_cluster_look(redis_cluster *c) {
  if (c->stopping) return;
  c->again = c->asked != NULL;
  if (!c->again) look_in(c, c->looked_ms + REDIS_CLUSTER_LOOK_MIN_MS - now_ms(c));
}

static bool is_lost(const redis_member *m) {
  return m && m->slots > 0 && !redis_link_is_ready(m->node->link);
}

static int64_t next_look_ms(const redis_cluster *c) {
  if (!c->known) return REDIS_CLUSTER_LOST_MS;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (is_lost(c->members[i]) || redis_members_is_idle(c->members[i]))
      return REDIS_CLUSTER_LOST_MS;
  return REDIS_CLUSTER_INTERVAL_MS;
}

/* Said once for each kind of trouble. */
static void complain(redis_cluster *c, const char *trouble) {
  c->store->counters->store_errors++;
  if (c->trouble != trouble) log_warn("redis", "no map", LOG_STR("reason", trouble));
  c->trouble = trouble;
}

static const char *trouble_of(const redisReply *reply) {
  static const char disabled[] = "ERR This instance has cluster support disabled";
  if (redis_reply_is_error_code(reply, disabled)) return no_cluster;
  return redis_reply_is_error(reply) ? redis_reply_refusal(reply).reason : bad_map;
}

static void on_slots(au_status status, const redisReply *reply, void *arg) {
  redis_cluster *c = arg;
  const redis_member *asked = c->asked;
  c->asked = NULL;
  asked->node->held--;
  if (c->stopping) return;
  if (status == AU_OK && !redis_topology_read(reply, &asked->at, &c->found))
    complain(c, trouble_of(reply));
  else if (status == AU_OK && c->found.count == 0)
    complain(c, no_slots);
  else if (status == AU_OK)
    take_map(c);
  if (c->again || status != AU_OK)
    redis_cluster_look(c);
  else
    look_in(c, next_look_ms(c));
}

/* The next node whose link is up; NULL when there is none. */
static redis_member *next_to_ask(redis_cluster *c) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    redis_member *m = c->members[c->turn++ % REDIS_NODES_MAX];
    if (m && redis_link_is_ready(m->node->link)) return m;
  }
  return NULL;
}

/* When no node can be asked, the hosts of the URL may know others: a node's `ready` looks
 * again, and so does the timer. */
static void on_timer(uv_timer_t *timer) {
  redis_cluster *c = timer->data;
  const au_slice args[] = {slice_of("CLUSTER"), slice_of("SLOTS")};
  end_idle(c);
  c->looked_ms = now_ms(c);
  c->again = false;
  redis_member *m = next_to_ask(c);
  if (!m) redis_members_seed(c->nodes);
  if (!m || redis_link_command(m->node->link, args, 2, on_slots, c) != AU_OK) {
    look_in(c, REDIS_CLUSTER_LOST_MS);
    return;
  }
  c->asked = m;
  m->node->held++;
}

redis_node *redis_cluster_follow(redis_cluster *c, const redis_node *from,
                                 const redis_redirect *redirect) {
  redis_endpoint at = redirect->to;
  for (size_t i = 0; at.host[0] == '\0' && i < REDIS_NODES_MAX; i++)
    if (c->members[i] && c->members[i]->node == from)
      memcpy(at.host, c->members[i]->at.host, sizeof at.host);
  uint8_t place = redis_members_place(c->nodes, &at);
  if (place == REDIS_NOBODY) return NULL;
  redis_members_keep(c->members[place]);
  if (!redirect->ask && c->owner[redirect->slot] != place) {
    give_slot(c, redirect->slot, place);
    redis_cluster_look(c); /* others will have moved as well */
  }
  return c->members[place]->node;
}

static bool serves_tag(const redis_cluster *c, const redis_node *n, const char *tag) {
  return tag[0] != '\0' && redis_cluster_node(c, redis_slot_of(slice_of(tag))) == n;
}

static bool has_slots(const redis_cluster *c, const redis_node *n) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (c->members[i] && c->members[i]->node == n) return c->members[i]->slots > 0;
  return false;
}

/* Of a node without slots no tag is looked for: 65,536 tries take 10 ms. */
bool redis_cluster_tag(const redis_cluster *c, const redis_node *n, char tag[REDIS_TAG_SIZE]) {
  if (!has_slots(c, n)) {
    tag[0] = '\0';
    return false;
  }
  for (uint32_t next = 0; !serves_tag(c, n, tag); next++) {
    if (next == 4 * REDIS_SLOTS) {
      tag[0] = '\0'; /* daemons begin alike, and find the same one later */
      return false;
    }
    snprintf(tag, REDIS_TAG_SIZE, "%u", next);
  }
  return true;
}

/* ---- health ------------------------------------------------------------------ */

size_t redis_cluster_nodes(const redis_cluster *c, redis_node *nodes[REDIS_NODES_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (c->members[i] && c->members[i]->slots > 0) nodes[n++] = c->members[i]->node;
  return n;
}

const char *redis_cluster_reason(redis_cluster *c) {
  if (c->stopping) return "stopping";
  if (!c->known) return c->trouble ? c->trouble : waiting;
  redis_node *nodes[REDIS_NODES_MAX];
  size_t count = redis_cluster_nodes(c, nodes), lost = 0;
  const char *why_lost = "", *why = "";
  uint32_t slots = 0;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (c->members[i]) slots += c->members[i]->slots;
  for (size_t i = 0; i < count; i++) {
    const char *reason = redis_node_reason(nodes[i]);
    if (reason[0] != '\0') why = reason;
    if (redis_node_serves(nodes[i])) continue;
    why_lost = reason;
    lost++;
  }
  if (lost == 0) return why[0] == '\0' && slots < REDIS_SLOTS ? uncovered : why;
  snprintf(c->reason, sizeof c->reason, "%zu of %zu nodes lost: %s", lost, count, why_lost);
  return c->reason;
}

/* ---- life -------------------------------------------------------------------- */

au_status redis_cluster_create(redis_store *s, redis_cluster **out) {
  redis_cluster *c = calloc(1, sizeof *c);
  if (!c) return AU_ENOMEM;
  c->store = s;
  memset(c->owner, REDIS_NOBODY, sizeof c->owner);
  au_status status = redis_node_create(s, &s->url, &c->nowhere);
  if (status == AU_OK) status = redis_members_create(s, &c->nodes);
  if (status != AU_OK) {
    redis_cluster_free(c);
    return status;
  }
  c->members = redis_members_places(c->nodes);
  *out = c;
  return AU_OK;
}

void redis_cluster_start(redis_cluster *c) {
  uv_timer_init(c->store->loop, &c->timer);
  uv_timer_init(c->store->loop, &c->hand_over);
  c->timer.data = c->hand_over.data = c;
  redis_members_seed(c->nodes);
  look_in(c, REDIS_CLUSTER_LOST_MS); /* the first node that is ready looks at once */
}

static void on_part_stopped(void *arg) {
  redis_cluster *c = arg;
  if (--c->open_parts == 0) c->stopped(c->stopped_arg); /* last: it may free the cluster */
}

static void on_timer_closed(uv_handle_t *handle) {
  on_part_stopped(handle->data);
}

void redis_cluster_stop(redis_cluster *c, void (*stopped)(void *arg), void *arg) {
  c->stopping = true;
  c->stopped = stopped;
  c->stopped_arg = arg;
  c->open_parts = 2 + (unsigned)redis_members_stop(c->nodes, on_part_stopped, c);
  uv_close((uv_handle_t *)&c->timer, on_timer_closed);
  uv_close((uv_handle_t *)&c->hand_over, on_timer_closed);
}

void redis_cluster_free(redis_cluster *c) {
  if (!c) return;
  redis_members_free(c->nodes);
  redis_node_free(c->nowhere);
  free(c);
}
