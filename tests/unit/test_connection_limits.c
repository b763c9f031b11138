/* Tests of the limits of connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/connection_limits.h"

#include <sys/resource.h>

enum { FILES = 1000 };

static struct rlimit before;

/* What the soft limit of this process was before the tests set it. */
static int set_up(void **state) {
  (void)state;
  return getrlimit(RLIMIT_NOFILE, &before);
}

static int tear_down(void **state) {
  (void)state;
  return setrlimit(RLIMIT_NOFILE, &before);
}

static void descriptors_limit_connections(void **state) {
  (void)state;
  static const struct {
    const char *name;
    uint32_t max_connections;
    rlim_t files;
    uint32_t all, health;
    const char *admin_port;
  } cases[] = {
      {"90 % of the descriptors", 0, 10000, 9000, 32, ""},
      {"what is left of few is less", 0, FILES, (FILES - 96) * 64 / 65, 32, ""},
      {"fewer descriptors", 0, 500, 397, 32, ""},
      {"as configured", 300, FILES, 300, 32, ""},
      {"cut to what is left beside the spare ones", 5000, FILES, (FILES - 96) * 64 / 65, 32, ""},
      {"some for operators, who have a port", 5000, FILES, (FILES - 128) * 64 / 65, 32, "0"},
      {"few: half of them, none for health", 0, 192, 96, 0, ""},
      {"one more than few", 0, 194, 96, 32, ""},
      {"few, and fewer wanted", 50, 100, 50, 0, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    au_config config;
    au_config_init(&config);
    config.max_connections = cases[i].max_connections;
    config.admin_port = cases[i].admin_port;
    struct rlimit files = {.rlim_cur = cases[i].files, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    connection_limits got = connection_limits_of(&config);
    if (got.all != cases[i].all || got.health != cases[i].health ||
        got.admin != (cases[i].admin_port[0] ? 32 : 0))
      fail_msg("%s: %u and %u", cases[i].name, (unsigned)got.all, (unsigned)got.health);
  }
}

static void an_address_has_a_share(void **state) {
  (void)state;
  static const struct {
    const char *name, *share;
    uint32_t all, want;
  } cases[] = {
      {"a number", "7", 1000, 7},
      {"off", "0", 1000, 0},
      {"a share", "5%", 1000, 50},
      {"a share of few is still some", "5%", 100, 32},
      {"but not more than half of very few", "5%", 40, 20},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    au_config config;
    au_config_init(&config);
    config.max_connections_ip = cases[i].share;
    uint32_t got = connection_limits_of_address(&config, cases[i].all);
    if (got != cases[i].want) fail_msg("%s: %u", cases[i].name, (unsigned)got);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(descriptors_limit_connections),
      cmocka_unit_test(an_address_has_a_share),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
