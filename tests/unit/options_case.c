/* Loads and prints options for tests. */
#include "options_case.h"

char config_path[] = "/tmp/au-test-options-XXXXXX";
char secret_path[] = "/tmp/au-test-secret-XXXXXX";

int options_set_up(void **state) {
  (void)state;
  int config = mkstemp(config_path), secret = mkstemp(secret_path);
  if (config < 0 || secret < 0) return -1;
  close(config);
  close(secret);
  return 0;
}

int options_tear_down(void **state) {
  (void)state;
  return unlink(config_path) | unlink(secret_path);
}

void write_file(const char *path, const char *bytes, size_t len) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
}

void write_files(const char *config, const char *secret) {
  write_file(config_path, config ? config : "", config ? strlen(config) : 0);
  write_file(secret_path, secret ? secret : "", secret ? strlen(secret) : 0);
}

char *expand(au_slice text) {
  buffer out;
  buffer_init(&out, 16 * 1024);
  while (text.len > 0) {
    bool config = text.len >= 7 && memcmp(text.ptr, "@config", 7) == 0;
    bool secret = text.len >= 7 && memcmp(text.ptr, "@secret", 7) == 0;
    size_t step = config || secret ? 7 : 1;
    if (step == 1)
      buffer_append(&out, text.ptr, 1);
    else
      buffer_append_text(&out, config ? config_path : secret_path);
    text = (au_slice){text.ptr + step, text.len - step};
  }
  buffer_append(&out, "", 1);
  assert_false(out.failed);
  return out.ptr;
}

int split(const char *text, char *words[CASE_WORDS_MAX + 1]) {
  int n = 0;
  au_slice rest = slice_of(text ? text : ""), word;
  while (slice_next(&rest, '|', &word)) {
    assert_in_range(n, 0, CASE_WORDS_MAX - 1);
    words[n++] = expand(word);
  }
  words[n] = NULL;
  return n;
}

char *environment[CASE_WORDS_MAX + 1];

static const char *look_up(const char *name) {
  size_t len = strlen(name);
  for (size_t i = 0; environment[i]; i++)
    if (strncmp(environment[i], name, len) == 0 && environment[i][len] == '=')
      return environment[i] + len + 1;
  return NULL;
}

au_status load(const char *args, const char *env, options **out, char *error) {
  char program[] = "active-users", *argv[CASE_WORDS_MAX + 2] = {program};
  int argc = 1 + split(args, argv + 1);
  split(env, environment);
  *out = NULL;
  error[0] = '\0';
  au_status status = options_load(argc, argv, look_up, out, error);
  for (int i = 1; i < argc; i++) free(argv[i]);
  for (size_t i = 0; environment[i]; i++) free(environment[i]);
  environment[0] = NULL;
  return status;
}

char *printed(void (*print)(FILE *), const options *opts) {
  static char *text; /* gcc 12 takes what open_memstream puts here for a local's address */
  static size_t len;
  FILE *to = open_memstream(&text, &len);
  assert_non_null(to);
  if (opts)
    options_print_config(opts, to);
  else
    print(to);
  assert_int_equal(fclose(to), 0);
  return text;
}

void print_line(const options *opts, const char *key, char *out, size_t size) {
  char *text = printed(NULL, opts);
  size_t len = strlen(key);
  out[0] = '\0';
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    if (strncmp(line, key, len) != 0 || line[len] != ' ') continue;
    const char *value = strchr(line, '=') + 2;
    snprintf(out, size, "%s", value);
  }
  free(text);
}
