/* Greets Redis. Must not know states, time-outs, or who connects again. The password leaves this
 * file in AUTH only: no reply to AUTH is ever logged, since a proxy may repeat what it was sent. */
#include "redis_greeting.h"

#include "../utils/buffer.h"
#include "redis_keys.h"
#include "redis_reply.h"

/* ---- the answers ------------------------------------------------------------ */

static void refuse(const redis_greeting *g, const char *reason, const char *command) {
  g->refused(g->arg, reason, command);
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
  const redis_greeting *g = arg;
  if (status != AU_OK) return;
  if (redis_reply_is_status(reply, "PONG"))
    g->greeted(g->arg);
  else
    refuse(g, redis_reply_refusal(reply).reason, "PING");
}

/* ---- the commands ----------------------------------------------------------- */

static au_status say(redis_greeting *g, const au_slice *args, size_t n, redis_reply_fn cb) {
  return g->issue(g->arg, args, n, cb, g);
}

au_status redis_greeting_send(redis_greeting *g) {
  const redis_url *url = g->url;
  au_status status = AU_OK;
  if (url->password[0] != '\0') {
    const au_slice args[] = {slice_of("AUTH"), slice_of(url->user), slice_of(url->password)};
    const au_slice old_args[] = {args[0], args[2]};
    status = url->user[0] != '\0' ? say(g, args, 3, on_auth) : say(g, old_args, 2, on_auth);
  }
  if (status == AU_OK && url->db != 0) {
    redis_number room;
    const au_slice args[] = {slice_of("SELECT"), redis_number_text(&room, url->db)};
    status = say(g, args, 2, on_select);
  }
  if (status == AU_OK && g->wants_master) {
    const au_slice args[] = {slice_of("ROLE")};
    status = say(g, args, 1, on_role);
  }
  if (status == AU_OK) { /* a courtesy: a Redis that does not permit it serves as well */
    const au_slice args[] = {slice_of("CLIENT"), slice_of("SETNAME"), slice_of(g->name)};
    status = say(g, args, 3, redis_link_ignore);
  }
  if (status == AU_OK) {
    const au_slice args[] = {slice_of("PING")};
    status = say(g, args, 1, on_ping);
  }
  return status;
}
