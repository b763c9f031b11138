/* The option table: every row by every way in, who beats whom, what is printed. */
#include "options_case.h"

/* Every setting: its default as the contract has it, and another value. */
static const struct {
  const char *flag, *env, *by_default, *text, *shown;
} rows[] = {
    {"host", "AU_HOST", "\"0.0.0.0\"", "::1", "\"::1\""},
    {"http-port", "AU_HTTP_PORT", "3001", "65535", "65535"},
    {"ws-port", "AU_WS_PORT", "3003", "0", "0"},
    {"enable-websocket", "AU_ENABLE_WEBSOCKET", "true", "off", "false"},
    {"reuse-port", "AU_REUSE_PORT", "false", "true", "true"},
    {"admin-port", "AU_ADMIN_PORT", "\"\"", "0", "\"0\""},
    {"admin-host", "AU_ADMIN_HOST", "\"127.0.0.1\"", "::", "\"::\""},
    {"privacy", "AU_PRIVACY", "standard", "strict", "strict"},
    {"privacy-key", "AU_PRIVACY_KEY", "\"\"", "0123456789abcdef", "\"***\""},
    {"admin-token", "AU_ADMIN_TOKEN", "\"\"", "0123456789abcdef", "\"***\""},
    {"max-connections", "AU_MAX_CONNECTIONS", "0", "10000000", "10000000"},
    {"redis-url", "AU_REDIS_URL", "\"\"", "redis://h:1/2", "\"redis://h:1/2\""},
    {"presence-ttl", "AU_PRESENCE_TTL", "180", "1", "1"},
    {"disconnect-grace", "AU_DISCONNECT_GRACE_MS", "10000", "0", "0"},
    {"max-customers", "AU_MAX_CUSTOMERS", "100000", "10000000", "10000000"},
    {"max-sessions", "AU_MAX_SESSIONS", "1000000", "100000000", "100000000"},
    {"ema-alpha", "AU_EMA_ALPHA", "0.2", "1", "1"},
    {"ema-interval", "AU_EMA_INTERVAL_MS", "30000", "50", "50"},
    {"allowed-origins", "AU_ALLOWED_ORIGINS", "\"*\"", "https://a, https://b",
     "\"https://a, https://b\""},
    {"trusted-proxies", "AU_TRUSTED_PROXIES", "\"\"", "10.0.0.0/8,::1", "\"10.0.0.0/8,::1\""},
    {"rate-ip", "AU_RATE_IP", "100", "0", "0"},
    {"rate-customer", "AU_RATE_CUSTOMER", "5000", "7", "7"},
    {"new-sessions-ip", "AU_NEW_SESSIONS_IP", "600", "0", "0"},
    {"max-sessions-ip", "AU_MAX_SESSIONS_IP", "5000", "100000000", "100000000"},
    {"max-connections-ip", "AU_MAX_CONNECTIONS_IP", "5%", "10", "10"},
    {"max-sessions-customer", "AU_MAX_SESSIONS_CUSTOMER", "80%", "1%", "1%"},
    {"socket-rate", "AU_SOCKET_RATE", "10", "10000", "10000"},
    {"header-timeout", "AU_HEADER_TIMEOUT_MS", "10000", "100", "100"},
    {"update-interval", "AU_UPDATE_INTERVAL_MS", "1000", "3600000", "3600000"},
    {"max-head", "AU_MAX_HEAD_BYTES", "16384", "65536", "65536"},
    {"idle-timeout", "AU_IDLE_TIMEOUT_MS", "75000", "3600000", "3600000"},
    {"ws-auth-timeout", "AU_WS_AUTH_TIMEOUT_MS", "10000", "101", "101"},
    {"ws-ping-interval", "AU_WS_PING_INTERVAL_MS", "30000", "102", "102"},
    {"ws-pong-timeout", "AU_WS_PONG_TIMEOUT_MS", "20000", "600000", "600000"},
    {"drain", "AU_DRAIN_MS", "3000", "0", "0"},
    {"metrics-customers", "AU_METRICS_CUSTOMERS", "0", "1000", "1000"},
    {"log-level", "AU_LOG_LEVEL", "info", "debug", "debug"},
    {"log-format", "AU_LOG_FORMAT", "text", "json", "json"},
    {"log-file", "AU_LOG_FILE", "\"\"", "/var/log/a b.log", "\"/var/log/a b.log\""},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void expect_line(const char *args, const char *env, size_t row, const char *value,
                        const char *from) {
  options *opts;
  char error[OPTIONS_ERROR_SIZE], line[512], want[512];
  if (load(args, env, &opts, error) != AU_OK) fail_msg("%s: %s", rows[row].flag, error);
  print_line(opts, rows[row].flag, line, sizeof line);
  snprintf(want, sizeof want, "%s  # %s", value, from);
  if (strcmp(line, want) != 0) fail_msg("%s: %s, not %s", rows[row].flag, line, want);
  /* And no other one was touched. */
  for (size_t i = 0; i < ROWS; i++) {
    print_line(opts, rows[i].flag, line, sizeof line);
    if (i != row && !strstr(line, "# default")) fail_msg("%s: %s", rows[i].flag, line);
  }
  options_free(opts);
}

static void every_row_by_every_way(void **state) {
  (void)state;
  for (size_t i = 0; i < ROWS; i++) {
    char flag[64], both[256], pair[256], from[256], text[256];
    expect_line(NULL, NULL, i, rows[i].by_default, "default");

    snprintf(flag, sizeof flag, "--%s", rows[i].flag);
    snprintf(pair, sizeof pair, "%s|%s", flag, rows[i].text);
    expect_line(pair, NULL, i, rows[i].shown, flag);
    snprintf(both, sizeof both, "%s=%s", flag, rows[i].text);
    expect_line(both, NULL, i, rows[i].shown, flag);

    snprintf(pair, sizeof pair, "%s=%s", rows[i].env, rows[i].text);
    expect_line(NULL, pair, i, rows[i].shown, rows[i].env);

    int len = snprintf(text, sizeof text, "# a comment\n%s = %s\n", rows[i].flag, rows[i].text);
    write_file(config_path, text, (size_t)len);
    snprintf(from, sizeof from, "%s:2", config_path);
    expect_line("--config|@config", NULL, i, rows[i].shown, from);
    expect_line(NULL, "AU_CONFIG=@config", i, rows[i].shown, from);
  }
}

/* The table above goes by what is printed; this by what the server gets. */
static void the_fields_are_set(void **state) {
  (void)state;
  static const char file[] = "http-port = 1\nws-port = 2\nenable-websocket = no\n"
                             "redis-url = \"redis://h\"\npresence-ttl = 3\nema-alpha = 0.5\n"
                             "ema-interval = 104\nrate-ip = 5\nrate-customer = 6\n"
                             "disconnect-grace = 7\nallowed-origins = https://o\n"
                             "trusted-proxies = ::1\nheader-timeout = 108\nidle-timeout = 109\n"
                             "ws-auth-timeout = 110\nws-ping-interval = 111\n"
                             "ws-pong-timeout = 112\ndrain = 13\nmax-connections = 14\n"
                             "max-customers = 15\nmax-sessions = 16\nlog-level = error\n"
                             "log-format = json\nlog-file = /l\nhost = h\n"
                             "new-sessions-ip = 17\nmax-sessions-ip = 18\n"
                             "max-connections-ip = 19\nmax-sessions-customer = 20\n"
                             "socket-rate = 21\nadmin-port = 22\nadmin-host = a\n"
                             "admin-token = 0123456789abcdef\nmetrics-customers = 23\n";
  write_file(config_path, file, sizeof file - 1);
  options *opts;
  char error[OPTIONS_ERROR_SIZE];
  assert_int_equal(load(NULL, "AU_CONFIG=@config", &opts, error), AU_OK);
  const au_config *c = options_config(opts);
  assert_string_equal(c->host, "h");
  assert_int_equal(c->http_port, 1);
  assert_int_equal(c->ws_port, 2);
  assert_false(c->enable_websocket);
  assert_string_equal(c->redis_url, "redis://h");
  assert_int_equal(c->presence_ttl_s, 3);
  assert_true(c->ema_alpha == 0.5);
  assert_int_equal(c->ema_interval_ms, 104);
  assert_int_equal(c->rate_ip_per_min, 5);
  assert_int_equal(c->rate_customer_per_min, 6);
  assert_int_equal(c->disconnect_grace_ms, 7);
  assert_string_equal(c->allowed_origins, "https://o");
  assert_string_equal(c->trusted_proxies, "::1");
  assert_int_equal(c->header_timeout_ms, 108);
  assert_int_equal(c->idle_timeout_ms, 109);
  assert_int_equal(c->ws_auth_timeout_ms, 110);
  assert_int_equal(c->ws_ping_interval_ms, 111);
  assert_int_equal(c->ws_pong_timeout_ms, 112);
  assert_int_equal(c->drain_ms, 13);
  assert_int_equal(c->metrics_customers, 23);
  assert_int_equal(c->max_connections, 14);
  assert_int_equal(c->max_customers, 15);
  assert_int_equal(c->max_sessions, 16);
  assert_int_equal(c->log_level, AU_LOG_ERROR);
  assert_int_equal(c->log_format, AU_LOG_JSON);
  assert_string_equal(c->log_file, "/l");
  assert_int_equal(c->new_sessions_ip_per_min, 17);
  assert_int_equal(c->max_sessions_ip, 18);
  assert_string_equal(c->max_connections_ip, "19");
  assert_string_equal(c->max_sessions_customer, "20");
  assert_int_equal(c->socket_rate_per_s, 21);
  assert_string_equal(c->admin_port, "22");
  assert_string_equal(c->admin_host, "a");
  assert_string_equal(c->admin_token, "0123456789abcdef");
  options_free(opts);
}

/* Cases that load: the line of one key. */
static const struct {
  const char *name, *args, *env, *file, *secret, *key, *want;
} good[] = {
    {"a flag beats the environment and the file", "--host|f|--config|@config", "AU_HOST=e",
     "host = c", NULL, "host", "\"f\"  # --host"},
    {"the environment beats the file", NULL, "AU_HOST=e|AU_CONFIG=@config", "host = c", NULL,
     "host", "\"e\"  # AU_HOST"},
    {"an empty variable counts as not set", NULL, "AU_HOST=|AU_HTTP_PORT=|AU_CONFIG=@config",
     "host = c", NULL, "host", "\"c\"  # @config:1"},
    {"the last of two flags", "--rate-ip=1|--rate-ip|2", NULL, NULL, NULL, "rate-ip",
     "2  # --rate-ip"},
    {"the last of two texts", "--host|a|--host=b", NULL, NULL, NULL, "host", "\"b\"  # --host"},
    {"an empty text by a flag", "--redis-url=", "AU_REDIS_URL=redis://h", NULL, NULL, "redis-url",
     "\"\"  # --redis-url"},
    {"a bare boolean at the end", "--enable-websocket", "AU_ENABLE_WEBSOCKET=false", NULL, NULL,
     "enable-websocket", "true  # --enable-websocket"},
    {"a bare boolean before a flag", "--enable-websocket|--rate-ip|1", NULL, NULL, NULL,
     "enable-websocket", "true  # --enable-websocket"},
    {"a boolean and its value", "--enable-websocket|no|--rate-ip=1", NULL, NULL, NULL,
     "enable-websocket", "false  # --enable-websocket"},
    {"a value with an equals sign", "--redis-url=unix:///a=b", NULL, NULL, NULL, "redis-url",
     "\"unix:///a=b\"  # --redis-url"},
    {"quotes and backslashes come back", "--log-file|a\"b\\c#d", NULL, NULL, NULL, "log-file",
     "\"a\\\"b\\\\c#d\"  # --log-file"},
    {"two free ports may be the same", "--http-port=0|--ws-port=0", NULL, NULL, NULL, "ws-port",
     "0  # --ws-port"},
    {"the unused port may be any", "--ws-port=3001|--enable-websocket=false", NULL, NULL, NULL,
     "ws-port", "3001  # --ws-port"},

    {"a byte order mark before the file", NULL, "AU_CONFIG=@config",
     "\xEF\xBB\xBFhost = c\r\nrate-ip = 1\r\n", NULL, "host", "\"c\"  # @config:1"},
    {"and before a secret", NULL, "AU_REDIS_URL_FILE=@secret", NULL, "\xEF\xBB\xBFredis://s",
     "redis-url", "\"redis://s\"  # AU_REDIS_URL_FILE"},

    {"a secret's file", NULL, "AU_REDIS_URL_FILE=@secret", NULL, "redis://h/1\r\n\n", "redis-url",
     "\"redis://h/1\"  # AU_REDIS_URL_FILE"},
    {"a secret's file beats the config file", "--config|@config", "AU_REDIS_URL_FILE=@secret",
     "redis-url = redis://c", "redis://s", "redis-url", "\"redis://s\"  # AU_REDIS_URL_FILE"},
    {"a flag beats a secret's file", "--redis-url=redis://f", "AU_REDIS_URL_FILE=@secret", NULL,
     "redis://s", "redis-url", "\"redis://f\"  # --redis-url"},
    {"an empty variable does not clash with the file", NULL,
     "AU_REDIS_URL=|AU_REDIS_URL_FILE=@secret", NULL, "redis://s", "redis-url",
     "\"redis://s\"  # AU_REDIS_URL_FILE"},
    {"only a secret has a file", NULL, "AU_HOST_FILE=@secret", NULL, "x", "host",
     "\"0.0.0.0\"  # default"},

    {"a password is masked", "--redis-url=redis://:pass@h:1/2", NULL, NULL, NULL, "redis-url",
     "\"redis://***@h:1/2\"  # --redis-url"},
    {"a password with every delimiter", "--redis-url=redis://u:p:a@s/s?x#y@h", NULL, NULL, NULL,
     "redis-url", "\"redis://***@h\"  # --redis-url"},
    {"what is no URL is masked", "--redis-url=password", NULL, NULL, NULL, "redis-url",
     "\"***\"  # --redis-url"},
    {"nor is this one", "--redis-url=p@ss://word", NULL, NULL, NULL, "redis-url",
     "\"***\"  # --redis-url"},
};

static void good_ones(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    options *opts;
    char error[OPTIONS_ERROR_SIZE], line[512];
    char *want = expand(slice_of(good[i].want));
    write_files(good[i].file, good[i].secret);
    if (load(good[i].args, good[i].env, &opts, error) != AU_OK)
      fail_msg("%s: %s", good[i].name, error);
    print_line(opts, good[i].key, line, sizeof line);
    if (strcmp(line, want) != 0) fail_msg("%s: %s, not %s", good[i].name, line, want);
    assert_int_equal(options_what(opts), OPTIONS_RUN);
    options_free(opts);
    free(want);
  }
}

