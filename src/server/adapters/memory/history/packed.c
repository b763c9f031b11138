/* One bit tells whether all records are there, else one bit a record does. Then for each number its
 * lowest value, how many bits the others are above it, and how many of those bits are zeros at the
 * end of all; then the records. */
#include "packed.h"

#include <string.h>

enum { FIELDS = 5, WIDTH_BITS = 5 };

static const unsigned char bits_of[FIELDS] = AU_RECORD_BITS;

/* ---- bits ---------------------------------------------------------------------------- */

typedef struct bit_writer {
  unsigned char *at;
  uint64_t held; /* fewer than 8 bits that are not written yet */
  unsigned count;
} bit_writer;

/* At most 32 bits. */
static void write_bits(bit_writer *w, uint32_t value, unsigned bits) {
  w->held |= (uint64_t)value << w->count;
  for (w->count += bits; w->count >= 8; w->count -= 8, w->held >>= 8)
    *w->at++ = (unsigned char)w->held;
}

static void write_end(bit_writer *w) {
  if (w->count > 0) *w->at++ = (unsigned char)w->held;
}

typedef struct bit_reader {
  const unsigned char *at;
  uint64_t held;
  unsigned count;
} bit_reader;

static uint32_t read_bits(bit_reader *r, unsigned bits) {
  for (; r->count < bits; r->count += 8) r->held |= (uint64_t)*r->at++ << r->count;
  uint32_t value = (uint32_t)(r->held & (((uint64_t)1 << bits) - 1));
  r->held >>= bits;
  r->count -= bits;
  return value;
}

/* ---- records ------------------------------------------------------------------------- */

typedef struct numbers {
  uint32_t of[FIELDS];
} numbers;

/* How a number of all records is packed. */
typedef struct column {
  uint32_t lowest;
  unsigned width, shift;
} column;

static const unsigned char nothing[AU_RECORD_BYTES];

static bool is_there(const unsigned char *record) {
  return memcmp(record, nothing, AU_RECORD_BYTES) != 0;
}

static numbers split(const unsigned char *record) {
  numbers all;
  bit_reader r = {.at = record};
  for (int f = 0; f < FIELDS; f++) all.of[f] = read_bits(&r, bits_of[f]);
  return all;
}

static void join(const numbers *all, unsigned char *record) {
  bit_writer w = {.at = record};
  for (int f = 0; f < FIELDS; f++) write_bits(&w, all->of[f], bits_of[f]);
}

static unsigned width_of(uint32_t value) {
  return value == 0 ? 0 : 32 - (unsigned)__builtin_clz(value);
}

static column column_of(const numbers *there, uint32_t n, int field) {
  column c = {.lowest = n > 0 ? there[0].of[field] : 0};
  for (uint32_t i = 1; i < n; i++)
    if (there[i].of[field] < c.lowest) c.lowest = there[i].of[field];
  uint32_t above = 0;
  for (uint32_t i = 0; i < n; i++) above |= there[i].of[field] - c.lowest;
  if (above > 0) c.shift = (unsigned)__builtin_ctz(above);
  c.width = width_of(above >> c.shift);
  return c;
}

static uint32_t write_presence(bit_writer *w, const unsigned char *records, uint32_t n,
                               numbers *there) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < n; i++) {
    const unsigned char *record = records + (size_t)i * AU_RECORD_BYTES;
    if (is_there(record)) there[count++] = split(record);
  }
  write_bits(w, count == n, 1);
  for (uint32_t i = 0; count < n && i < n; i++)
    write_bits(w, is_there(records + (size_t)i * AU_RECORD_BYTES), 1);
  return count;
}

size_t packed_write(const unsigned char *records, uint32_t n, unsigned char *out) {
  bit_writer w = {.at = out};
  numbers there[PACKED_RECORDS_MAX];
  column columns[FIELDS];
  uint32_t count = write_presence(&w, records, n, there);
  for (int f = 0; f < FIELDS; f++) {
    columns[f] = column_of(there, count, f);
    write_bits(&w, columns[f].lowest, bits_of[f]);
    write_bits(&w, columns[f].width, WIDTH_BITS);
    write_bits(&w, columns[f].shift, WIDTH_BITS);
  }
  for (uint32_t i = 0; i < count; i++)
    for (int f = 0; f < FIELDS; f++) {
      const column *c = &columns[f];
      write_bits(&w, (there[i].of[f] - c->lowest) >> c->shift, c->width);
    }
  write_end(&w);
  return (size_t)(w.at - out);
}

void packed_read(const unsigned char *packed, uint32_t n, unsigned char *records) {
  bit_reader r = {.at = packed};
  bool there[PACKED_RECORDS_MAX];
  column columns[FIELDS];
  bool all = read_bits(&r, 1) != 0;
  for (uint32_t i = 0; i < n; i++) there[i] = all || read_bits(&r, 1) != 0;
  for (int f = 0; f < FIELDS; f++) {
    columns[f].lowest = read_bits(&r, bits_of[f]);
    columns[f].width = read_bits(&r, WIDTH_BITS);
    columns[f].shift = read_bits(&r, WIDTH_BITS);
  }
  memset(records, 0, (size_t)n * AU_RECORD_BYTES);
  for (uint32_t i = 0; i < n; i++) {
    if (!there[i]) continue;
    numbers one;
    for (int f = 0; f < FIELDS; f++)
      one.of[f] = columns[f].lowest + (read_bits(&r, columns[f].width) << columns[f].shift);
    join(&one, records + (size_t)i * AU_RECORD_BYTES);
  }
}
