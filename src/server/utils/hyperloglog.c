/* Sparse and dense registers, and the estimate. */
#include "hyperloglog.h"

#include "malloc_bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  CAPACITY_STEP = 8,                      /* words; an eighth of a longer list */
  HASH_BITS_LEFT = 64 - HYPERLOGLOG_BITS, /* which the rank is made of */
  RANK_MAX = HASH_BITS_LEFT + 1,
  RANK_MASK = 63,
  RANK_BITS = 6,
  STEP_MAX = (1 << (16 - RANK_BITS)) - 1,           /* from one word's register to the next one's */
  WORDS_MAX = HYPERLOGLOG_REGISTERS / STEP_MAX + 1, /* that one register may take */
  PART_REGISTERS = HYPERLOGLOG_REGISTERS / HYPERLOGLOG_PARTS,
  PART_BYTES = HYPERLOGLOG_DENSE_BYTES / HYPERLOGLOG_PARTS,

};
_Static_assert(PART_REGISTERS *RANK_BITS % 8 == 0, "no register is in two parts");

/* ---- dense ---------------------------------------------------------------------- */

/* Of one part, or of an image. */
static unsigned get_rank(const unsigned char *ranks, uint32_t at) {
  uint32_t bit = at * RANK_BITS, byte = bit / 8, shift = bit % 8;
  unsigned word = ranks[byte];
  if (shift > 2) word |= (unsigned)ranks[byte + 1] << 8;
  return word >> shift & RANK_MASK;
}

static void set_rank(unsigned char *ranks, uint32_t at, unsigned rank) {
  uint32_t bit = at * RANK_BITS, byte = bit / 8, shift = bit % 8;
  ranks[byte] = (unsigned char)((ranks[byte] & ~(RANK_MASK << shift)) | rank << shift);
  if (shift <= 2) return;
  ranks[byte + 1] =
      (unsigned char)((ranks[byte + 1] & ~(RANK_MASK >> (8 - shift))) | rank >> (8 - shift));
}

static void raise_dense(unsigned char *const *parts, uint32_t at, unsigned rank) {
  unsigned char *part = parts[at / PART_REGISTERS];
  if (get_rank(part, at % PART_REGISTERS) < rank) set_rank(part, at % PART_REGISTERS, rank);
}

static void free_parts(unsigned char **parts) {
  for (int i = 0; parts && i < HYPERLOGLOG_PARTS; i++) free(parts[i]);
  free(parts);
}

static unsigned char **new_parts(void) {
  unsigned char **parts = calloc(HYPERLOGLOG_PARTS, sizeof *parts);
  if (!parts) return NULL;
  for (int i = 0; i < HYPERLOGLOG_PARTS; i++) {
    parts[i] = calloc(1, PART_BYTES);
    if (parts[i]) continue;
    free_parts(parts);
    return NULL;
  }
  return parts;
}

/* ---- sparse --------------------------------------------------------------------- */

static unsigned rank_of(uint16_t word) {
  return word & RANK_MASK;
}

static uint32_t step_of(uint16_t word) {
  return word >> RANK_BITS;
}

static uint16_t word_of(uint32_t step, unsigned rank) {
  return (uint16_t)(step << RANK_BITS | rank);
}

static size_t capacity_for(size_t capacity, size_t count) {
  while (capacity < count) capacity += CAPACITY_STEP + capacity / 8 / CAPACITY_STEP * CAPACITY_STEP;
  return capacity < HYPERLOGLOG_SPARSE_MAX ? capacity : HYPERLOGLOG_SPARSE_MAX;
}

/* false: without memory. The list may have `words` more. */
static bool reserve(hyperloglog *set, size_t words) {
  size_t capacity = capacity_for(set->capacity, set->count + words);
  if (capacity == set->capacity) return true;
  uint16_t *grown = realloc(set->sparse, capacity * sizeof *grown);
  if (!grown) return false;
  set->sparse = grown;
  set->capacity = (uint16_t)capacity;
  return true;
}

/* Behind the last word, in steps. */
static void append(hyperloglog *set, uint32_t at, unsigned rank) {
  for (; at - set->last > STEP_MAX; set->last += STEP_MAX)
    set->sparse[set->count++] = word_of(STEP_MAX, 0);
  set->sparse[set->count++] = word_of(at - set->last, rank);
  set->last = (uint16_t)at;
}

