/* What the tests of the options share: files, an environment, loading and printing.
 * Arguments and variables of a case are one text, apart by `|`; in it @config and
 * @secret stand for the paths of two files. */
#ifndef TESTS_OPTIONS_CASE_H
#define TESTS_OPTIONS_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options/options.h"
#include "utils/buffer.h"

enum { CASE_WORDS_MAX = 8 };

extern char config_path[];
extern char secret_path[];

int options_set_up(void **state);
int options_tear_down(void **state);

void write_file(const char *path, const char *bytes, size_t len);
void write_files(const char *config, const char *secret);

/* A new text, with the paths in it. */
char *expand(au_slice text);

/* Cuts a text at its `|` into new ones; `words` ends with NULL. */
int split(const char *text, char *words[CASE_WORDS_MAX + 1]);

extern char *environment[CASE_WORDS_MAX + 1];

/* What was loaded must not borrow from the arguments or the environment: both are
 * gone when this returns. */
au_status load(const char *args, const char *env, options **out, char *error);

/* What a printer of options.c writes; freed by the caller. */
char *printed(void (*print)(FILE *), const options *opts);

/* The line of --print-config for a key, without the key; "" when there is none. */
void print_line(const options *opts, const char *key, char *out, size_t size);

#endif
