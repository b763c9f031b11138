/* Builds and reads key names. Must not know what is kept under them. */
#include "redis_keys.h"

#include "../utils/buffer.h"
#include "../wire.h"

#include <string.h>

static const char presence_prefix[] = "presence:";
static const char index_prefix[] = "au:idx:";
static const char ema_prefix[] = "ema:";
static const char channel_prefix[] = "metrics:";

static au_slice join(redis_key *room, const char *prefix, au_slice id) {
  size_t len = strlen(prefix);
  memcpy(room->text, prefix, len);
  memcpy(room->text + len, id.ptr, id.len);
  return (au_slice){room->text, len + id.len};
}

au_slice redis_key_presence(redis_key *room, au_slice customer_id, au_slice session_id) {
  au_slice key = join(room, presence_prefix, customer_id);
  room->text[key.len++] = ':';
  memcpy(room->text + key.len, session_id.ptr, session_id.len);
  key.len += session_id.len;
  return key;
}

au_slice redis_key_index(redis_key *room, au_slice customer_id) {
  return join(room, index_prefix, customer_id);
}

au_slice redis_key_ema(redis_key *room, au_slice customer_id) {
  return join(room, ema_prefix, customer_id);
}

au_slice redis_key_channel(redis_key *room, au_slice customer_id) {
  return join(room, channel_prefix, customer_id);
}

static bool cut(au_slice *text, const char *prefix) {
  size_t len = strlen(prefix);
  if (text->len < len || memcmp(text->ptr, prefix, len) != 0) return false;
  *text = (au_slice){text->ptr + len, text->len - len};
  return true;
}

bool redis_key_is_presence(au_slice key, au_slice *customer_id, au_slice *session_id) {
  return cut(&key, presence_prefix) && slice_next(&key, ':', customer_id) &&
         wire_valid_id(*customer_id) && wire_valid_id(*session_id = key);
}

bool redis_key_is_channel(au_slice channel, au_slice *customer_id) {
  return cut(&channel, channel_prefix) && wire_valid_id(*customer_id = channel);
}

au_slice redis_number_text(redis_number *room, int64_t value) {
  char *at = room->text + sizeof room->text;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    *--at = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (value < 0) *--at = '-';
  return (au_slice){at, (size_t)(room->text + sizeof room->text - at)};
}