/* Before the word at `place`, whose register is `next`; the one before it is at `before`. */
static void insert(hyperloglog *set, size_t place, uint32_t before, uint32_t at, uint32_t next,
                   unsigned rank) {
  uint16_t *word = set->sparse + place;
  memmove(word + 1, word, (set->count - place) * sizeof *word);
  word[0] = word_of(at - before, rank);
  word[1] = word_of(next - at, rank_of(word[1]));
  set->count++;
}

static bool is_behind_all(const hyperloglog *set, uint32_t at) {
  return set->count == 0 || at > set->last;
}

/* The list has room. */
static void raise_sparse(hyperloglog *set, uint32_t at, unsigned rank) {
  if (is_behind_all(set, at)) {
    append(set, at, rank);
    return;
  }
  uint32_t before = 0, next = 0;
  size_t place = 0;
  for (;; place++) {
    next = before + step_of(set->sparse[place]);
    if (next >= at) break;
    before = next;
  }
  if (next > at)
    insert(set, place, before, at, next, rank);
  else if (rank_of(set->sparse[place]) < rank)
    set->sparse[place] = word_of(next - before, rank);
}

/* The register and the rank of the word at *place, or of the first one behind it that has one;
 * false: none has. Begin with zeros. */
static bool next_register(const hyperloglog *set, size_t *place, uint32_t *at, unsigned *rank) {
  while (*place < set->count) {
    uint16_t word = set->sparse[(*place)++];
    *at += step_of(word);
    *rank = rank_of(word);
    if (*rank > 0) return true;
  }
  return false;
}

/* ---- a set ---------------------------------------------------------------------- */

void hyperloglog_free(hyperloglog *set) {
  free(set->sparse);
  free_parts(set->dense);
  *set = (hyperloglog){0};
}

static bool make_dense(hyperloglog *set) {
  unsigned char **parts = new_parts();
  if (!parts) return false;
  unsigned rank;
  uint32_t at = 0;
  for (size_t place = 0; next_register(set, &place, &at, &rank);) raise_dense(parts, at, rank);
  free(set->sparse);
  *set = (hyperloglog){.dense = parts};
  return true;
}

static au_status raise_register(hyperloglog *set, uint32_t at, unsigned rank) {
  /* One that is not behind all takes a word at most. */
  size_t words = is_behind_all(set, at) ? WORDS_MAX : 1;
  bool is_full = !set->dense && set->count + words > HYPERLOGLOG_SPARSE_MAX;
  if (is_full && !make_dense(set)) return AU_ENOMEM;
  if (set->dense) {
    raise_dense(set->dense, at, rank);
    return AU_OK;
  }
  if (is_behind_all(set, at)) words = (at - set->last) / STEP_MAX + 1;
  if (!reserve(set, words)) return AU_ENOMEM;
  raise_sparse(set, at, rank);
  return AU_OK;
}

au_status hyperloglog_add(hyperloglog *set, uint64_t hash) {
  uint32_t at = (uint32_t)(hash & (HYPERLOGLOG_REGISTERS - 1));
  uint64_t rest = hash >> HYPERLOGLOG_BITS | (uint64_t)1 << HASH_BITS_LEFT;
  return raise_register(set, at, (unsigned)__builtin_ctzll(rest) + 1);
}

static size_t list_bytes(size_t capacity) {
  return capacity > 0 ? malloc_bytes(capacity * sizeof(uint16_t)) : 0;
}

static size_t dense_bytes(void) {
  return malloc_bytes(HYPERLOGLOG_PARTS * sizeof(unsigned char *)) +
         HYPERLOGLOG_PARTS * malloc_bytes(PART_BYTES);
}

size_t hyperloglog_bytes(const hyperloglog *set) {
  return set->dense ? dense_bytes() : list_bytes(set->capacity);
}

size_t hyperloglog_growth(const hyperloglog *set) {
  if (set->dense) return 0;
  if (set->count + WORDS_MAX > HYPERLOGLOG_SPARSE_MAX) return dense_bytes();
  return list_bytes(capacity_for(set->capacity, set->count + WORDS_MAX)) -
         list_bytes(set->capacity);
}

