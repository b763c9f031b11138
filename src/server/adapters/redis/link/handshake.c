/* The handshake with Redis. The password leaves this file in AUTH only: no reply to AUTH is ever
 * logged, since a proxy may repeat what it was sent. */
#include "handshake.h"

#include "adapters/redis/protocol/keys.h"
#include "adapters/redis/protocol/reply.h"
#include "utils/buffer.h"

/* ---- the answers ------------------------------------------------------------ */

static void refuse(const redis_handshake *h, const char *reason, const char *command) {
  h->refused(h->arg, reason, command);
}

static void on_auth(au_status status, const redisReply *reply, void *arg) {
  if (status == AU_OK && !redis_reply_is(reply, REDIS_WANT_OK))
    refuse(arg, "redis refuses the user or password", "AUTH");
}

static void on_select(au_status status, const redisReply *reply, void *arg) {
  if (status != AU_OK || redis_reply_is(reply, REDIS_WANT_OK)) return;
  if (redis_reply_is_error_code(reply, "ERR"))
    refuse(arg, "redis does not have the database of the URL", "SELECT");
  else
    refuse(arg, redis_reply_refusal(reply).reason, "SELECT");
}

/* A sentinel may not know yet that a master was demoted. */
static void on_role(au_status status, const redisReply *reply, void *arg) {
  if (status != AU_OK) return;
  if (redis_reply_is_error(reply))
    refuse(arg, redis_reply_refusal(reply).reason, "ROLE");
  else if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
           !slice_eq(redis_reply_text(reply->element[0]), slice_of("master")))
    refuse(arg, "the server that Sentinel named is not a master", "ROLE");
}

/* PING is refused while Redis loads its data or wants a password. */
static void on_ping(au_status status, const redisReply *reply, void *arg) {
  const redis_handshake *h = arg;
  if (status != AU_OK) return;
  if (redis_reply_is_status(reply, "PONG"))
    h->done(h->arg);
  else
    refuse(h, redis_reply_refusal(reply).reason, "PING");
}

/* ---- the commands ----------------------------------------------------------- */

static au_status issue(redis_handshake *h, const au_slice *args, size_t n, redis_reply_fn cb) {
  return h->issue(h->arg, args, n, cb, h);
}

au_status redis_handshake_send(redis_handshake *h) {
  const redis_url *url = h->url;
  au_status status = AU_OK;
  if (url->password[0] != '\0') {
    const au_slice args[] = {slice_of("AUTH"), slice_of(url->user), slice_of(url->password)};
    const au_slice old_args[] = {args[0], args[2]};
    status = url->user[0] != '\0' ? issue(h, args, 3, on_auth) : issue(h, old_args, 2, on_auth);
  }
  if (status == AU_OK && url->db != 0) {
    redis_number buf;
    const au_slice args[] = {slice_of("SELECT"), redis_number_text(&buf, url->db)};
    status = issue(h, args, 2, on_select);
  }
  if (status == AU_OK && h->wants_master) {
    const au_slice args[] = {slice_of("ROLE")};
    status = issue(h, args, 1, on_role);
  }
  if (status == AU_OK) { /* a courtesy: a Redis that does not permit it serves as well */
    const au_slice args[] = {slice_of("CLIENT"), slice_of("SETNAME"), slice_of(h->name)};
    status = issue(h, args, 3, redis_ignore);
  }
  if (status == AU_OK) {
    const au_slice args[] = {slice_of("PING")};
    status = issue(h, args, 1, on_ping);
  }
  return status;
}
