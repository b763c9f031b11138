/* Reads the config file and the files of secrets. Knows no setting. */
#ifndef OPTIONS_FILE_H
#define OPTIONS_FILE_H

#include <active_users/types.h>

enum {
  OPTIONS_FILE_MAX_BYTES = 64 * 1024,
  OPTIONS_FILE_PROBLEM_SIZE = 256,
};

typedef struct options_file {
  char *text;          /* ended by NUL; the caller's to free */
  bool open_to_others; /* the group or others may read the file */
} options_file;

/* Reads a whole file of text. Returns AU_OK, AU_ENOMEM, or AU_EINVAL with `problem` set
 * ("cannot open /x: No such file or directory"). */
AU_MUST_CHECK au_status options_file_read(const char *path, options_file *out,
                                          char problem[OPTIONS_FILE_PROBLEM_SIZE]);

#endif