static void actions(void **state) {
  (void)state;
  static const struct {
    const char *name, *args;
    options_action want;
  } cases[] = {
      {"none", NULL, OPTIONS_RUN},
      {"help", "--help", OPTIONS_HELP},
      {"help after nonsense", "--nonsense|x|--http-port=x|--help", OPTIONS_HELP},
      {"version", "--version", OPTIONS_VERSION},
      {"markdown", "--print-markdown", OPTIONS_PRINT_MARKDOWN},
      {"the first of two", "--version|--help", OPTIONS_VERSION},
      {"config", "--print-config", OPTIONS_PRINT_CONFIG},
      {"config among flags", "--rate-ip|1|--print-config|--host=h", OPTIONS_PRINT_CONFIG},
  };
  /* Neither a broken environment nor a broken file matters to help and its like. */
  const char *env = "AU_HTTP_PORT=x|AU_CONFIG=/nonexistent";
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    options *opts;
    char error[OPTIONS_ERROR_SIZE];
    bool reads = cases[i].want == OPTIONS_RUN || cases[i].want == OPTIONS_PRINT_CONFIG;
    if (load(cases[i].args, reads ? NULL : env, &opts, error) != AU_OK)
      fail_msg("%s: %s", cases[i].name, error);
    if (options_what(opts) != cases[i].want) fail_msg("%s", cases[i].name);
    options_free(opts);
    if (reads) assert_int_equal(load(cases[i].args, env, &opts, error), AU_EINVAL);
  }
}

