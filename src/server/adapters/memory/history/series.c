/* Blocks of records, sorted by their numbers. */
#include "series.h"

#include "packed.h"
#include "utils/malloc_bytes.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 2 };

/* One block more than the day and the 90 days: the newest one is being filled. */
const series_shape SERIES_MINUTES = {AU_HISTORY_SLACK_MINUTES,
                                     AU_HISTORY_MINUTES / AU_HISTORY_SLACK_MINUTES + 1};
const series_shape SERIES_HOURS = {AU_HISTORY_SLACK_HOURS,
                                   AU_HISTORY_HOURS / AU_HISTORY_SLACK_HOURS + 1};
_Static_assert((int)AU_HISTORY_SLACK_MINUTES <= (int)PACKED_RECORDS_MAX &&
                   (int)AU_HISTORY_SLACK_HOURS <= (int)PACKED_RECORDS_MAX,
               "a block can be packed");

struct series_block {
  uint32_t number; /* of its first record, by the records of a block */
  uint16_t packed; /* bytes of `content`; 0: records as they are */
  unsigned char content[];
};

/* ---- blocks -------------------------------------------------------------------------- */

static size_t records_bytes(const series_shape *shape) {
  return (size_t)shape->per_block * AU_RECORD_BYTES;
}

static size_t block_bytes(const series_block *block, const series_shape *shape) {
  return malloc_bytes(sizeof *block + (block->packed > 0 ? block->packed : records_bytes(shape)));
}

static size_t list_bytes(size_t capacity) {
  return capacity > 0 ? malloc_bytes(capacity * sizeof(series_block *)) : 0;
}

/* Zeros: no record is there. */
static series_block *new_block(const series_shape *shape, uint32_t number) {
  series_block *block = calloc(1, sizeof *block + records_bytes(shape));
  if (block) block->number = number;
  return block;
}

/* Its records: inside of it, or written to `room` for PACKED_RECORDS_MAX. */
static const unsigned char *records_of(const series_block *block, const series_shape *shape,
                                       unsigned char *room) {
  if (block->packed == 0) return block->content;
  packed_read(block->content, shape->per_block, room);
  return room;
}

static void replace(series *s, const series_shape *shape, size_t at, series_block *block) {
  s->bytes += (uint32_t)block_bytes(block, shape);
  s->bytes -= (uint32_t)block_bytes(s->blocks[at], shape);
  free(s->blocks[at]);
  s->blocks[at] = block;
}

/* Leaves a block as it is that would not be smaller, or without memory. */
static void pack(series *s, const series_shape *shape, size_t at) {
  unsigned char packed[PACKED_BYTES_MAX];
  const series_block *block = s->blocks[at];
  if (block->packed > 0) return;
  size_t bytes = packed_write(block->content, shape->per_block, packed);
  if (bytes >= records_bytes(shape)) return;
  series_block *smaller = malloc(sizeof *smaller + bytes);
  if (!smaller) return;
  *smaller = (series_block){.number = block->number, .packed = (uint16_t)bytes};
  memcpy(smaller->content, packed, bytes);
  replace(s, shape, at, smaller);
}

static au_status unpack(series *s, const series_shape *shape, size_t at) {
  const series_block *block = s->blocks[at];
  if (block->packed == 0) return AU_OK;
  series_block *larger = new_block(shape, block->number);
  if (!larger) return AU_ENOMEM;
  packed_read(block->content, shape->per_block, larger->content);
  replace(s, shape, at, larger);
  return AU_OK;
}

/* ---- the list ------------------------------------------------------------------------ */

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

static void drop_first(series *s, const series_shape *shape, size_t n) {
  if (n == 0) return;
  for (size_t i = 0; i < n; i++) {
    s->bytes -= (uint32_t)block_bytes(s->blocks[i], shape);
    free(s->blocks[i]);
  }
  s->count = (uint16_t)(s->count - n);
  memmove(s->blocks, s->blocks + n, s->count * sizeof(series_block *));
  if (s->count == 0) series_free(s);
}

static void expire_blocks(series *s, const series_shape *shape, uint32_t newest) {
  size_t n = 0;
  while (n < s->count && s->blocks[n]->number + shape->blocks <= newest) n++;
  drop_first(s, shape, n);
}

