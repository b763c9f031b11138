/* Builds and reads key names. */
#include "keys.h"

#include "slots.h"
#include "utils/buffer.h"
#include "wire/wire.h"

#include <string.h>

static const char presence_prefix[] = "presence:";
static const char index_prefix[] = "au:idx:";
static const char ema_prefix[] = "ema:";
static const char tick_prefix[] = "au:tick:";
static const char left_prefix[] = "au:left:";
static const char channel_prefix[] = "metrics:";

enum { GROUP_SLOTS = REDIS_SLOTS / REDIS_GROUPS_MAX };

static void append(au_slice *key, char *buf, au_slice text) {
  memcpy(buf + key->len, text.ptr, text.len);
  key->len += text.len;
}

static au_slice join(redis_key *buf, const char *prefix, au_slice id, bool tagged) {
  au_slice key = {buf->text, 0};
  append(&key, buf->text, slice_of(prefix));
  if (tagged) append(&key, buf->text, slice_of("{"));
  append(&key, buf->text, id);
  if (tagged) append(&key, buf->text, slice_of("}"));
  return key;
}

au_slice redis_key_presence(const redis_keys *keys, redis_key *buf, au_slice customer_id,
                            au_slice session_id) {
  au_slice key = join(buf, presence_prefix, customer_id, keys->tagged);
  append(&key, buf->text, slice_of(":"));
  append(&key, buf->text, session_id);
  return key;
}

au_slice redis_key_index(const redis_keys *keys, redis_key *buf, au_slice customer_id) {
  return join(buf, index_prefix, customer_id, keys->tagged);
}

au_slice redis_key_ema(const redis_keys *keys, redis_key *buf, au_slice customer_id) {
  return join(buf, ema_prefix, customer_id, keys->tagged);
}

au_slice redis_key_tick(const redis_keys *keys, redis_key *buf, au_slice customer_id) {
  return join(buf, tick_prefix, customer_id, keys->tagged);
}

au_slice redis_key_left(const redis_keys *keys, redis_key *buf, au_slice customer_id) {
  return join(buf, left_prefix, customer_id, keys->tagged);
}

static au_slice numbered(const redis_keys *keys, redis_key *buf, const char *prefix, au_slice id,
                         uint32_t number) {
  redis_number text;
  au_slice key = join(buf, prefix, id, keys->tagged);
  append(&key, buf->text, slice_of(":"));
  append(&key, buf->text, redis_number_text(&text, number));
  return key;
}

au_slice redis_key_minutes(const redis_keys *keys, redis_key *buf, au_slice customer_id,
                           uint32_t hour) {
  return numbered(keys, buf, "au:min:", customer_id, hour);
}

au_slice redis_key_hours(const redis_keys *keys, redis_key *buf, au_slice customer_id,
                         uint32_t period) {
  return numbered(keys, buf, "au:hour:", customer_id, period);
}

au_slice redis_key_unique(const redis_keys *keys, redis_key *buf, au_slice customer_id,
                          uint32_t day) {
  return numbered(keys, buf, "au:uniq:", customer_id, day);
}

au_slice redis_key_peak(const redis_keys *keys, redis_key *buf, au_slice customer_id) {
  return join(buf, "au:peak:", customer_id, keys->tagged);
}

au_slice redis_key_visible(const redis_keys *keys, redis_key *buf, au_slice customer_id) {
  return join(buf, "au:visible:", customer_id, keys->tagged);
}

au_slice redis_key_pages(const redis_keys *keys, redis_key *buf, au_slice customer_id) {
  return join(buf, "au:pages:", customer_id, keys->tagged);
}

au_slice redis_key_probe(redis_key *buf, const char *tag) {
  return tag[0] == '\0' ? slice_of("au:probe") : join(buf, "au:probe:", slice_of(tag), true);
}

au_slice redis_key_epoch(redis_key *buf, const char *tag) {
  return tag[0] == '\0' ? slice_of("au:epoch") : join(buf, "au:epoch:", slice_of(tag), true);
}

