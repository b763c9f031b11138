/* Two questions: INFO on a new link, and a key. Must not know what follows from a change. */
#include "redis_identity.h"

#include "../utils/log.h"
#include "redis_store.h"

#include <stdio.h>
#include <string.h>

static void ask_epoch(redis_node *n, redis_reply_fn cb) {
  redis_key key;
  n->identity.asking = redis_node_tag(n);
  if (!n->identity.asking) return;
  const au_slice args[] = {slice_of("GET"), redis_key_epoch(&key, n->tag)};
  if (redis_link_command(n->link, args, 2, cb, n) != AU_OK) n->identity.asking = false;
}

/* What there is no answer for counts as another Redis: too much is replayed then rather
 * than too little. */
static void conclude(redis_node *n, au_slice epoch) {
  redis_identity *id = &n->identity;
  if (epoch.len >= sizeof id->epoch) epoch.len = 0;
  bool same = id->was_known && !id->changed && slice_eq(epoch, slice_of(id->epoch));
  bool is_new = !id->is_known;
  id->asking = id->changed = false;
  id->is_known = id->was_known = true;
  if (epoch.len > 0) memcpy(id->epoch, epoch.ptr, epoch.len);
  id->epoch[epoch.len] = '\0';
  if (is_new || !same) redis_node_identified(n, same);
}

static void on_written_epoch(au_status status, const redisReply *reply, void *arg) {
  redis_node *n = arg;
  if (redis_node_is_elsewhere(n, status, reply))
    n->identity.asking = false;
  else if (status == AU_OK)
    conclude(n, redis_reply_text(reply));
}

static void on_epoch_set(au_status status, const redisReply *reply, void *arg) {
  if (redis_node_is_elsewhere(arg, status, reply)) return;
  (void)redis_node_check(arg, status, reply, REDIS_WANT_OK_OR_NIL);
}

/* NX: the first daemon that misses it names the data set. */
static void write_epoch(redis_node *n) {
  char name[REDIS_EPOCH_SIZE];
  snprintf(name, sizeof name, "%s%llx", n->store->name, (unsigned long long)redis_node_now_ms(n));
  redis_key key;
  const au_slice args[] = {slice_of("SET"), redis_key_epoch(&key, n->tag), slice_of(name),
                           slice_of("NX")};
  if (redis_link_command(n->link, args, 4, on_epoch_set, n) != AU_OK)
    log_debug("redis", "epoch not written", LOG_NONE);
  ask_epoch(n, on_written_epoch);
}

static void on_epoch(au_status status, const redisReply *reply, void *arg) {
  redis_node *n = arg;
  if (status != AU_OK) return; /* the link is lost */
  if (redis_node_is_elsewhere(n, status, reply))
    n->identity.asking = false; /* the next look asks again, for another key */
  else if (redis_reply_text(reply).len > 0)
    conclude(n, redis_reply_text(reply));
  else
    write_epoch(n);
}

static au_slice find_run_id(au_slice info) {
  static const char field[] = "run_id:";
  const char *at = info.len > 0 ? memmem(info.ptr, info.len, field, sizeof field - 1) : NULL;
  if (!at) return (au_slice){NULL, 0};
  au_slice id = {at + sizeof field - 1, 0};
  while (id.ptr + id.len < info.ptr + info.len && id.ptr[id.len] > ' ') id.len++;
  return id;
}

static void on_info(au_status status, const redisReply *reply, void *arg) {
  redis_node *n = arg;
  if (status != AU_OK) return;
  redis_identity *id = &n->identity;
  au_slice run_id = find_run_id(redis_reply_text(reply));
  if (run_id.len >= sizeof id->run_id) run_id.len = 0;
  id->changed = run_id.len == 0 || !slice_eq(run_id, slice_of(id->run_id));
  if (run_id.len > 0) memcpy(id->run_id, run_id.ptr, run_id.len);
  id->run_id[run_id.len] = '\0';
  ask_epoch(n, on_epoch);
}

void redis_identity_ask(redis_node *n) {
  const au_slice args[] = {slice_of("INFO"), slice_of("server")};
  n->identity.changed = true; /* until it says otherwise */
  n->identity.asking = redis_link_command(n->link, args, 2, on_info, n) == AU_OK;
}

void redis_identity_look(redis_node *n) {
  if (n->identity.asking) return;
  n->identity.asking = true;
  ask_epoch(n, on_epoch);
}

void redis_identity_lose(redis_node *n) {
  n->identity.is_known = n->identity.asking = false;
}
