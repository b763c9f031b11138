/* Topics and their subscribers; must not know what transport delivers. */
#include "broadcast.h"

#include "../utils/buffer.h"
#include "../utils/deadline.h"

#include <stdlib.h>
#include <string.h>

/* A ring of topics, oldest message first, and a queue of those being swept. */
typedef struct topic_link {
  struct topic_link *prev, *next;
} topic_link;

struct topic {
  map_node node;
  topic_link by_age;       /* in broadcast.spoken or .silent, always */
  topic_link waiting;      /* in broadcast.waiting, while a sweep is under way */
  subscriber *subscribers; /* any of the ring */
  subscriber *cursor;      /* whom the sweep visits next */
  size_t count;            /* of subscribers */
  uint32_t printed;        /* messages so far; the newest is `next`, or else the current one */
  uint32_t serial;         /* of the current message among them */
  size_t unseen;           /* subscribers the current message has not reached */
  frame *message;          /* while a sweep is under way */
  deadline gap;            /* no message begins before */
  frame *next;             /* the newest that came meanwhile */
  double ema;              /* of the newest */
  uint32_t number;         /* of the current message */
  int64_t spoken_ms;       /* when it was last published */
  bool awaited;            /* it was published, or has been waited for */
  int64_t listed_ms;       /* of .silent: the round of broadcast_quiet that listed it last */
  uint8_t id_len;
  char id[];
};

struct broadcast {
  map *topics;
  /* Sentinels. `spoken` are those that were published, longest ago first; `silent` those that
   * were not for long, longest not listed first. */
  topic_link spoken, silent, waiting;
  deadline_queue gaps;
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
  au_status status = map_create(seed, &b->topics);
  if (status != AU_OK) {
    free(b);
    return status;
  }
  link_init(&b->spoken);
  link_init(&b->silent);
  link_init(&b->waiting);
  b->hooks = *hooks;
  deadline_queue_init(&b->gaps, hooks->gap_ms);
  *out = b;
  return AU_OK;
}

void broadcast_free(broadcast *b) {
  if (!b) return;
  map_free(b->topics);
  free(b);
}

static bool topic_eq(const map_node *node, const void *key) {
  const topic *t = (const topic *)node;
  return slice_eq((au_slice){t->id, t->id_len}, *(const au_slice *)key);
}

static topic *topic_find(const broadcast *b, au_slice customer_id, uint32_t hash) {
  return (topic *)map_find(b->topics, hash, topic_eq, &customer_id);
}

static topic *topic_create(broadcast *b, au_slice customer_id, uint32_t hash) {
  topic *t = calloc(1, sizeof *t + customer_id.len);
  if (!t) return NULL;
  t->id_len = (uint8_t)customer_id.len;
  memcpy(t->id, customer_id.ptr, customer_id.len);
  link_init(&t->waiting);
  /* First in line among the silent: its subscribers have heard nothing yet. */
  t->listed_ms = INT64_MIN;
  link_append(b->silent.next, &t->by_age);
  map_insert(b->topics, &t->node, hash);
  b->hooks.watch(b->hooks.arg, (au_slice){t->id, t->id_len}, true);
  return t;
}

static void topic_end_sweep(topic *t) {
  link_remove(&t->waiting);
  frame_unref(t->message);
  t->message = NULL;
  t->unseen = 0;
}

static void topic_free(broadcast *b, topic *t) {
  b->hooks.watch(b->hooks.arg, (au_slice){t->id, t->id_len}, false);
  topic_end_sweep(t);
  deadline_cancel(&t->gap);
  frame_unref(t->next);
  link_remove(&t->by_age);
  map_remove(b->topics, &t->node);
  free(t);
}

au_status broadcast_subscribe(broadcast *b, au_slice customer_id, subscriber *s) {
  uint32_t hash = map_hash(b->topics, customer_id.ptr, customer_id.len, 0);
  topic *t = topic_find(b, customer_id, hash);
  if (!t) t = topic_create(b, customer_id, hash);
  if (!t) return AU_ENOMEM;

  s->topic = t;
  s->heard = false;
  s->told = t->serial;
  s->seen = t->number; /* a sweep under way passes it by */
  if (!t->subscribers) {
    s->prev = s->next = s;
    t->subscribers = t->cursor = s;
  } else {
    s->next = t->subscribers;
    s->prev = s->next->prev;
    s->prev->next = s->next->prev = s;
  }
  t->count++;
  return AU_OK;
}

void broadcast_inform(subscriber *s) {
  s->told = s->topic->printed;
}

bool broadcast_heard(const subscriber *s) {
  return s->heard;
}

au_slice broadcast_customer(const subscriber *s) {
  return (au_slice){s->topic->id, s->topic->id_len};
}

