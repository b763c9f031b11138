/* Options that are wrong: each error, word for word, and no secret in any of them. */
#include "options_case.h"

/* Cases that do not load: the whole error. */
static const struct {
  const char *name, *args, *env, *file, *secret, *want;
} bad[] = {
    {"out of range by a flag", "--http-port|70000", NULL, NULL, NULL,
     "--http-port: 70000 is out of range (0 to 65535)"},
    {"out of range by the environment", NULL, "AU_EMA_ALPHA=1.5", NULL, NULL,
     "AU_EMA_ALPHA: 1.5 is out of range (above 0, up to 1)"},
    {"out of range in the file", "--config=@config", NULL, "\n\nema-interval = 49\n", NULL,
     "@config:3: ema-interval: 49 is out of range (50 to 3600000)"},
    {"a negative value is a value", "--rate-ip|-1", NULL, NULL, NULL,
     "--rate-ip: -1 is out of range (0 to 10000000)"},
    {"an empty number", "--rate-ip=", NULL, NULL, NULL,
     "--rate-ip: an empty text is not a whole number"},
    {"not a boolean", "--enable-websocket|maybe", NULL, NULL, NULL,
     "--enable-websocket: maybe is not true or false"},
    {"not a word", NULL, "AU_LOG_LEVEL=loud", NULL, NULL,
     "AU_LOG_LEVEL: loud is not one of error, warn, info, debug"},
    {"an empty host", "--host=", NULL, NULL, NULL, "--host: must not be empty"},
    {"a newline", NULL, "AU_ALLOWED_ORIGINS=a\nb", NULL, NULL,
     "AU_ALLOWED_ORIGINS: has a control character"},
    {"wrong, though a flag overrules it", "--rate-ip=1", "AU_RATE_IP=x", NULL, NULL,
     "AU_RATE_IP: x is not a whole number"},
    {"wrong in the file, though overruled", "--config=@config|--rate-ip=1", NULL, "rate-ip = x",
     NULL, "@config:1: rate-ip: x is not a whole number"},

    {"no such flag", "--hots|x", NULL, NULL, NULL,
     "--hots: no such flag; did you mean --host? --help lists them"},
    {"no such flag, and its value is not told", "--redis=redis://:pass@h", NULL, NULL, NULL,
     "--redis: no such flag; --help lists them"},
    {"a value sticks to its flag", "--redis-url:pass@h", NULL, NULL, NULL,
     "--redis-url: no such flag; --help lists them"},
    {"a beginning of a flag", "--http|1", NULL, NULL, NULL,
     "--http: no such flag; --help lists them"},
    {"a longer flag", "--hosts|1", NULL, NULL, NULL,
     "--hosts: no such flag; did you mean --host? --help lists them"},
    {"a flag without a name", "--|1", NULL, NULL, NULL, "--: no such flag; --help lists them"},
    {"an action with a value", "--help=1", NULL, NULL, NULL,
     "--help: no such flag; --help lists them"},
    {"a control character in a flag", "--a\nb\x1b", NULL, NULL, NULL,
     "--a?b?: no such flag; --help lists them"},
    {"one dash", "-p|1", NULL, NULL, NULL,
     "argument 1 is not a flag: a setting is --name value; --help lists them"},
    {"a stray word", "--redis-url|redis://h|pass@h", NULL, NULL, NULL,
     "argument 3 is not a flag: a setting is --name value; --help lists them"},
    {"a value is missing at the end", "--rate-ip=1|--host", NULL, NULL, NULL,
     "--host: a value is missing"},
    {"a value is missing before a flag", "--host|--rate-ip|1", NULL, NULL, NULL,
     "--host: a value is missing"},

    {"no such key", "--config=@config", NULL, "host = a\nhots = b", NULL,
     "@config:2: hots: no such key; did you mean host?"},
    {"the file's own name in it", "--config=@config", NULL, "config = x", NULL,
     "@config:1: config: no such key"},
    {"a flag as a key", "--config=@config", NULL, "--host = x", NULL,
     "@config:1: --host: no such key"},
    {"an environment variable as a key", "--config=@config", NULL, "AU_HOST = x", NULL,
     "@config:1: AU_HOST: no such key"},
    {"an action as a key", "--config=@config", NULL, "help = true", NULL,
     "@config:1: help: no such key"},
    {"a key twice", "--config=@config|--host=f", NULL, "host = a\n\nhost = a", NULL,
     "@config:3: host is already set in line 1"},
    {"a customer's limit out of range", "--config=@config", NULL, "\nrate-customer.a = 10000001",
     NULL, "@config:2: rate-customer.a: 10000001 is out of range (0 to 10000000)"},
    {"a customer's limit that is no number", "--config=@config", NULL, "max-sessions.a = 5%", NULL,
     "@config:1: max-sessions.a: 5% is not a whole number"},
    {"a customer's limit twice", "--config=@config", NULL,
     "max-sessions.a = 1\nrate-customer.a = 1\nmax-sessions.a = 1", NULL,
     "@config:3: max-sessions.a: is already set in line 1"},
    {"a customer without an id", "--config=@config", NULL, "rate-customer. = 1", NULL,
     "@config:1: rate-customer.: behind rate-customer. stands no customer id of 1 to 128 "
     "characters"},
    {"a customer with a colon", "--config=@config", NULL, "rate-customer.a:b = 1", NULL,
     "@config:1: not a `key = value` line"},
    {"a limit that no customer has of its own", "--config=@config", NULL, "rate-ip.pass = 1", NULL,
     "@config:1: rate-ip: no such key"},
    {"a customer's limit as a flag", "--rate-customer.a=1", NULL, NULL, NULL,
     "--rate-customer.a: no such flag; did you mean --rate-customer? --help lists them"},
    {"not a pair", "--config=@config", NULL, "redis-url redis://:pass@h", NULL,
     "@config:1: not a `key = value` line"},
    {"a secret before an equals sign", "--config=@config", NULL, "redis-url redis://:pass=x", NULL,
     "@config:1: not a `key = value` line"},
    {"an open quote", NULL, "AU_CONFIG=@config", "host = \"a", NULL,
     "@config:1: a quote is not closed"},
    {"no such file", "--config=/nonexistent/au.conf", "AU_CONFIG=@config", NULL, NULL,
     "--config: cannot open /nonexistent/au.conf: No such file or directory"},
    {"no such file by the environment", NULL, "AU_CONFIG=/nonexistent/au.conf", NULL, NULL,
     "AU_CONFIG: cannot open /nonexistent/au.conf: No such file or directory"},
    {"a directory", "--config=/tmp", NULL, NULL, NULL,
     "--config: cannot read /tmp: Is a directory"},

    {"a secret twice", NULL, "AU_REDIS_URL=redis://:pass@h|AU_REDIS_URL_FILE=@secret", NULL,
     "redis://:pass@h", "AU_REDIS_URL and AU_REDIS_URL_FILE are both set"},
    {"no such secret", NULL, "AU_REDIS_URL_FILE=/nonexistent/s", NULL, NULL,
     "AU_REDIS_URL_FILE: cannot open /nonexistent/s: No such file or directory"},
    {"a secret of two lines", NULL, "AU_REDIS_URL_FILE=@secret", NULL, "pass\nword\n",
     "AU_REDIS_URL_FILE: has a control character"},

    {"one port for both", "--http-port=3003", NULL, NULL, NULL,
     "http-port and ws-port are both 3003 (--http-port, default)"},
};

