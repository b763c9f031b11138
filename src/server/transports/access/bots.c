/* Looks for needles by their first three bytes: a hash names the few that may begin at a byte. */
#include "bots.h"

#include "bots_table.h"

#include <string.h>

static bool stands_at(const bots_needle *n, au_slice in, size_t at) {
  if (n->len > in.len - at || memcmp(bots_text + n->at, in.ptr + at, n->len) != 0) return false;
  bool begins = at == 0, ends = at + n->len == in.len;
  return (begins || !(n->place & BOTS_AT_BEGIN)) && (ends || !(n->place & BOTS_AT_END));
}

/* As src/client/bots.mjs sorts them. */
static unsigned bucket_of(const char *p) {
  const unsigned char *b = (const unsigned char *)p;
  return ((unsigned)b[0] << 7 ^ (unsigned)b[1] << 4 ^ b[2]) % BOTS_BUCKETS;
}

bool bots_match(au_slice user_agent) {
  if (user_agent.len > BOTS_MAX_BYTES) user_agent.len = BOTS_MAX_BYTES;
  for (size_t at = 0; at + 3 <= user_agent.len; at++) {
    unsigned bucket = bucket_of(user_agent.ptr + at);
    for (unsigned i = bots_buckets[bucket]; i < bots_buckets[bucket + 1]; i++)
      if (stands_at(&bots_needles[i], user_agent, at)) return true;
  }
  return false;
}

unsigned bots_known(void) {
  return bots_buckets[BOTS_BUCKETS];
}

au_visitor bots_judge(const au_config *config, const bots_signs *signs) {
  bool is_bot = !config->count_bots &&
                (signs->webdriver || bots_match(signs->header) || bots_match(signs->field));
  return is_bot ? AU_VISITOR_BOT : AU_VISITOR_PERSON;
}