void broadcast_unsubscribe(broadcast *b, subscriber *s) {
  topic *t = s->topic;
  if (!t) return;
  s->topic = NULL;
  if (t->message && s->seen != t->number && --t->unseen == 0) topic_end_sweep(t);
  if (--t->count == 0) {
    topic_free(b, t);
    return;
  }
  if (t->cursor == s) t->cursor = s->next;
  if (t->subscribers == s) t->subscribers = s->next;
  s->prev->next = s->next;
  s->next->prev = s->prev;
}

/* Takes over the message. */
static void topic_begin(broadcast *b, topic *t, frame *message, int64_t now_ms) {
  bool sweeping = t->message != NULL;
  frame_unref(t->message);
  t->message = message;
  t->number++;
  t->serial = t->printed;
  t->unseen = t->count;
  if (b->hooks.gap_ms > 0) deadline_arm(&b->gaps, &t->gap, now_ms);
  if (!sweeping) link_append(&b->waiting, &t->waiting);
}

static topic *topic_of(const broadcast *b, au_slice id) {
  return topic_find(b, id, map_hash(b->topics, id.ptr, id.len, 0));
}

/* False when there is no message. */
static bool topic_send(broadcast *b, topic *t, const au_metrics *metrics, int64_t now_ms) {
  frame *message = b->hooks.print(metrics);
  if (!message) return false;
  t->printed++;
  /* An average moves with a tick only, and ticks have a pace of their own. */
  bool is_change = metrics->ema == t->ema;
  t->ema = metrics->ema;
  frame_unref(t->next);
  t->next = NULL;
  if (is_change && deadline_armed(&t->gap))
    t->next = message;
  else
    topic_begin(b, t, message, now_ms);
  b->hooks.wake(b->hooks.arg);
  return true;
}

void broadcast_publish(broadcast *b, const au_metrics *metrics, int64_t now_ms) {
  topic *t = topic_of(b, metrics->customer_id);
  if (!t || !topic_send(b, t, metrics, now_ms)) return;
  t->spoken_ms = now_ms;
  t->awaited = true;
  link_remove(&t->by_age);
  link_append(&b->spoken, &t->by_age);
}

void broadcast_tell(broadcast *b, const au_metrics *metrics, int64_t now_ms) {
  topic *t = topic_of(b, metrics->customer_id);
  if (t) (void)topic_send(b, t, metrics, now_ms);
}

int64_t broadcast_pace(broadcast *b, int64_t now_ms) {
  for (deadline *d; (d = deadline_expire(&b->gaps, now_ms)) != NULL;) {
    topic *t = (topic *)(void *)((char *)d - offsetof(topic, gap));
    frame *message = t->next;
    t->next = NULL;
    if (!message) continue;
    topic_begin(b, t, message, now_ms);
    b->hooks.wake(b->hooks.arg);
  }
  int64_t next_ms = deadline_next_ms(&b->gaps);
  return next_ms < 0 ? -1 : next_ms > now_ms ? next_ms - now_ms : 0;
}

/* Topics take turns, so that a large one does not keep the others waiting. */
bool broadcast_run(broadcast *b, size_t max) {
  while (max > 0 && b->waiting.next != &b->waiting) {
    topic *t = TOPIC_OF(b->waiting.next, waiting);
    subscriber *s = t->cursor;
    t->cursor = s->next;
    if (s->seen == t->number) continue; /* joined during the sweep */
    s->seen = t->number;
    bool is_news = (int32_t)(t->serial - s->told) > 0;
    frame *message = frame_ref(t->message);
    if (--t->unseen == 0) topic_end_sweep(t);
    max--;
    s->heard = s->heard || is_news;
    if (is_news) s->deliver(s, message); /* last: it may unsubscribe, which may free the topic */
    frame_unref(message);
  }
  if (b->waiting.next == &b->waiting) return false;
  topic_link *first = b->waiting.next;
  link_remove(first);
  link_append(&b->waiting, first);
  return true;
}

size_t broadcast_quiet(broadcast *b, int64_t before_ms, int64_t round_ms, au_slice *ids,
                       size_t max) {
  topic_link *last = &b->silent; /* of those that fell silent now */
  while (b->spoken.next != &b->spoken) {
    topic *t = TOPIC_OF(b->spoken.next, by_age);
    if (t->spoken_ms >= before_ms) break;
    t->listed_ms = INT64_MIN;
    link_remove(&t->by_age);
    link_append(last->next, &t->by_age);
    last = &t->by_age;
  }
  size_t n = 0;
  while (n < max && b->silent.next != &b->silent) {
    topic *t = TOPIC_OF(b->silent.next, by_age);
    if (t->listed_ms >= round_ms) break;
    t->listed_ms = round_ms;
    link_remove(&t->by_age);
    link_append(&b->silent, &t->by_age);
    ids[n++] = (au_slice){t->id, t->id_len};
  }
  return n;
}

bool broadcast_await(broadcast *b, au_slice customer_id) {
  topic *t = topic_of(b, customer_id);
  if (!t || t->awaited) return false;
  t->awaited = true;
  return true;
}
