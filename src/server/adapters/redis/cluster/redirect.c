/* Only here are the bytes of a command kept while it is in flight. */
#include "redirect.h"

#include "utils/buffer.h"
#include "utils/log.h"

#include <stdlib.h>
#include <string.h>

typedef struct flight {
  const redis_redirect_config *config;
  redis_node *origin; /* referenced: the operation belongs to it */
  redis_node *at;     /* where the command is now */
  redis_reply_fn cb;
  void *arg;
  unsigned redirects;
  size_t count;
  au_slice args[]; /* their bytes follow */
} flight;

static flight *flight_create(const au_slice *args, size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += args[i].len;
  flight *f = calloc(1, sizeof *f + count * sizeof *args + bytes);
  if (!f) return NULL;
  char *at = (char *)&f->args[count];
  for (size_t i = 0; i < count; i++) {
    if (args[i].len > 0) memcpy(at, args[i].ptr, args[i].len);
    f->args[i] = (au_slice){at, args[i].len};
    at += args[i].len;
  }
  f->count = count;
  return f;
}

static void land(flight *f, au_status status, const redisReply *reply) {
  redis_reply_fn cb = f->cb;
  void *arg = f->arg;
  redis_node_unref(f->origin);
  free(f);
  cb(status, reply, arg);
}

static void on_answer(au_status status, const redisReply *reply, void *arg);

/* false when it cannot be sent on. */
static bool send_on(flight *f, const redis_redirect *redirect) {
  const au_slice asking[] = {slice_of("ASKING")};
  if (f->redirects++ == REDIS_REDIRECTS_MAX) return false;
  redis_node *n = f->config->follow(f->config->arg, f->at, redirect);
  if (!n) return false;
  f->at = n;
  /* The answer that matters is the next command's. */
  if (redirect->ask && redis_node_send(n, asking, 1, redis_ignore, NULL) != AU_OK) return false;
  return redis_node_send(n, f->args, f->count, on_answer, f) == AU_OK;
}

static void on_answer(au_status status, const redisReply *reply, void *arg) {
  flight *f = arg;
  redis_redirect redirect;
  if (status == AU_OK && redis_redirect_read(reply, &redirect)) {
    if (send_on(f, &redirect)) return;
    f->config->counters->store_errors++;
    log_debug("redis", "not sent on", LOG_INT("slot", redirect.slot),
              LOG_INT("redirects", f->redirects));
    land(f, AU_ESTORE, NULL);
    return;
  }
  /* A node that is ended while the store goes on is a node that was lost. */
  if (status == AU_ECANCELED && !f->config->is_stopping(f->config->arg)) status = AU_ESTORE;
  land(f, status, reply);
}

au_status redis_redirect_send(const redis_redirect_config *config, redis_node *n,
                              const au_slice *args, size_t count, redis_reply_fn cb, void *arg) {
  flight *f = flight_create(args, count);
  if (!f) return AU_ENOMEM;
  f->config = config;
  f->origin = f->at = n;
  f->cb = cb;
  f->arg = arg;
  au_status status = redis_node_send(n, f->args, f->count, on_answer, f);
  if (status != AU_OK) {
    free(f);
    return status;
  }
  redis_node_ref(n);
  return AU_OK;
}