/* ---- images --------------------------------------------------------------------- */

static size_t list_image(const hyperloglog *set, unsigned char *out) {
  size_t len = 0;
  unsigned rank;
  uint32_t at = 0;
  for (size_t place = 0; next_register(set, &place, &at, &rank); len += sizeof at) {
    uint32_t entry = at << RANK_BITS | rank;
    memcpy(out + len, &entry, sizeof entry);
  }
  return len;
}

au_slice hyperloglog_image(const hyperloglog *set, unsigned char out[HYPERLOGLOG_DENSE_BYTES]) {
  if (!set->dense) return (au_slice){(const char *)out, list_image(set, out)};
  for (int i = 0; i < HYPERLOGLOG_PARTS; i++)
    memcpy(out + (size_t)i * PART_BYTES, set->dense[i], PART_BYTES);
  return (au_slice){(const char *)out, HYPERLOGLOG_DENSE_BYTES};
}

/* Of registers in order. */
static bool is_list(au_slice image) {
  uint32_t entry, before = 0;
  if (image.len % sizeof entry != 0) return false;
  for (size_t at = 0; at < image.len; at += sizeof entry) {
    memcpy(&entry, image.ptr + at, sizeof entry);
    if (entry >> RANK_BITS >= HYPERLOGLOG_REGISTERS) return false;
    if (at > 0 && entry >> RANK_BITS <= before >> RANK_BITS) return false;
    before = entry;
  }
  return true;
}

au_status hyperloglog_load(hyperloglog *set, au_slice image) {
  *set = (hyperloglog){0};
  au_status status = AU_OK;
  if (image.len == HYPERLOGLOG_DENSE_BYTES && !is_list(image)) {
    for (uint32_t at = 0; at < HYPERLOGLOG_REGISTERS && status == AU_OK; at++) {
      unsigned rank = get_rank((const unsigned char *)image.ptr, at);
      if (rank > 0) status = raise_register(set, at, rank);
    }
  } else {
    if (image.len > HYPERLOGLOG_DENSE_BYTES || !is_list(image)) return AU_EINVAL;
    for (size_t i = 0; i < image.len && status == AU_OK; i += sizeof(uint32_t)) {
      uint32_t entry;
      memcpy(&entry, image.ptr + i, sizeof entry);
      status = raise_register(set, entry >> RANK_BITS, entry & RANK_MASK);
    }
  }
  if (status != AU_OK) hyperloglog_free(set);
  return status;
}

/* ---- the estimate ----------------------------------------------------------------- */

static double sigma(double x) {
  if (x == 1) return INFINITY;
  double y = 1, z = x, before;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (z != before);
  return z;
}

static double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1, z = 1 - x, before;
  do {
    x = sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != before);
  return z / 3;
}

static void merge(unsigned char *ranks, const hyperloglog *set) {
  unsigned rank;
  uint32_t at = 0;
  for (size_t place = 0; next_register(set, &place, &at, &rank);)
    if (ranks[at] < rank) ranks[at] = (unsigned char)rank;
  for (at = 0; set->dense && at < HYPERLOGLOG_REGISTERS; at++) {
    rank = get_rank(set->dense[at / PART_REGISTERS], at % PART_REGISTERS);
    if (ranks[at] < rank) ranks[at] = (unsigned char)rank;
  }
}

uint64_t hyperloglog_count(const hyperloglog *const *sets, size_t n) {
  unsigned char ranks[HYPERLOGLOG_REGISTERS] = {0};
  unsigned histogram[RANK_MASK + 1] = {0};
  for (size_t i = 0; i < n; i++) merge(ranks, sets[i]);
  for (size_t i = 0; i < HYPERLOGLOG_REGISTERS; i++) histogram[ranks[i]]++;
  const double m = HYPERLOGLOG_REGISTERS, alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
  double z = m * tau((m - histogram[RANK_MAX]) / m);
  for (int rank = HASH_BITS_LEFT; rank >= 1; rank--) z = 0.5 * (z + histogram[rank]);
  z += m * sigma(histogram[0] / m);
  return (uint64_t)llround(alpha * m * m / z);
}
