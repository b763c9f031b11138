/* Little-endian numbers, and FNV-1a over eight bytes at a time for the checksum: it finds damage,
 * not malice; the file is its owner's alone. */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 16, TAIL_BYTES = 16, WRITE_BUFFER_BYTES = 256 * 1024 };

/* "AUSTATE" and a line feed, which a transfer as text would change. */
static const unsigned char magic[8] = {'A', 'U', 'S', 'T', 'A', 'T', 'E', '\n'};

static const uint64_t CHECKSUM_BEGIN = 0xcbf29ce484222325;

static uint64_t checksum_add(uint64_t sum, const unsigned char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) sum = (sum ^ bytes[i]) * 0x100000001b3;
  return sum;
}

static void store_le(unsigned char *out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t load_le(const unsigned char *in, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)in[i] << 8 * i;
  return value;
}

/* ---- one daemon at a time ---------------------------------------------------------- */

int state_file_open_lock(const char *path, const char **problem) {
  char lock[STATE_FILE_PATH_MAX + 8];
  *problem = "the path is too long";
  if (strlen(path) > STATE_FILE_PATH_MAX) return -1;
  snprintf(lock, sizeof lock, "%s.lock", path);
  int fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) *problem = strerror(errno);
  return fd;
}

bool state_file_lock(int fd) {
  return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* ---- writing --------------------------------------------------------------------- */

static const char *beside(const char *path, char out[STATE_FILE_PATH_MAX + 8]) {
  if (strlen(path) > STATE_FILE_PATH_MAX) return "the path is too long";
  snprintf(out, STATE_FILE_PATH_MAX + 8, "%s.tmp", path);
  return NULL;
}

/* Never through a link, and never with the rights that a file had before. */
static int create_file(const char *path) {
  if (unlink(path) != 0 && errno != ENOENT) return -1;
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

const char *state_file_probe(const char *path) {
  char temporary[STATE_FILE_PATH_MAX + 8];
  const char *problem = beside(path, temporary);
  if (problem) return problem;
  struct stat found;
  if (stat(path, &found) == 0 && !S_ISREG(found.st_mode)) return "it is no regular file";
  int fd = create_file(temporary);
  if (fd < 0) return strerror(errno);
  close(fd);
  unlink(temporary);
  return NULL;
}

const char *state_writer_open(state_writer *w, const char *path) {
  *w = (state_writer){.checksum = CHECKSUM_BEGIN};
  const char *problem = beside(path, w->path);
  if (problem) return problem;
  int fd = create_file(w->path);
  if (fd < 0) return strerror(errno);
  w->file = fdopen(fd, "wb");
  if (!w->file) {
    close(fd);
    unlink(w->path);
    return "out of memory";
  }
  (void)setvbuf(w->file, NULL, _IOFBF, WRITE_BUFFER_BYTES);
  unsigned char head[HEAD_BYTES] = {0};
  memcpy(head, magic, sizeof magic);
  store_le(head + sizeof magic, STATE_FILE_VERSION, 4);
  w->failed = fwrite(head, 1, sizeof head, w->file) != sizeof head;
  return NULL;
}

void state_put_bytes(state_writer *w, const void *bytes, size_t len) {
  if (w->failed || len == 0) return;
  w->checksum = checksum_add(w->checksum, bytes, len);
  w->length += len;
  if (fwrite(bytes, 1, len, w->file) != len) w->failed = true;
}

static void put_le(state_writer *w, uint64_t value, size_t bytes) {
  unsigned char out[8];
  store_le(out, value, bytes);
  state_put_bytes(w, out, bytes);
}

void state_put_u32(state_writer *w, uint32_t value) {
  put_le(w, value, 4);
}

void state_put_u64(state_writer *w, uint64_t value) {
  put_le(w, value, 8);
}

void state_put_i64(state_writer *w, int64_t value) {
  put_le(w, (uint64_t)value, 8);
}

void state_put_double(state_writer *w, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_le(w, bits, 8);
}

void state_put_slice(state_writer *w, au_slice s) {
  put_le(w, s.len, 4);
  state_put_bytes(w, s.ptr, s.len);
}

/* The new name is on the disk only when its folder is. */
static void sync_folder(const char *path) {
  char folder[STATE_FILE_PATH_MAX + 1];
  const char *slash = strrchr(path, '/');
  size_t len = slash ? (size_t)(slash - path) + 1 : 0;
  memcpy(folder, len ? path : ".", len ? len : 1);
  folder[len ? len : 1] = '\0';
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

const char *state_writer_close(state_writer *w, const char *path) {
  unsigned char tail[TAIL_BYTES];
  store_le(tail, w->length, 8);
  store_le(tail + 8, w->checksum, 8);
  errno = 0;
  bool failed = w->failed || fwrite(tail, 1, sizeof tail, w->file) != sizeof tail ||
                fflush(w->file) != 0 || fsync(fileno(w->file)) != 0;
  int error = errno;
  if (fclose(w->file) != 0 && !failed) failed = true, error = errno;
  if (!failed && rename(w->path, path) != 0) failed = true, error = errno;
  if (failed) {
    unlink(w->path);
    return strerror(error ? error : EIO);
  }
  sync_folder(path);
  return NULL;
}

/* ---- reading ------------------------------------------------------------------------ */

static const char *check_image(const unsigned char *image, size_t len) {
  if (len < sizeof magic || memcmp(image, magic, sizeof magic) != 0) return "it is no state file";
  if (len < HEAD_BYTES + TAIL_BYTES) return "it is cut off";
  if (load_le(image + sizeof magic, 4) != STATE_FILE_VERSION)
    return "it is of another version of the daemon";
  size_t body = len - HEAD_BYTES - TAIL_BYTES;
  const unsigned char *tail = image + HEAD_BYTES + body;
  if (load_le(tail, 8) != body) return "it is cut off";
  if (load_le(tail + 8, 8) != checksum_add(CHECKSUM_BEGIN, image + HEAD_BYTES, body))
    return "it is damaged";
  return NULL;
}

state_found state_reader_open(state_reader *r, const char *path, const char **reason) {
  *r = (state_reader){0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return STATE_NONE;
  struct stat found;
  if (fd < 0 || fstat(fd, &found) != 0) {
    *reason = strerror(errno);
    if (fd >= 0) close(fd);
    return STATE_BAD;
  }
  void *map = MAP_FAILED;
  if (found.st_size > 0) map = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  *reason = found.st_size > 0 ? strerror(errno) : "it is empty";
  close(fd);
  if (map == MAP_FAILED) return STATE_BAD;
  r->map = map;
  r->map_bytes = (size_t)found.st_size;
  const char *problem = check_image(map, r->map_bytes);
  if (problem) {
    *reason = problem;
    return STATE_BAD;
  }
  r->at = (const unsigned char *)map + HEAD_BYTES;
  r->end = (const unsigned char *)map + r->map_bytes - TAIL_BYTES;
  return STATE_WHOLE;
}

void state_reader_close(state_reader *r) {
  if (r->map) munmap(r->map, r->map_bytes);
  *r = (state_reader){.failed = true};
}

const unsigned char *state_get_bytes(state_reader *r, size_t len) {
  if (r->failed || len > (size_t)(r->end - r->at)) {
    r->failed = true;
    return NULL;
  }
  const unsigned char *bytes = r->at;
  r->at += len;
  return bytes;
}

static uint64_t get_le(state_reader *r, size_t bytes) {
  const unsigned char *in = state_get_bytes(r, bytes);
  return in ? load_le(in, bytes) : 0;
}

uint32_t state_get_u32(state_reader *r) {
  return (uint32_t)get_le(r, 4);
}

uint64_t state_get_u64(state_reader *r) {
  return get_le(r, 8);
}

int64_t state_get_i64(state_reader *r) {
  return (int64_t)get_le(r, 8);
}

double state_get_double(state_reader *r) {
  uint64_t bits = get_le(r, 8);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

au_slice state_get_slice(state_reader *r) {
  size_t len = state_get_u32(r);
  const unsigned char *bytes = state_get_bytes(r, len);
  return bytes ? (au_slice){(const char *)bytes, len} : (au_slice){"", 0};
}

const char *state_file_set_aside(const char *path) {
  char bad[STATE_FILE_PATH_MAX + 8];
  if (strlen(path) > STATE_FILE_PATH_MAX) return "the path is too long";
  snprintf(bad, sizeof bad, "%s.bad", path);
  return rename(path, bad) == 0 ? NULL : strerror(errno);
}
