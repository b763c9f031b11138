/* Reads what a Cluster answers without trusting it. */
#include "topology.h"

#include "adapters/redis/protocol/reply.h"
#include "utils/buffer.h"

#include <string.h>

/* Printable ASCII without blanks, because it is logged and looked up. */
static bool read_host(au_slice text, redis_endpoint *out) {
  if (text.len >= sizeof out->host) return false;
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] <= ' ' || text.ptr[i] > '~') return false;
  memcpy(out->host, text.ptr, text.len);
  out->host[text.len] = '\0';
  return true;
}

static bool read_number(const redisReply *reply, long long max, long long *out) {
  *out = reply->integer;
  return reply->type == REDIS_REPLY_INTEGER && *out >= 0 && *out <= max;
}

/* host, port, and more that does not matter here */
static bool read_node(const redisReply *node, const redis_endpoint *asked, redis_endpoint *out) {
  long long port;
  if (node->type != REDIS_REPLY_ARRAY || node->elements < 2) return false;
  const redisReply *host = node->element[0];
  if (host->type != REDIS_REPLY_STRING && host->type != REDIS_REPLY_NIL) return false;
  if (!read_number(node->element[1], UINT16_MAX, &port)) return false;
  if (!read_host(redis_reply_text(host), out)) return false;
  if (out->host[0] == '\0') memcpy(out->host, asked->host, sizeof out->host);
  out->port = (uint16_t)port;
  return true;
}

/* Redis says "?" for a node whose name it does not have. */
static bool is_usable(const redis_endpoint *node) {
  return node->port != 0 && strcmp(node->host, "?") != 0;
}

/* The index of a master, which is added when it is new; REDIS_NOBODY when there are too many. */
static uint8_t index_of(redis_topology *t, const redis_endpoint *master) {
  size_t i = 0;
  while (i < t->count && !redis_endpoint_eq(&t->masters[i], master)) i++;
  if (i == REDIS_NODES_MAX) return REDIS_NOBODY;
  if (i == t->count) t->masters[t->count++] = *master;
  return (uint8_t)i;
}

/* first slot, last slot, master, replicas */
static bool read_range(const redisReply *range, const redis_endpoint *asked, redis_topology *t) {
  long long first, last;
  redis_endpoint master;
  if (range->type != REDIS_REPLY_ARRAY || range->elements < 3) return false;
  if (!read_number(range->element[0], REDIS_SLOTS - 1, &first)) return false;
  if (!read_number(range->element[1], REDIS_SLOTS - 1, &last) || last < first) return false;
  if (!read_node(range->element[2], asked, &master)) return false;
  if (!is_usable(&master)) return true;
  uint8_t owner = index_of(t, &master);
  if (owner == REDIS_NOBODY) return false;
  for (long long slot = first; slot <= last; slot++) {
    if (t->owner[slot] != REDIS_NOBODY) return false;
    t->owner[slot] = owner;
  }
  return true;
}

bool redis_topology_read(const redisReply *reply, const redis_endpoint *asked,
                         redis_topology *out) {
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements > REDIS_SLOTS) return false;
  out->count = 0;
  memset(out->owner, REDIS_NOBODY, sizeof out->owner);
  for (size_t i = 0; i < reply->elements; i++)
    if (!read_range(reply->element[i], asked, out)) return false;
  return true;
}

/* "MOVED 3999 127.0.0.1:6381"; the last colon ends the host, which may be an IPv6 address. */
bool redis_redirect_read(const redisReply *reply, redis_redirect *out) {
  au_slice word, slot;
  uint64_t number, port;
  if (!redis_reply_is_error(reply)) return false;
  au_slice rest = {reply->str, reply->len};
  if (!slice_next(&rest, ' ', &word) || !slice_next(&rest, ' ', &slot)) return false;
  out->ask = slice_eq(word, slice_of("ASK"));
  if (!out->ask && !slice_eq(word, slice_of("MOVED"))) return false;
  const char *colon = rest.len > 0 ? memrchr(rest.ptr, ':', rest.len) : NULL;
  if (!colon || !slice_digits(slot, 5, &number) || number >= REDIS_SLOTS) return false;
  au_slice host = {rest.ptr, (size_t)(colon - rest.ptr)};
  au_slice digits = {colon + 1, rest.len - host.len - 1};
  if (!read_host(host, &out->to) || !slice_digits(digits, 5, &port) || port > UINT16_MAX)
    return false;
  out->slot = (uint16_t)number;
  out->to.port = (uint16_t)port;
  return is_usable(&out->to);
}
