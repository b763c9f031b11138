/* Names made with SipHash. */
#include "pseudonyms.h"

#include "utils/buffer.h"
#include "utils/siphash.h"

#include <string.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* Salts, so that names of different kinds never meet. */
enum { OF_ADDRESS = 1, OF_SECRET = 2, OF_SESSION = 3, OF_SESSION_END = 4 };

void pseudonyms_init(pseudonyms *p, uint64_t k0, uint64_t k1, bool strict) {
  *p = (pseudonyms){.k0 = k0, .k1 = k1, .version = 1, .strict = strict};
}

/* Two halves, each of the whole secret. */
void pseudonyms_set_secret(pseudonyms *p, au_slice secret) {
  uint64_t k0 = siphash(OF_SECRET, 0, 0, secret.ptr, secret.len);
  uint64_t k1 = siphash(OF_SECRET, 1, k0, secret.ptr, secret.len);
  if (k0 == p->k0 && k1 == p->k1) return;
  p->k0 = k0;
  p->k1 = k1;
  p->version++;
}

void pseudonyms_set_time(pseudonyms *p, int64_t wall_ms) {
  uint64_t day = p->strict && wall_ms > 0 ? (uint64_t)(wall_ms / DAY_MS) : 0;
  if (day == p->day) return;
  p->day = day;
  p->version++;
}

uint64_t pseudonym_of_address(const pseudonyms *p, au_slice key) {
  return siphash(p->k0, p->k1, p->day << 8 | OF_ADDRESS, key.ptr, key.len);
}

void pseudonym_print(uint64_t name, char out[PSEUDONYM_ADDRESS_BYTES]) {
  for (int i = 0; i < PSEUDONYM_ADDRESS_BYTES; i++)
    out[i] = "0123456789abcdef"[name >> (60 - 4 * i) & 15];
}

bool pseudonym_parse(au_slice text, uint64_t *out) {
  *out = 0;
  if (text.len != PSEUDONYM_ADDRESS_BYTES) return false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c >= '0' && c <= '9')
      *out = *out << 4 | (uint64_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
      *out = *out << 4 | (uint64_t)(c - 'a' + 10);
    else
      return false;
  }
  return true;
}

/* Of the customer too: the sessions of a person at two shops have two names. Ids hold no `:`. */
static au_slice name_of_session(const pseudonyms *p, au_slice customer_id, au_slice session_id,
                                pseudonym_session *room) {
  char both[2 * AU_ID_MAX + 1];
  memcpy(both, customer_id.ptr, customer_id.len);
  both[customer_id.len] = ':';
  memcpy(both + customer_id.len + 1, session_id.ptr, session_id.len);
  size_t len = customer_id.len + 1 + session_id.len;
  room->text[0] = '~';
  pseudonym_print(siphash(p->k0, p->k1, OF_SESSION, both, len), room->text + 1);
  pseudonym_print(siphash(p->k0, p->k1, OF_SESSION_END, both, len),
                  room->text + 1 + PSEUDONYM_ADDRESS_BYTES);
  return (au_slice){room->text, sizeof room->text};
}

void pseudonyms_conceal(const pseudonyms *p, au_beat *beat, pseudonym_session *room) {
  if (!p->strict) return;
  beat->user_agent = slice_of("");
  if (beat->session_id.len > 0)
    beat->session_id = name_of_session(p, beat->customer_id, beat->session_id, room);
}

au_slice pseudonyms_stored_session(const pseudonyms *p, au_slice customer_id, au_slice session_id,
                                   pseudonym_session *room) {
  uint64_t unused;
  if (!p->strict) return session_id;
  bool is_name =
      session_id.len == PSEUDONYM_SESSION_BYTES && session_id.ptr[0] == '~' &&
      pseudonym_parse((au_slice){session_id.ptr + 1, PSEUDONYM_ADDRESS_BYTES}, &unused) &&
      pseudonym_parse(
          (au_slice){session_id.ptr + 1 + PSEUDONYM_ADDRESS_BYTES, PSEUDONYM_ADDRESS_BYTES},
          &unused);
  return is_name ? session_id : name_of_session(p, customer_id, session_id, room);
}

int64_t pseudonyms_last_ms(const pseudonyms *p, int64_t wall_ms) {
  if (!p->strict || wall_ms < 0) return INT64_MAX;
  return DAY_MS - wall_ms % DAY_MS;
}