void series_expire(series *s, const series_shape *shape, uint32_t now) {
  expire_blocks(s, shape, now / shape->per_block);
}

void series_drop_oldest(series *s, const series_shape *shape) {
  drop_first(s, shape, s->count > 0 ? 1 : 0);
}

/* For a block more than the shape has: a new one comes before the oldest goes. */
static size_t next_capacity(const series *s, const series_shape *shape) {
  if (s->count < s->capacity) return s->capacity;
  size_t doubled = s->capacity == 0 ? FIRST_CAPACITY : 2u * s->capacity;
  size_t most = shape->blocks + 1;
  return doubled < most || s->capacity >= most ? doubled : most;
}

size_t series_growth(const series *s, const series_shape *shape, uint32_t at) {
  uint32_t number = at / shape->per_block;
  size_t place = find(s, number);
  size_t whole = malloc_bytes(sizeof(series_block) + records_bytes(shape));
  if (has(s, place, number)) return whole - block_bytes(s->blocks[place], shape);
  return whole + list_bytes(next_capacity(s, shape)) - list_bytes(s->capacity);
}

static bool grow_list(series *s, const series_shape *shape) {
  size_t capacity = next_capacity(s, shape);
  if (capacity == s->capacity) return true;
  series_block **grown = realloc(s->blocks, capacity * sizeof(series_block *));
  if (!grown) return false;
  s->bytes += (uint32_t)(list_bytes(capacity) - list_bytes(s->capacity));
  s->blocks = grown;
  s->capacity = (uint16_t)capacity;
  return true;
}

static au_status insert(series *s, const series_shape *shape, size_t place, uint32_t number) {
  series_block *block = new_block(shape, number);
  if (!block || !grow_list(s, shape)) {
    free(block);
    return AU_ENOMEM;
  }
  memmove(s->blocks + place + 1, s->blocks + place, (s->count - place) * sizeof(series_block *));
  s->blocks[place] = block;
  s->count++;
  s->bytes += (uint32_t)block_bytes(block, shape);
  return AU_OK;
}

static bool is_too_old(const series *s, const series_shape *shape, uint32_t number) {
  return s->count > 0 && number + shape->blocks <= s->blocks[s->count - 1]->number;
}

au_status series_put(series *s, const series_shape *shape, uint32_t at,
                     const unsigned char record[AU_RECORD_BYTES]) {
  uint32_t number = at / shape->per_block;
  if (is_too_old(s, shape, number)) return AU_OK;
  size_t place = find(s, number);
  bool is_new = !has(s, place, number);
  au_status status = is_new ? insert(s, shape, place, number) : unpack(s, shape, place);
  if (status != AU_OK) return status;
  memcpy(s->blocks[place]->content + (size_t)(at % shape->per_block) * AU_RECORD_BYTES, record,
         AU_RECORD_BYTES);
  size_t last = s->count - 1u;
  if (place < last)
    pack(s, shape, place);
  else if (is_new && place > 0)
    pack(s, shape, place - 1);
  expire_blocks(s, shape, s->blocks[last]->number);
  return AU_OK;
}

void series_read(const series *s, const series_shape *shape, uint32_t from, uint32_t n,
                 unsigned char *out) {
  unsigned char room[PACKED_RECORDS_MAX * AU_RECORD_BYTES];
  memset(out, 0, (size_t)n * AU_RECORD_BYTES);
  uint64_t end = (uint64_t)from + n;
  for (size_t i = find(s, from / shape->per_block); i < s->count; i++) {
    const series_block *block = s->blocks[i];
    uint64_t first = (uint64_t)block->number * shape->per_block;
    uint64_t begin = first > from ? first : from, stop = first + shape->per_block;
    if (begin >= end) break;
    if (stop > end) stop = end;
    memcpy(out + (begin - from) * AU_RECORD_BYTES,
           records_of(block, shape, room) + (begin - first) * AU_RECORD_BYTES,
           (stop - begin) * AU_RECORD_BYTES);
  }
}

size_t series_blocks(const series *s) {
  return s->count;
}

uint32_t series_block_number(const series *s, size_t i) {
  return s->blocks[i]->number;
}
