/* Blocks of records, sorted by their numbers. */
#include "series.h"

#include <stdlib.h>
#include <string.h>

enum {
  FIRST_CAPACITY = 2,
  MALLOC_BYTES = 8,  /* what malloc keeps with an allocation … */
  MALLOC_ALIGN = 16, /* … and rounds it to */
};

/* One block more than the day and the 90 days: the newest one is being filled. */
const series_shape SERIES_MINUTES = {AU_HISTORY_SLACK_MINUTES,
                                     AU_HISTORY_MINUTES / AU_HISTORY_SLACK_MINUTES + 1};
const series_shape SERIES_HOURS = {AU_HISTORY_SLACK_HOURS,
                                   AU_HISTORY_HOURS / AU_HISTORY_SLACK_HOURS + 1};

struct series_block {
  uint32_t number; /* of its first record, by the records of a block */
  unsigned char records[];
};

static size_t allocated(size_t bytes) {
  return (bytes + MALLOC_BYTES + MALLOC_ALIGN - 1) / MALLOC_ALIGN * MALLOC_ALIGN;
}

static size_t block_bytes(const series_shape *shape) {
  return allocated(sizeof(series_block) + (size_t)shape->per_block * AU_RECORD_BYTES);
}

static size_t list_bytes(size_t capacity) {
  return capacity > 0 ? allocated(capacity * sizeof(series_block *)) : 0;
}

void series_free(series *s) {
  for (size_t i = 0; i < s->count; i++) free(s->blocks[i]);
  free(s->blocks);
  *s = (series){0};
}

/* Where the block of a number is, or would be. */
static size_t find(const series *s, uint32_t number) {
  size_t at = s->count; /* nearly always the last */
  while (at > 0 && s->blocks[at - 1]->number >= number) at--;
  return at;
}

static bool has(const series *s, size_t at, uint32_t number) {
  return at < s->count && s->blocks[at]->number == number;
}

static void drop_first(series *s, size_t n) {
  if (n == 0) return;
  for (size_t i = 0; i < n; i++) free(s->blocks[i]);
  s->count = (uint16_t)(s->count - n);
  memmove(s->blocks, s->blocks + n, s->count * sizeof(series_block *));
  if (s->count == 0) series_free(s);
}

static void expire_blocks(series *s, const series_shape *shape, uint32_t newest) {
  size_t n = 0;
  while (n < s->count && s->blocks[n]->number + shape->blocks <= newest) n++;
  drop_first(s, n);
}

void series_expire(series *s, const series_shape *shape, uint32_t now) {
  expire_blocks(s, shape, now / shape->per_block);
}

void series_drop_oldest(series *s) {
  drop_first(s, s->count > 0 ? 1 : 0);
}

static size_t next_capacity(const series *s) {
  if (s->count < s->capacity) return s->capacity;
  return s->capacity == 0 ? FIRST_CAPACITY : 2u * s->capacity;
}

size_t series_growth(const series *s, const series_shape *shape, uint32_t at) {
  uint32_t number = at / shape->per_block;
  if (has(s, find(s, number), number)) return 0;
  return block_bytes(shape) + list_bytes(next_capacity(s)) - list_bytes(s->capacity);
}

static bool grow_list(series *s) {
  size_t capacity = next_capacity(s);
  if (capacity == s->capacity) return true;
  series_block **grown = realloc(s->blocks, capacity * sizeof(series_block *));
  if (!grown) return false;
  s->blocks = grown;
  s->capacity = (uint16_t)capacity;
  return true;
}

static bool is_too_old(const series *s, const series_shape *shape, uint32_t number) {
  return s->count > 0 && number + shape->blocks <= s->blocks[s->count - 1]->number;
}

au_status series_put(series *s, const series_shape *shape, uint32_t at,
                     const unsigned char record[AU_RECORD_BYTES]) {
  uint32_t number = at / shape->per_block;
  if (is_too_old(s, shape, number)) return AU_OK;
  size_t place = find(s, number);
  if (!has(s, place, number)) {
    series_block *block = calloc(1, sizeof *block + (size_t)shape->per_block * AU_RECORD_BYTES);
    if (!block || !grow_list(s)) {
      free(block);
      return AU_ENOMEM;
    }
    block->number = number;
    memmove(s->blocks + place + 1, s->blocks + place, (s->count - place) * sizeof(series_block *));
    s->blocks[place] = block;
    s->count++;
  }
  memcpy(s->blocks[place]->records + (size_t)(at % shape->per_block) * AU_RECORD_BYTES, record,
         AU_RECORD_BYTES);
  expire_blocks(s, shape, s->blocks[s->count - 1]->number);
  return AU_OK;
}

void series_read(const series *s, const series_shape *shape, uint32_t from, uint32_t n,
                 unsigned char *out) {
  memset(out, 0, (size_t)n * AU_RECORD_BYTES);
  uint64_t end = (uint64_t)from + n;
  for (size_t i = find(s, from / shape->per_block); i < s->count; i++) {
    const series_block *block = s->blocks[i];
    uint64_t first = (uint64_t)block->number * shape->per_block;
    uint64_t begin = first > from ? first : from, stop = first + shape->per_block;
    if (begin >= end) break;
    if (stop > end) stop = end;
    memcpy(out + (begin - from) * AU_RECORD_BYTES,
           block->records + (begin - first) * AU_RECORD_BYTES, (stop - begin) * AU_RECORD_BYTES);
  }
}

size_t series_bytes(const series *s, const series_shape *shape) {
  return list_bytes(s->capacity) + s->count * block_bytes(shape);
}

size_t series_blocks(const series *s) {
  return s->count;
}

const unsigned char *series_block_at(const series *s, size_t i, uint32_t *number) {
  *number = s->blocks[i]->number;
  return s->blocks[i]->records;
}
