/* Topics and their subscribers. Transports subscribe; this file calls only their `deliver`. */
#include "broadcast.h"

#include "utils/deadline.h"
#include "utils/id_map.h"
#include "utils/time.h"

#include <math.h>
#include <stdlib.h>

/* By the length of the gap. */
enum { GAP, GAP_OF_CROWD, GAP_OF_LARGE_CROWD, GAPS };

/* A ring of topics, oldest message first, and a queue of those being swept. */
typedef struct topic_link {
  struct topic_link *prev, *next;
} topic_link;

struct topic {
  map_node node;           /* first: the topic is an entry of an id_map */
  topic_link by_age;       /* in broadcast.active or .idle, always */
  topic_link waiting;      /* in broadcast.waiting, while a sweep is under way */
  subscriber *subscribers; /* any of the ring */
  subscriber *cursor;      /* the next one that the sweep visits */
  size_t count;            /* of subscribers */
  uint32_t latest_version; /* messages so far; the newest is `next`, or else the current one */
  uint32_t version;        /* of the current message among them */
  size_t unswept;          /* subscribers the current message has not reached */
  frame *message;          /* while a sweep is under way */
  deadline gap;            /* no message begins before */
  bool has_next;
  bool has_newcomers;   /* who subscribed since the last message began: they may know another */
  bool has_last;        /* there was one */
  au_metrics last;      /* what it said, without its id */
  au_metrics next;      /* the newest that came meanwhile, likewise; not printed yet */
  uint32_t sweep;       /* of the current message */
  int64_t began_us;     /* likewise, by clock_now_us */
  int64_t published_ms; /* when it was last published */
  bool waited_once;     /* it was published, or has been waited for */
  int64_t listed_ms;    /* of .idle: the round of broadcast_list_idle that listed it last */
};

struct broadcast {
  id_map topics;
  /* Sentinels. `active` has the topics that were published, the oldest first; `idle` those that
   * were not published for long, the one not listed for longest first. */
  topic_link active, idle, waiting;
  deadline_queue gaps[GAPS];
  broadcast_hooks hooks;
};

#define TOPIC_OF(link, member) ((topic *)(void *)((char *)(link)-offsetof(topic, member)))

static void link_init(topic_link *l) {
  l->prev = l->next = l;
}

static void link_append(topic_link *sentinel, topic_link *l) {
  l->prev = sentinel->prev;
  l->next = sentinel;
  l->prev->next = l->next->prev = l;
}

static void link_remove(topic_link *l) {
  l->prev->next = l->next;
  l->next->prev = l->prev;
  link_init(l);
}

au_status broadcast_create(map_seed seed, const broadcast_hooks *hooks, broadcast **out) {
  broadcast *b = calloc(1, sizeof *b);
  if (!b) return AU_ENOMEM;
  au_status status = id_map_init(&b->topics, seed, sizeof(topic));
  if (status != AU_OK) {
    free(b);
    return status;
  }
  link_init(&b->active);
  link_init(&b->idle);
  link_init(&b->waiting);
  b->hooks = *hooks;
  deadline_queue_init(&b->gaps[GAP], hooks->gap_ms);
  deadline_queue_init(&b->gaps[GAP_OF_CROWD], hooks->gap_ms * BROADCAST_CROWD_GAPS);
  deadline_queue_init(&b->gaps[GAP_OF_LARGE_CROWD], hooks->gap_ms * BROADCAST_LARGE_CROWD_GAPS);
  *out = b;
  return AU_OK;
}

void broadcast_free(broadcast *b) {
  if (!b) return;
  id_map_free(&b->topics);
  free(b);
}

static bool is_crowd(const topic *t) {
  return t->count >= BROADCAST_CROWD;
}

/* Whether who comes is told what the last message said, so that nobody knows another. */
static bool knows_newest(const topic *t) {
  return is_crowd(t) && t->has_last;
}

static au_status topic_create(broadcast *b, au_slice customer_id, topic **out) {
  topic *t = id_map_add(&b->topics, customer_id);
  if (!t) return AU_ENOMEM;
  au_status status = b->hooks.subscribe(b->hooks.arg, id_map_id(t), true);
  if (status != AU_OK) {
    id_map_drop(&b->topics, t);
    return status;
  }
  link_init(&t->waiting);
  /* First among the idle: its subscribers have got nothing yet. */
  t->listed_ms = INT64_MIN;
  link_append(b->idle.next, &t->by_age);
  *out = t;
  return AU_OK;
}