/* What --print-config says may be given to --config, and gives the same again. */
static void print_config_is_a_config_file(void **state) {
  (void)state;
  options *opts;
  char error[OPTIONS_ERROR_SIZE];
  assert_int_equal(load("--ema-alpha=0.123456789|--log-file= a\"b\\ #c'|--host=h",
                        "AU_ENABLE_WEBSOCKET=no|AU_LOG_FORMAT=json", &opts, error),
                   AU_OK);
  char *first = printed(NULL, opts);
  options_free(opts);
  write_file(config_path, first, strlen(first));
  if (load("--config=@config", NULL, &opts, error) != AU_OK) fail_msg("%s", error);
  assert_true(options_config(opts)->ema_alpha == 0.123456789);
  assert_string_equal(options_config(opts)->log_file, " a\"b\\ #c'");
  char *second = printed(NULL, opts);
  options_free(opts);

  char *a = first, *b = second;
  while (*a && *b) { /* the lines but for where the value is from */
    size_t len = strcspn(a, "\n") - strlen("# ");
    size_t value = (size_t)(strstr(a, "  # ") - a);
    assert_true(value < len);
    assert_memory_equal(a, b, value);
    a += strcspn(a, "\n") + 1;
    b += strcspn(b, "\n") + 1;
  }
  assert_true(*a == '\0' && *b == '\0');
  free(first);
  free(second);
}

