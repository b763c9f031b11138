/* Settings: the first byte says from where. 0: a config file; 1: arguments, one a line; 2:
 * variables, `NAME=value` lines; else the URL of a Redis. Whatever is taken is in range, and
 * whatever is refused is refused with a line for a person. */
#include "fuzz.h"

#include "adapters/redis/protocol/url.h"
#include "options/options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORDS_MAX = 32 };

static char *variables[WORDS_MAX];
static size_t variable_count;

static const char *look_up(const char *name) {
  size_t len = strlen(name);
  for (size_t i = 0; i < variable_count; i++)
    if (strncmp(variables[i], name, len) == 0 && variables[i][len] == '=')
      return variables[i] + len + 1;
  return NULL;
}

static void load(int argc, char **argv) {
  char error[OPTIONS_ERROR_SIZE] = "";
  options *opts;
  au_status status = options_load(argc, argv, look_up, &opts, error);
  if (status != AU_OK) {
    must(status == AU_EINVAL && error[0] != '\0');
    must(memchr(error, '\0', sizeof error) && !strpbrk(error, "\n\r\033"));
    return;
  }
  const char *field;
  must(au_config_check(options_config(opts), &field) == AU_OK);
  FILE *nowhere = fopen("/dev/null", "w");
  must(nowhere != NULL);
  options_print_config(opts, nowhere);
  fclose(nowhere);
  char located[OPTIONS_ERROR_SIZE];
  options_locate(opts, "allowed-origins: is none", located);
  (void)options_have_secret(opts);
  options_free(opts);
}

static void load_file(const char *text) {
  int fd = memfd_create("config", MFD_CLOEXEC);
  must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  char path[64], program[] = "active-users", flag[] = "--config";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  char *argv[] = {program, flag, path, NULL};
  load(3, argv);
  close(fd);
}

static void load_url(const char *text) {
  redis_url url;
  const char *reason = NULL;
  if (redis_url_parse(text, &url, &reason) != AU_OK) {
    must(reason != NULL);
    return;
  }
  must(url.host_count >= 1 && url.host_count <= REDIS_URL_HOSTS_MAX);
  for (size_t i = 0; i < url.host_count; i++) must(url.hosts[i].host[0] != '\0');
  must(url.kind != REDIS_CLUSTER || url.db == 0);
}

static void ignore_unknown(au_slice name, const char *similar) {
  must(name.len <= 64);
  (void)similar;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint8_t from = fuzz_byte(&in);
  char *text = fuzz_text(&in), *rest = text, *word;
  char program[] = "active-users", *words[WORDS_MAX + 1] = {program};
  int count = 1;
  if (from == 0 || from > 2) {
    from == 0 ? load_file(text) : load_url(text);
  } else if (!strstr(text, "/dev") && !strstr(text, "/proc")) { /* a read there may wait */
    while (count < WORDS_MAX && (word = fuzz_cut(&rest, '\n'))) words[count++] = word;
    words[count] = NULL;
    if (from == 2) {
      variable_count = (size_t)count - 1;
      memcpy(variables, words + 1, variable_count * sizeof *variables);
      options_each_unknown_variable(words + 1, ignore_unknown);
      load(1, words);
      variable_count = 0;
    } else {
      load(count, words);
      options_hide_secrets(count, words);
    }
  }
  free(text);
  return 0;
}