static void topic_end_sweep(topic *t) {
  link_remove(&t->waiting);
  frame_unref(t->message);
  t->message = NULL;
  t->unswept = 0;
}

static void topic_free(broadcast *b, topic *t) {
  (void)b->hooks.subscribe(b->hooks.arg, id_map_id(t), false);
  topic_end_sweep(t);
  deadline_cancel(&t->gap);
  link_remove(&t->by_age);
  id_map_drop(&b->topics, t);
}

au_status broadcast_subscribe(broadcast *b, au_slice customer_id, subscriber *s) {
  topic *t = id_map_find(&b->topics, customer_id);
  au_status status = t ? AU_OK : topic_create(b, customer_id, &t);
  if (status != AU_OK) return status;

  s->topic = t;
  s->has_delivery = false;
  s->delivered_version = t->version;
  s->sweep = t->sweep; /* a sweep under way passes it by */
  if (!t->subscribers) {
    s->prev = s->next = s;
    t->subscribers = t->cursor = s;
  } else {
    s->next = t->subscribers;
    s->prev = s->next->prev;
    s->prev->next = s->next->prev = s;
  }
  t->count++;
  if (!knows_newest(t)) t->has_newcomers = true;
  return AU_OK;
}

bool broadcast_newest(subscriber *s, au_metrics *out) {
  topic *t = s->topic;
  if (!knows_newest(t)) return false;
  *out = t->has_next ? t->next : t->last;
  out->customer_id = id_map_id(t);
  broadcast_skip_to_latest(s);
  return true;
}

void broadcast_skip_to_latest(subscriber *s) {
  s->delivered_version = s->topic->latest_version;
}

bool broadcast_has_delivered(const subscriber *s) {
  return s->has_delivery;
}

au_slice broadcast_customer(const subscriber *s) {
  return id_map_id(s->topic);
}

void broadcast_unsubscribe(broadcast *b, subscriber *s) {
  topic *t = s->topic;
  if (!t) return;
  s->topic = NULL;
  if (t->message && s->sweep != t->sweep && --t->unswept == 0) topic_end_sweep(t);
  if (--t->count == 0) {
    topic_free(b, t);
    return;
  }
  if (t->cursor == s) t->cursor = s->next;
  if (t->subscribers == s) t->subscribers = s->next;
  s->prev->next = s->next;
  s->next->prev = s->prev;
}

/* A few are told every tick; for a crowd only what would be seen to change is worth it. */
static bool is_seen_already(const topic *t, const au_metrics *metrics) {
  return is_crowd(t) && t->has_last && !t->has_newcomers && metrics->count == t->last.count &&
         metrics->bots == t->last.bots && llround(metrics->ema) == llround(t->last.ema) &&
         metrics->stale == t->last.stale;
}

static deadline_queue *gap_of(broadcast *b, const topic *t) {
  if (t->count >= BROADCAST_LARGE_CROWD) return &b->gaps[GAP_OF_LARGE_CROWD];
  return &b->gaps[is_crowd(t) ? GAP_OF_CROWD : GAP];
}

/* Takes over the message, which says what `metrics` does. */
static void topic_begin(broadcast *b, topic *t, frame *message, const au_metrics *metrics,
                        int64_t now_ms) {
  t->last = *metrics;
  t->has_last = true;
  t->has_newcomers = false;
  bool sweeping = t->message != NULL;
  frame_unref(t->message);
  t->message = message;
  t->sweep++;
  t->version = t->latest_version;
  t->unswept = t->count;
  t->began_us = b->hooks.durations ? clock_now_us() : 0;
  if (b->hooks.gap_ms > 0) deadline_arm(gap_of(b, t), &t->gap, now_ms);
  if (!sweeping) link_append(&b->waiting, &t->waiting);
}

/* False without memory. A message that waits is printed when it begins: a flood costs no more
 * than keeping the newest. */
static bool topic_send(broadcast *b, topic *t, const au_metrics *metrics, int64_t now_ms) {
  if (deadline_armed(&t->gap) && t->gap.at_ms > now_ms) {
    t->next = *metrics;
    t->has_next = true;
    t->latest_version++;
  } else if (is_seen_already(t, metrics)) {
    return true;
  } else {
    frame *message = b->hooks.print(metrics);
    if (!message) return false;
    t->latest_version++;
    t->has_next = false; /* its time has come, and this one is newer */
    topic_begin(b, t, message, metrics, now_ms);
  }
  b->hooks.wake(b->hooks.arg);
  return true;
}

