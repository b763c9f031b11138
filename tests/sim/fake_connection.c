/* Commands about the connection, the server and pub/sub. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fake.h"
#include "fleet.h"
#include "model.h"

static void ping(exec *x) {
  if (x->from->channel_count == 0) {
    fake_status(x, "PONG");
    return;
  }
  fake_array(x, 2);
  fake_bulk(x, slice_of("pong"));
  fake_bulk(x, (au_slice){"", 0});
}

static void ok(exec *x) {
  fake_status(x, "OK");
}

static void client(exec *x) {
  x->from->subscriber = slice_eq(exec_arg(x, 2), slice_of("active-users-pubsub"));
  fake_status(x, "OK");
}

static void role(exec *x) {
  fake_array(x, 1);
  fake_bulk(x, slice_of(x->f->role == FAKE_MASTER ? "master" : "slave"));
}

static void info(exec *x) {
  buffer text;
  buffer_init(&text, 1024);
  buffer_append_format(&text, "# Server\r\nredis_version:7.0.15\r\nrun_id:%s\r\ntcp_port:%d\r\n",
                       x->f->run_id, x->f->port);
  fake_bulk(x, buffer_slice(&text));
  buffer_free(&text);
}

static void time_of_day(exec *x) {
  char room[24];
  int64_t ms = fake_now_ms(x->f);
  for (int part = 0; part < 2; part++) {
    buffer text = {.ptr = room, .cap = sizeof room, .max_bytes = sizeof room};
    buffer_append_number(&text, (uint64_t)(part == 0 ? ms / 1000 : ms % 1000 * 1000));
    if (part == 0) fake_array(x, 2);
    fake_bulk(x, buffer_slice(&text));
  }
}

static void asking(exec *x) {
  x->from->asking = true;
  fake_status(x, "OK");
}

/* ---- pub/sub ------------------------------------------------------------------ */

static int find_channel(const connection *c, au_slice channel) {
  for (size_t i = 0; i < c->channel_count; i++)
    if (slice_eq(c->channels[i], channel)) return (int)i;
  return -1;
}

static void confirm(exec *x, const char *what) {
  fake_array(x, 3);
  fake_bulk(x, slice_of(what));
  fake_bulk(x, exec_arg(x, 1));
  fake_integer(x, (int64_t)x->from->channel_count);
}

static void subscribe(exec *x) {
  connection *c = x->from;
  au_slice channel = exec_arg(x, 1);
  if (find_channel(c, channel) < 0 && c->channel_count < 16) {
    char *copy = malloc(channel.len);
    if (!copy) abort();
    memcpy(copy, channel.ptr, channel.len);
    c->channels[c->channel_count++] = (au_slice){copy, channel.len};
  }
  confirm(x, "subscribe");
}

static void unsubscribe(exec *x) {
  connection *c = x->from;
  int i = find_channel(c, exec_arg(x, 1));
  if (i >= 0) {
    free((char *)(uintptr_t)c->channels[i].ptr);
    c->channels[i] = c->channels[--c->channel_count];
  }
  confirm(x, "unsubscribe");
}

/* In a cluster every node passes messages on to all others. */
static void publish(exec *x) {
  buffer message;
  buffer_init(&message, 64 * 1024);
  exec printed = {.f = x->f, .reply = message};
  fake_array(&printed, 3);
  fake_bulk(&printed, slice_of("message"));
  fake_bulk(&printed, exec_arg(x, 1));
  fake_bulk(&printed, exec_arg(x, 2));
  int64_t heard = 0;
  for (connection *c = network_connections(); c; c = c->next) {
    if (c->server->role == FAKE_SENTINEL || !c->server->up || c->fd < 0) continue;
    if (find_channel(c, exec_arg(x, 1)) < 0) continue;
    heard += c->server == x->f;
    fake_push(c, &printed.reply);
  }
  buffer_free(&printed.reply);
  model_published(exec_arg(x, 1), exec_arg(x, 2));
  fake_integer(x, heard);
}

fake_command fake_find_connection_command(const exec *x) {
  static const struct {
    const char *name;
    fake_command run;
  } commands[] = {{"PING", ping},           {"CLIENT", client},       {"ROLE", role},
                  {"INFO", info},           {"TIME", time_of_day},    {"ASKING", asking},
                  {"SUBSCRIBE", subscribe}, {"PUBLISH", publish},     {"UNSUBSCRIBE", unsubscribe},
                  {"SELECT", ok},           {"CLUSTER", fleet_slots}, {"SENTINEL", fleet_sentinel}};
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (exec_is(x, 0, commands[i].name)) return commands[i].run;
  return NULL;
}