static void the_help_is_whole_and_fits(void **state) {
  (void)state;
  char *help = printed(options_print_help, NULL), *page = printed(options_print_markdown, NULL);
  for (size_t i = 0; i < ROWS; i++) {
    char flag[64], env[64], row[128];
    snprintf(flag, sizeof flag, "\n  --%s ", rows[i].flag);
    snprintf(env, sizeof env, " %s, default ", rows[i].env);
    snprintf(row, sizeof row, "\n| `--%s ", rows[i].flag);
    if (!strstr(help, flag) || !strstr(help, env)) fail_msg("help has no %s", rows[i].flag);
    if (!strstr(page, row)) fail_msg("the page has no %s", rows[i].flag);
  }
  assert_non_null(strstr(help, "AU_HTTP_PORT, default 3001 (0 to 65535)\n"));
  assert_non_null(strstr(page, "| `--rate-ip N` | `AU_RATE_IP` | `100` | 0 to 10000000 | yes |"));
  assert_non_null(strstr(page, "| `--host ADDRESS` | `AU_HOST` | `0.0.0.0` |  |  |"));
  for (const char *line = help; *line; line += strcspn(line, "\n") + 1)
    if (strcspn(line, "\n") > 100) fail_msg("too wide: %.100s", line);
  free(help);
  free(page);
}