void broadcast_publish(broadcast *b, const au_metrics *metrics, int64_t now_ms) {
  topic *t = id_map_find(&b->topics, metrics->customer_id);
  if (!t || !topic_send(b, t, metrics, now_ms)) return;
  t->published_ms = now_ms;
  t->waited_once = true;
  link_remove(&t->by_age);
  link_append(&b->active, &t->by_age);
}

void broadcast_publish_local(broadcast *b, const au_metrics *metrics, int64_t now_ms) {
  topic *t = id_map_find(&b->topics, metrics->customer_id);
  if (t) (void)topic_send(b, t, metrics, now_ms);
}

static void end_gap(broadcast *b, topic *t, int64_t now_ms) {
  if (!t->has_next) return;
  t->has_next = false;
  if (is_seen_already(t, &t->next)) return;
  t->next.customer_id = id_map_id(t);
  frame *message = b->hooks.print(&t->next);
  if (!message) return;
  topic_begin(b, t, message, &t->next, now_ms);
  b->hooks.wake(b->hooks.arg);
}

int64_t broadcast_pace(broadcast *b, int64_t now_ms, size_t max) {
  int64_t next_ms = -1;
  for (int i = 0; i < GAPS; i++) {
    deadline_queue *gaps = &b->gaps[i];
    for (deadline *d; max > 0 && (d = deadline_expire(gaps, now_ms)) != NULL; max--)
      end_gap(b, (topic *)(void *)((char *)d - offsetof(topic, gap)), now_ms);
  }
  for (int i = 0; i < GAPS; i++) {
    int64_t first_ms = deadline_next_ms(&b->gaps[i]);
    if (first_ms >= 0 && (next_ms < 0 || first_ms < next_ms)) next_ms = first_ms;
  }
  return next_ms < 0 ? -1 : next_ms > now_ms ? next_ms - now_ms : 0;
}

/* Topics take turns, so that a large one does not keep the others waiting. */
bool broadcast_run(broadcast *b, size_t max) {
  while (max > 0 && b->waiting.next != &b->waiting) {
    topic *t = TOPIC_OF(b->waiting.next, waiting);
    subscriber *s = t->cursor;
    t->cursor = s->next;
    if (s->sweep == t->sweep) continue; /* joined during the sweep */
    s->sweep = t->sweep;
    bool is_news = (int32_t)(t->version - s->delivered_version) > 0;
    frame *message = frame_ref(t->message);
    if (--t->unswept == 0) {
      if (b->hooks.durations)
        stats_observe(b->hooks.durations, (uint64_t)(clock_now_us() - t->began_us));
      topic_end_sweep(t);
    }
    max--;
    s->has_delivery = s->has_delivery || is_news;
    if (is_news) s->deliver(s, message); /* last: it may unsubscribe, which may free the topic */
    frame_unref(message);
  }
  if (b->waiting.next == &b->waiting) return false;
  topic_link *first = b->waiting.next;
  link_remove(first);
  link_append(&b->waiting, first);
  return true;
}

size_t broadcast_list_idle(broadcast *b, int64_t before_ms, int64_t round_ms, au_slice *ids,
                           size_t max) {
  topic_link *last = &b->idle; /* of those that became idle now */
  for (size_t moved = 0; moved < max && b->active.next != &b->active; moved++) {
    topic *t = TOPIC_OF(b->active.next, by_age);
    if (t->published_ms >= before_ms) break;
    t->listed_ms = INT64_MIN;
    link_remove(&t->by_age);
    link_append(last->next, &t->by_age);
    last = &t->by_age;
  }
  size_t n = 0;
  while (n < max && b->idle.next != &b->idle) {
    topic *t = TOPIC_OF(b->idle.next, by_age);
    if (t->listed_ms >= round_ms) break;
    t->listed_ms = round_ms;
    link_remove(&t->by_age);
    link_append(&b->idle, &t->by_age);
    ids[n++] = id_map_id(t);
  }
  return n;
}

bool broadcast_wait_once(broadcast *b, au_slice customer_id) {
  topic *t = id_map_find(&b->topics, customer_id);
  if (!t || t->waited_once) return false;
  t->waited_once = true;
  return true;
}
