/* Two questions: INFO on a new link, and a key. */
#include "identity.h"

#include "adapters/redis/protocol/command.h"
#include "adapters/redis/protocol/keys.h"
#include "adapters/redis/protocol/reply.h"
#include "utils/buffer.h"
#include "utils/log.h"

#include <stdio.h>
#include <string.h>

static void ask_epoch(redis_identity *id, redis_reply_fn cb) {
  redis_key key;
  const char *tag = id->config.tag(id->config.arg);
  id->asking = tag != NULL;
  if (!tag) return;
  redis_command read;
  redis_command_read(&read, redis_key_epoch(&key, tag), REDIS_EPOCH_SIZE - 1);
  if (redis_link_command(id->config.link, read.words, read.count, cb, id) != AU_OK)
    id->asking = false;
}

/* No answer counts as another Redis: rather too much is restored than too little. */
static void conclude(redis_identity *id, au_slice epoch) {
  if (epoch.len >= sizeof id->epoch) epoch.len = 0;
  bool same = id->was_known && !id->changed && slice_eq(epoch, slice_of(id->epoch));
  bool is_new = !id->is_known;
  id->asking = id->changed = false;
  id->is_known = id->was_known = true;
  if (epoch.len > 0) memcpy(id->epoch, epoch.ptr, epoch.len);
  id->epoch[epoch.len] = '\0';
  if (is_new || !same) id->config.identified(id->config.arg, same);
}

static bool is_elsewhere(redis_identity *id, au_status status, const redisReply *reply) {
  return status == AU_OK && id->config.is_elsewhere(id->config.arg, reply);
}

static void on_written_epoch(au_status status, const redisReply *reply, void *arg) {
  redis_identity *id = arg;
  if (is_elsewhere(id, status, reply))
    id->asking = false;
  else if (status == AU_OK)
    conclude(id, redis_reply_text(reply));
}

static void on_epoch_set(au_status status, const redisReply *reply, void *arg) {
  redis_identity *id = arg;
  if (status != AU_OK || is_elsewhere(id, status, reply)) return;
  if (!redis_reply_is(reply, REDIS_WANT_OK_OR_NIL)) id->config.refused(id->config.arg, reply);
}

/* NX: the first daemon that misses it names the data set. */
static void write_epoch(redis_identity *id) {
  char name[REDIS_EPOCH_SIZE];
  const char *tag = id->config.tag(id->config.arg);
  snprintf(name, sizeof name, "%s%llx", id->config.daemon,
           (unsigned long long)id->config.now_ms(id->config.arg));
  redis_key key;
  const au_slice args[] = {slice_of("SET"), redis_key_epoch(&key, tag ? tag : ""), slice_of(name),
                           slice_of("NX")};
  if (tag && redis_link_command(id->config.link, args, 4, on_epoch_set, id) != AU_OK)
    log_debug("redis", "epoch not written", LOG_NONE);
  ask_epoch(id, on_written_epoch);
}

static void on_epoch(au_status status, const redisReply *reply, void *arg) {
  redis_identity *id = arg;
  if (status != AU_OK) return; /* the link is lost */
  if (is_elsewhere(id, status, reply))
    id->asking = false; /* the next probe asks for another key */
  else if (redis_reply_text(reply).len > 0)
    conclude(id, redis_reply_text(reply));
  else
    write_epoch(id);
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
  redis_identity *id = arg;
  if (status != AU_OK) return;
  au_slice run_id = find_run_id(redis_reply_text(reply));
  if (run_id.len >= sizeof id->run_id) run_id.len = 0;
  id->changed = run_id.len == 0 || !slice_eq(run_id, slice_of(id->run_id));
  if (run_id.len > 0) memcpy(id->run_id, run_id.ptr, run_id.len);
  id->run_id[run_id.len] = '\0';
  ask_epoch(id, on_epoch);
}

void redis_identity_init(redis_identity *id, const redis_identity_config *config) {
  *id = (redis_identity){.config = *config};
}

void redis_identity_ask(redis_identity *id) {
  const au_slice args[] = {slice_of("INFO"), slice_of("server")};
  id->changed = true; /* until it says otherwise */
  id->asking = redis_link_command(id->config.link, args, 2, on_info, id) == AU_OK;
}

void redis_identity_probe(redis_identity *id) {
  if (id->asking) return;
  id->asking = true;
  ask_epoch(id, on_epoch);
}

void redis_identity_lose(redis_identity *id) {
  id->is_known = id->asking = false;
}