static void the_example_of_the_page_loads(void **state) {
  (void)state;
  char *page = printed(options_print_markdown, NULL);
  char *example = strstr(page, "```ini\n");
  assert_non_null(example);
  example += strlen("```ini\n");
  write_file(config_path, example, (size_t)(strstr(example, "```") - example));
  options *opts;
  char error[OPTIONS_ERROR_SIZE];
  if (load("--config=@config", NULL, &opts, error) != AU_OK) fail_msg("%s", error);
  assert_int_equal(options_config(opts)->log_format, AU_LOG_JSON);
  options_free(opts);
  free(page);
}

static void limits_of_customers(void **state) {
  (void)state;
  options *opts;
  char error[OPTIONS_ERROR_SIZE], line[512];
  write_files("max-sessions = 7\nrate-customer.a = 0\nrate-customer.c2hvcDE= = 50000\n"
              "max-sessions.a=20000 # many\ntoken-secret.a = 'k1:s e'\n"
              "allowed-origins.a = https://a, https://b\n",
              NULL);
  if (load("--config=@config", NULL, &opts, error) != AU_OK) fail_msg("%s", error);
  const au_config *config = options_config(opts);
  assert_int_equal(config->customers_count, 2);
  assert_string_equal(config->customers[0].customer_id, "a");
  assert_int_equal(config->customers[0].rate_per_min, 0);
  assert_int_equal(config->customers[0].max_sessions, 20000);
  assert_string_equal(config->customers[1].customer_id, "c2hvcDE=");
  assert_int_equal(config->customers[1].rate_per_min, 50000);
  assert_int_equal(config->customers[1].max_sessions, -1);
  assert_string_equal(config->customers[0].token_secret, "k1:s e");
  assert_null(config->customers[1].token_secret);
  assert_string_equal(config->customers[0].allowed_origins, "https://a, https://b");
  assert_null(config->customers[1].allowed_origins);
  const char *field;
  assert_int_equal(au_config_check(config, &field), AU_OK);
  assert_true(options_have_secret(opts));
  print_line(opts, "token-secret.a", line, sizeof line);
  assert_int_equal(strncmp(line, "***  # /tmp/", 12), 0);
  print_line(opts, "max-sessions.a", line, sizeof line);
  assert_int_equal(strncmp(line, "20000  # /tmp/", 14), 0);
  assert_non_null(strstr(line, ":4"));
  options_free(opts);
}

