/* Makes chosen allocations of a program fail. Preloaded into the daemon as it is shipped; a test
 * arms it through a shared file. Must not know the program.
 *
 *   cc -shared -fPIC -o fail_malloc.so fail_malloc.c && truncate -s 4096 control
 *   FAIL_MALLOC_FILE=control LD_PRELOAD=./fail_malloc.so program
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES = 24 };

/* The file, in the byte order of the host; tests/oom/oom.mjs knows the offsets. */
typedef struct control {
  _Atomic int64_t left;   /* the allocation that takes it to 0 fails; 0: none does */
  _Atomic int64_t row;    /* how many fail one after the other from there on; 0 is 1 */
  _Atomic int64_t failed; /* since the start of the program */
  _Atomic int64_t live;   /* blocks that are not freed */
  _Atomic int64_t calls;
  int64_t frames;        /* of the last one that failed */
  int64_t at[FRAMES];    /* return addresses, as offsets in their file */
  char file[FRAMES][64]; /* the end of its name */
} control;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *old);

static control *shared;
static _Thread_local int inside; /* the backtrace allocates */

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAIL_MALLOC_FILE");
  void *first[1];
  if (!path) return;
  (void)backtrace(first, 1); /* loads what it needs */
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof(control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) shared = map;
}

static void note_where(void) {
  void *frames[FRAMES];
  int count = backtrace(frames, FRAMES);
  shared->frames = count;
  for (int i = 0; i < count; i++) {
    Dl_info info;
    shared->at[i] = 0;
    shared->file[i][0] = '\0';
    if (!dladdr(frames[i], &info) || !info.dli_fname) continue;
    size_t len = strlen(info.dli_fname), room = sizeof shared->file[i] - 1;
    const char *name = len > room ? info.dli_fname + len - room : info.dli_fname;
    strcpy(shared->file[i], name);
    shared->at[i] = (int64_t)((char *)frames[i] - (char *)info.dli_fbase);
  }
}

static int must_fail(void) {
  if (!shared || inside) return 0;
  atomic_fetch_add(&shared->calls, 1);
  int64_t left = atomic_load(&shared->left);
  if (left == 0 || atomic_fetch_sub(&shared->left, 1) != 1) return 0;
  if (atomic_load(&shared->row) > 1) {
    atomic_fetch_sub(&shared->row, 1);
    atomic_store(&shared->left, 1);
  }
  inside = 1;
  note_where();
  inside = 0;
  atomic_fetch_add(&shared->failed, 1);
  errno = ENOMEM;
  return 1;
}

static void *counted(void *block) {
  if (shared && !inside && block) atomic_fetch_add(&shared->live, 1);
  return block;
}

void *malloc(size_t size) {
  return must_fail() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
  return must_fail() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
  if (!old) return malloc(size);
  return must_fail() ? NULL : __libc_realloc(old, size);
}

void free(void *old) {
  if (shared && !inside && old) atomic_fetch_sub(&shared->live, 1);
  __libc_free(old);
}

void *memalign(size_t align, size_t size) {
  return must_fail() ? NULL : counted(__libc_memalign(align, size));
}

void *aligned_alloc(size_t align, size_t size) {
  return memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size) {
  void *block = memalign(align, size);
  if (!block) return ENOMEM;
  *out = block;
  return 0;
}
