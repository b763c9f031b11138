/* Reads a whole text file, and checks whether other users may read it too. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static au_status refuse_errno(char *problem, const char *what, const char *path) {
  snprintf(problem, OPTIONS_FILE_PROBLEM_SIZE, "%s %s: %s", what, path, strerror(errno));
  return AU_EINVAL;
}

static au_status read_all(FILE *file, const char *path, char *text, char *problem) {
  /* One byte more than allowed tells a full file from one that is too large. */
  size_t len = fread(text, 1, OPTIONS_FILE_MAX_BYTES + 1, file);
  if (ferror(file)) return refuse_errno(problem, "cannot read", path);
  if (len > OPTIONS_FILE_MAX_BYTES) {
    snprintf(problem, OPTIONS_FILE_PROBLEM_SIZE, "%s is larger than %d bytes", path,
             OPTIONS_FILE_MAX_BYTES);
    return AU_EINVAL;
  }
  if (memchr(text, '\0', len)) {
    snprintf(problem, OPTIONS_FILE_PROBLEM_SIZE, "%s is not a text file", path);
    return AU_EINVAL;
  }
  text[len] = '\0';
  /* Editors on Windows write a byte order mark in front. */
  static const char bom[] = "\xEF\xBB\xBF";
  if (strncmp(text, bom, sizeof bom - 1) == 0)
    memmove(text, text + sizeof bom - 1, len - (sizeof bom - 1) + 1);
  return AU_OK;
}

au_status options_file_read(const char *path, options_file *out,
                            char problem[OPTIONS_FILE_PROBLEM_SIZE]) {
  struct stat mode;
  FILE *file = fopen(path, "re");
  if (!file) return refuse_errno(problem, "cannot open", path);
  out->open_to_others =
      fstat(fileno(file), &mode) == 0 && (mode.st_mode & (S_IRGRP | S_IROTH)) != 0;
  out->text = malloc(OPTIONS_FILE_MAX_BYTES + 1);
  au_status status = out->text ? read_all(file, path, out->text, problem) : AU_ENOMEM;
  fclose(file);
  if (status != AU_OK) free(out->text);
  return status;
}
