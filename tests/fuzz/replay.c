/* Runs a fuzzer over files, each an input; a folder stands for all files in it. For compilers
 * without libFuzzer. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX_BYTES = 1024 * 1024 };

static unsigned replayed;
static char current[4096]; /* the path, for whoever looks at a core */

static bool replay_file(const char *path) {
  FILE *file = fopen(path, "rb");
  char *bytes = malloc(INPUT_MAX_BYTES);
  if (!file || !bytes) {
    perror(path);
    free(bytes);
    if (file) fclose(file);
    return false;
  }
  size_t len = fread(bytes, 1, INPUT_MAX_BYTES, file);
  fclose(file);
  snprintf(current, sizeof current, "%s", path);
  char *exact = fuzz_copy(bytes, len);
  free(bytes);
  (void)LLVMFuzzerTestOneInput((const uint8_t *)exact, len);
  free(exact);
  replayed++;
  return true;
}

static bool replay(const char *path) {
  DIR *dir = opendir(path);
  if (!dir) return replay_file(path);
  bool ok = true;
  for (const struct dirent *entry; ok && (entry = readdir(dir));) {
    char file[4096];
    if (entry->d_name[0] == '.') continue;
    snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
    ok = replay_file(file);
  }
  closedir(dir);
  return ok;
}

/* A sanitizer or must() ends the process: its last word is which input did it. */
static void say_which(int status, void *arg) {
  (void)arg;
  if (status != 0) fprintf(stderr, "the input was %s\n", current);
}

int main(int argc, char **argv) {
  on_exit(say_which, NULL);
  for (int i = 1; i < argc; i++)
    if (!replay(argv[i])) return 1;
  if (replayed == 0) {
    fprintf(stderr, "%s: no inputs\n", argv[0]);
    return 1;
  }
  const char *name = strrchr(argv[0], '/');
  printf("[  FUZZ  ] %s: %u inputs\n", name ? name + 1 : argv[0], replayed);
  return 0;
}