static void bad_ones(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    options *opts;
    char error[OPTIONS_ERROR_SIZE];
    char *want = expand(slice_of(bad[i].want));
    write_files(bad[i].file, bad[i].secret);
    if (load(bad[i].args, bad[i].env, &opts, error) != AU_EINVAL)
      fail_msg("%s: was accepted", bad[i].name);
    if (strcmp(error, want) != 0) fail_msg("%s: %s, not %s", bad[i].name, error, want);
    assert_null(opts);
    assert_null(strstr(error, "pass"));
    free(want);
  }
}

/* Whatever is wrong with a secret, and wherever it stands, the error does not tell it. */
static void an_error_has_no_secret(void **state) {
  (void)state;
  static char flag[3000], env[3000], line[3000];
  snprintf(flag, sizeof flag, "--redis-url=redis://:pass@%02100d", 0);
  snprintf(env, sizeof env, "AU_REDIS_URL=redis://:pass@%02100d", 0);
  snprintf(line, sizeof line, "redis-url = redis://:pass@%02100d", 0);
  const struct {
    const char *arg, *env, *file, *secret, *want;
  } cases[] = {
      {flag, NULL, NULL, NULL, "--redis-url: is longer than 2048 bytes"},
      {NULL, env, NULL, NULL, "AU_REDIS_URL: is longer than 2048 bytes"},
      {"--config=@config", NULL, line, NULL, "@config:1: redis-url: is longer than 2048 bytes"},
      {NULL, "AU_REDIS_URL_FILE=@secret", NULL, line,
       "AU_REDIS_URL_FILE: is longer than 2048 bytes"},
      {"--redis-url=pass\x01", NULL, NULL, NULL, "--redis-url: has a control character"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    options *opts;
    char error[OPTIONS_ERROR_SIZE];
    char *want = expand(slice_of(cases[i].want));
    write_files(cases[i].file, cases[i].secret);
    assert_int_equal(load(cases[i].arg, cases[i].env, &opts, error), AU_EINVAL);
    assert_string_equal(error, want);
    free(want);
  }
}

static void a_file_has_a_limit(void **state) {
  (void)state;
  enum { LIMIT = 64 * 1024 };
  static char bytes[LIMIT + 1];
  options *opts;
  char error[OPTIONS_ERROR_SIZE];
  memset(bytes, '\n', sizeof bytes);
  memcpy(bytes + LIMIT - 8, "host = h", 8);
  write_file(config_path, bytes, LIMIT);
  assert_int_equal(load("--config=@config", NULL, &opts, error), AU_OK);
  assert_string_equal(options_config(opts)->host, "h");
  options_free(opts);

  write_file(config_path, bytes, LIMIT + 1);
  assert_int_equal(load("--config=@config", NULL, &opts, error), AU_EINVAL);
  assert_non_null(strstr(error, " is larger than 65536 bytes"));

  write_file(config_path, "host = h\0rate-ip = 1", 20);
  assert_int_equal(load("--config=@config", NULL, &opts, error), AU_EINVAL);
  assert_non_null(strstr(error, " is not a text file"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_ones),
      cmocka_unit_test(an_error_has_no_secret),
      cmocka_unit_test(a_file_has_a_limit),
  };
  return cmocka_run_group_tests_name("options_errors", tests, options_set_up, options_tear_down);
}