au_slice redis_key_channel(redis_key *buf, au_slice customer_id) {
  return join(buf, channel_prefix, customer_id, false);
}

/* Counting up, the first number whose slot lies in a group becomes its tag; about 300 numbers
 * are looked at until every group has one. */
void redis_keys_init(redis_keys *keys, bool tagged) {
  *keys = (redis_keys){.tagged = tagged};
  bool found[REDIS_GROUPS_MAX] = {false};
  for (uint16_t tag = 0, left = tagged ? REDIS_GROUPS_MAX : 0; left > 0; tag++) {
    redis_number buf;
    size_t group = redis_slot_of(redis_number_text(&buf, tag)) / GROUP_SLOTS;
    if (found[group]) continue;
    found[group] = true;
    keys->tags[group] = tag;
    left--;
  }
}

size_t redis_keys_groups(const redis_keys *keys) {
  return keys->tagged ? REDIS_GROUPS_MAX : 1;
}

size_t redis_keys_group_of(const redis_keys *keys, au_slice customer_id) {
  return keys->tagged ? redis_slot_of(customer_id) / GROUP_SLOTS : 0;
}

/* name, or name:{tag} */
static au_slice name_of_group(const redis_keys *keys, redis_key *buf, const char *name,
                              size_t group) {
  if (!keys->tagged) return slice_of(name);
  redis_number number;
  au_slice key = {buf->text, 0};
  append(&key, buf->text, slice_of(name));
  append(&key, buf->text, slice_of(":{"));
  append(&key, buf->text, redis_number_text(&number, keys->tags[group]));
  append(&key, buf->text, slice_of("}"));
  return key;
}

au_slice redis_key_customers(const redis_keys *keys, redis_key *buf, size_t group) {
  return name_of_group(keys, buf, "au:customers", group);
}

au_slice redis_key_lease(const redis_keys *keys, redis_key *buf, size_t group) {
  return name_of_group(keys, buf, "au:lease", group);
}

au_slice redis_key_secret(const redis_keys *keys, redis_key *room) {
  return name_of_group(keys, room, "au:secret", 0);
}

au_slice redis_key_blocks(const redis_keys *keys, redis_key *room) {
  return name_of_group(keys, room, "au:blocks", 0);
}

au_slice redis_key_notes(const redis_keys *keys, redis_key *room) {
  return name_of_group(keys, room, "au:notes", 0);
}

au_slice redis_key_spent(const redis_keys *keys, redis_key *room, size_t group, int64_t minute) {
  redis_number number;
  au_slice name = name_of_group(keys, room, "au:spent", group);
  au_slice key = {room->text, name.len};
  if (name.ptr != room->text) memcpy(room->text, name.ptr, name.len);
  append(&key, room->text, slice_of(":"));
  append(&key, room->text, redis_number_text(&number, minute));
  return key;
}

static bool cut(au_slice *text, const char *prefix) {
  size_t len = strlen(prefix);
  if (text->len < len || memcmp(text->ptr, prefix, len) != 0) return false;
  *text = (au_slice){text->ptr + len, text->len - len};
  return true;
}

static bool untag(au_slice *id) {
  if (id->len < 2 || id->ptr[0] != '{' || id->ptr[id->len - 1] != '}') return false;
  *id = (au_slice){id->ptr + 1, id->len - 2};
  return true;
}

bool redis_key_is_presence(const redis_keys *keys, au_slice key, au_slice *customer_id,
                           au_slice *session_id) {
  return cut(&key, presence_prefix) && slice_next(&key, ':', customer_id) &&
         (!keys->tagged || untag(customer_id)) && wire_valid_id(*customer_id) &&
         wire_valid_id(*session_id = key);
}

bool redis_key_is_channel(au_slice channel, au_slice *customer_id) {
  return cut(&channel, channel_prefix) && wire_valid_id(*customer_id = channel);
}

au_slice redis_number_text(redis_number *buf, int64_t value) {
  char *at = buf->text + sizeof buf->text;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    *--at = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (value < 0) *--at = '-';
  return (au_slice){at, (size_t)(buf->text + sizeof buf->text - at)};
}
