/* Secrets that others can read: as an argument, or in a file that is open to them. */
#include "options_case.h"

#include <sys/stat.h>

static char seen[512];

static void note(const char *flag, const char *place, bool in_file) {
  size_t len = strlen(seen);
  snprintf(seen + len, sizeof seen - len, "%s%s %s%s", len ? ", " : "", flag, place,
           in_file ? " file" : "");
}

static void exposed_ones(void **state) {
  (void)state;
  static const struct {
    const char *name, *args, *env, *file, *secret;
    mode_t mode; /* of both files */
    bool has_secret;
    const char *want;
  } cases[] = {
      {"none", "--host=h", "AU_RATE_IP=1", NULL, NULL, 0600, false, ""},
      {"an argument", "--redis-url|redis://:pass@h", NULL, NULL, NULL, 0600, true,
       "redis-url --redis-url"},
      {"a URL without a password", "--redis-url=redis://h", "AU_REDIS_URL=unix:///p", NULL, NULL,
       0600, false, ""},
      {"the environment", NULL, "AU_REDIS_URL=redis://:p@h", NULL, NULL, 0600, true, ""},
      {"a file of our own", NULL, "AU_REDIS_URL_FILE=@secret", NULL, "redis://:p@h", 0600, true,
       ""},
      {"a file that the group may read", NULL, "AU_REDIS_URL_FILE=@secret", NULL, "redis://:p@h",
       0640, true, "redis-url AU_REDIS_URL_FILE file"},
      {"a file that others may read", NULL, "AU_REDIS_URL_FILE=@secret", NULL, "redis://:p@h", 0604,
       true, "redis-url AU_REDIS_URL_FILE file"},
      {"no secret in it", NULL, "AU_REDIS_URL_FILE=@secret", NULL, "redis://h", 0644, false, ""},
      {"the config file", NULL, "AU_CONFIG=@config", "host = h\nredis-url = redis://:p@h\n", NULL,
       0644, true, "redis-url @config file"},
      {"a config file of our own", "--config=@config", NULL, "redis-url = redis://:p@h\n", NULL,
       0600, true, ""},
      {"of one customer", "--config=@config", NULL, "token-secret.shop = a://b\n", NULL, 0644, true,
       "token-secret @config file"},
      {"what looks like a URL without a password", "--token-secret=a://b", NULL, NULL, NULL, 0600,
       true, "token-secret --token-secret"},
      {"overruled, and open all the same", "--redis-url=", "AU_CONFIG=@config",
       "redis-url = redis://:p@h\n", NULL, 0644, true, "redis-url @config file"},
      {"all at once", "--redis-url=redis://:p@h", "AU_CONFIG=@config|AU_REDIS_URL_FILE=@secret",
       "redis-url = redis://:p@h\n", "redis://:p@h", 0644, true,
       "redis-url @config file, redis-url AU_REDIS_URL_FILE file, redis-url --redis-url"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    options *opts;
    char error[OPTIONS_ERROR_SIZE];
    char *want = expand(slice_of(cases[i].want));
    write_files(cases[i].file, cases[i].secret);
    assert_int_equal(chmod(config_path, cases[i].mode) | chmod(secret_path, cases[i].mode), 0);
    if (load(cases[i].args, cases[i].env, &opts, error) != AU_OK)
      fail_msg("%s: %s", cases[i].name, error);
    seen[0] = '\0';
    options_each_exposed(opts, note);
    if (strcmp(seen, want) != 0) fail_msg("%s: '%s', not '%s'", cases[i].name, seen, want);
    if (options_have_secret(opts) != cases[i].has_secret) fail_msg("%s", cases[i].name);
    options_free(opts);
    free(want);
  }
}

static void hidden_arguments(void **state) {
  (void)state;
  static const struct {
    const char *name, *args, *want;
  } cases[] = {
      {"nothing to hide", "--host=h|--redis-url=redis://h", "--host=h|--redis-url=redis://h"},
      {"behind an equals sign", "--redis-url=redis://:p@h|--host=h",
       "--redis-url=************|--host=h"},
      {"a word of its own", "--redis-url|redis://:p@h|--host|h",
       "--redis-url|************|--host|h"},
      {"no URL", "--redis-url=pass", "--redis-url=****"},
      {"a secret that is no URL", "--token-secret=a://b", "--token-secret=*****"},
      {"twice", "--redis-url=a|--redis-url=bc", "--redis-url=*|--redis-url=**"},
      {"no value", "--redis-url|--host=a@b", "--redis-url|--host=a@b"},
      {"at the end", "--host=h|--redis-url", "--host=h|--redis-url"},
      {"the value of another flag", "--host|--redis-url=a", "--host|--redis-url=*"},
      {"what looks like one is a value", "--host|redis-url=a|--nonsense|x@y",
       "--host|redis-url=a|--nonsense|x@y"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char program[] = "active-users", got[256] = "";
    char *argv[CASE_WORDS_MAX + 2] = {program};
    int argc = 1 + split(cases[i].args, argv + 1);
    options_hide_secrets(argc, argv);
    for (int a = 1; a < argc; a++) {
      size_t len = strlen(got);
      snprintf(got + len, sizeof got - len, "%s%s", len ? "|" : "", argv[a]);
      free(argv[a]);
    }
    if (strcmp(got, cases[i].want) != 0) fail_msg("%s: %s", cases[i].name, got);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exposed_ones),
      cmocka_unit_test(hidden_arguments),
  };
  return cmocka_run_group_tests_name("options_secrets", tests, options_set_up, options_tear_down);
}
