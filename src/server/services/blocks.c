/* A sorted array: there are few blocks, and they seldom change. */
#include "blocks.h"

#include <stdlib.h>
#include <string.h>

struct blocks {
  uint32_t version;
  size_t count;
  address_block all[AU_BOARD_BLOCKS_MAX];
};

au_status blocks_create(blocks **out) {
  *out = calloc(1, sizeof **out);
  return *out ? AU_OK : AU_ENOMEM;
}

void blocks_free(blocks *b) {
  free(b);
}

/* Where a name is, or belongs. */
static size_t place_of(const blocks *b, uint64_t name) {
  size_t from = 0, to = b->count;
  while (from < to) {
    size_t middle = (from + to) / 2;
    if (b->all[middle].name < name)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

address_block *blocks_find(const blocks *b, uint64_t name) {
  size_t i = place_of(b, name);
  return i < b->count && b->all[i].name == name ? blocks_at(b, i) : NULL;
}

au_status blocks_set(blocks *b, uint64_t name, int64_t until_ms, block_state state) {
  size_t i = place_of(b, name);
  if (i == b->count || b->all[i].name != name) {
    if (b->count == AU_BOARD_BLOCKS_MAX) return AU_EFULL;
    memmove(b->all + i + 1, b->all + i, (b->count - i) * sizeof b->all[0]);
    b->count++;
    b->all[i] = (address_block){.name = name};
  }
  address_block *set = &b->all[i];
  if (set->until_ms != until_ms || (set->state == BLOCK_LIFTED) != (state == BLOCK_LIFTED))
    b->version++;
  set->until_ms = until_ms;
  set->state = state;
  return AU_OK;
}

void blocks_remove(blocks *b, size_t i) {
  b->count--;
  memmove(b->all + i, b->all + i + 1, (b->count - i) * sizeof b->all[0]);
  b->version++;
}

void blocks_expire(blocks *b, int64_t now_ms) {
  for (size_t i = b->count; i-- > 0;)
    if (b->all[i].until_ms <= now_ms) blocks_remove(b, i);
}

int64_t blocks_until_ms(const blocks *b, uint64_t name) {
  const address_block *found = blocks_find(b, name);
  return found && found->state != BLOCK_LIFTED ? found->until_ms : 0;
}

size_t blocks_count(const blocks *b) {
  return b->count;
}

address_block *blocks_at(const blocks *b, size_t i) {
  return (address_block *)&b->all[i];
}

uint32_t blocks_version(const blocks *b) {
  return b->version;
}
