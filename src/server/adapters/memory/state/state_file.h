/* A file of numbers and bytes that is whole or not taken: a head with a version, the body, a
 * checksum behind it. Written beside its place, mode 0600, and renamed. Knows not what it holds. */
#ifndef ADAPTERS_STATE_FILE_H
#define ADAPTERS_STATE_FILE_H

#include <active_users/types.h>
#include <stdio.h>

enum { STATE_FILE_VERSION = 2, STATE_FILE_PATH_MAX = 4095 };

/* ---- one daemon at a time ----------------------------------------------------- */

/* Opens `path`.lock, which stays there. Returns a descriptor that the caller closes, which ends
 * what state_file_lock has taken; -1: *problem says why. */
int state_file_open_lock(const char *path, const char **problem);

/* Takes the lock; false: another process has it. */
bool state_file_lock(int fd);

/* ---- writing ------------------------------------------------------------------ */

typedef struct state_writer {
  FILE *file;
  uint64_t checksum, length;
  bool failed; /* stays set: asked once, by state_writer_close */
  char path[STATE_FILE_PATH_MAX + 8];
} state_writer;

/* NULL, or why a file cannot be written at `path`: a text of the system. Leaves nothing behind. */
const char *state_file_probe(const char *path);

/* Returns NULL, or why not. */
const char *state_writer_open(state_writer *w, const char *path);

void state_put_bytes(state_writer *w, const void *bytes, size_t len);
void state_put_u32(state_writer *w, uint32_t value);
void state_put_u64(state_writer *w, uint64_t value);
void state_put_i64(state_writer *w, int64_t value);
void state_put_double(state_writer *w, double value);
void state_put_slice(state_writer *w, au_slice s); /* its length, up to 2^32 - 1, and its bytes */

/* Puts the file to its place. Returns NULL, or why not: `path` is as it was then. */
const char *state_writer_close(state_writer *w, const char *path);

/* ---- reading -------------------------------------------------------------------- */

typedef struct state_reader {
  const unsigned char *at, *end;
  bool failed; /* read beyond the end: zeros and "" are read from then on */
  void *map;
  size_t map_bytes;
} state_reader;

typedef enum state_found { STATE_NONE, STATE_WHOLE, STATE_BAD } state_found;

/* Opens a file and checks all of it. STATE_NONE: there is none. STATE_BAD: *reason, static or of
 * the system, says why it is not taken. state_reader_close in any case. */
state_found state_reader_open(state_reader *r, const char *path, const char **reason);
void state_reader_close(state_reader *r);

uint32_t state_get_u32(state_reader *r);
uint64_t state_get_u64(state_reader *r);
int64_t state_get_i64(state_reader *r);
double state_get_double(state_reader *r);
au_slice state_get_slice(state_reader *r); /* into the file, until it is closed */
const unsigned char *state_get_bytes(state_reader *r, size_t len); /* NULL when failed */

/* Renames a file that was not taken to `path`.bad. Returns NULL, or why not. */
const char *state_file_set_aside(const char *path);

#endif