/* An embedder's table is checked as a file's lines are. */
static void a_table_of_customers_is_checked(void **state) {
  (void)state;
  static const struct {
    const char *name;
    au_customer_limits own;
    au_status want;
  } cases[] = {
      {"as for all", {"a", -1, -1, NULL, NULL}, AU_OK},
      {"the most", {"a", 10000000, 100000000, NULL, NULL}, AU_OK},
      {"no id", {NULL, 1, 1, NULL, NULL}, AU_EINVAL},
      {"an empty id", {"", 1, 1, NULL, NULL}, AU_EINVAL},
      {"a character of no id", {"a b", 1, 1, NULL, NULL}, AU_EINVAL},
      {"a negative rate", {"a", -2, 1, NULL, NULL}, AU_EINVAL},
      {"too high a rate", {"a", 10000001, 1, NULL, NULL}, AU_EINVAL},
      {"too many sessions", {"a", 1, 100000001, NULL, NULL}, AU_EINVAL},
      {"a secret", {"a", -1, -1, "s", NULL}, AU_OK},
      {"an empty secret", {"a", -1, -1, "", NULL}, AU_EINVAL},
      {"origins", {"a", -1, -1, NULL, "*"}, AU_OK},
      {"no origins", {"a", -1, -1, NULL, ""}, AU_EINVAL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    au_config config;
    const char *field = "";
    au_config_init(&config);
    config.customers = &cases[i].own;
    config.customers_count = 1;
    if (au_config_check(&config, &field) != cases[i].want) fail_msg("%s", cases[i].name);
    assert_string_equal(field, cases[i].want == AU_OK ? "" : "customers");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(limits_of_customers),
      cmocka_unit_test(a_table_of_customers_is_checked),
      cmocka_unit_test(every_row_by_every_way),
      cmocka_unit_test(the_fields_are_set),
      cmocka_unit_test(good_ones),
      cmocka_unit_test(actions),
      cmocka_unit_test(print_config_is_a_config_file),
      cmocka_unit_test(the_help_is_whole_and_fits),
      cmocka_unit_test(the_example_of_the_page_loads),
  };
  return cmocka_run_group_tests_name("options", tests, options_set_up, options_tear_down);
}
