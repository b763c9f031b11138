/* Who gets a place: presence over the memory store and the table of addresses, on a clock of
 * our own. The limits are the defaults unless a test says otherwise. */
#include "memory_case.h"

#include "services/addresses.h"
#include "services/places.h"
#include "services/presence.h"

enum { NEW_PER_MIN = 600, BURST = 1000, MAX_SESSIONS_IP = 5000 };

typedef struct town {
  fixture *store;
  addresses *addresses;
  presence *presence;
} town;

static void session_began(void *arg, void *source) {
  (void)arg;
  address_session_began(source);
}

static void session_ended(void *arg, void *source) {
  address_session_ended(source, ((fixture *)arg)->now_ms);
}

static int build(void **state) {
  town *t = calloc(1, sizeof *t);
  void *store = NULL;
  assert_int_equal(memory_setup(&store), 0);
  t->store = store;
  t->store->events.session_began = session_began;
  t->store->events.session_ended = session_ended;
  const address_limits limits = {.new_sessions_per_min = NEW_PER_MIN,
                                 .max_sessions = MAX_SESSIONS_IP};
  assert_int_equal(addresses_create((map_seed){1, 2}, &limits, &t->addresses), AU_OK);
  assert_int_equal(presence_create(t->store->store, GRACE_MS, (map_seed){1, 2}, &t->presence),
                   AU_OK);
  *state = t;
  return 0;
}

static int pull_down(void **state) {
  town *t = *state;
  presence_free(t->presence);
  void *store = t->store;
  assert_int_equal(memory_teardown(&store), 0);
  addresses_free(t->addresses); /* under ASan: no reference is left, and none too few */
  free(t);
  return 0;
}

static address *hold(town *t, const char *text) {
  net_addr addr;
  assert_true(net_parse(slice_of(text), &addr));
  address *a = addresses_hold(t->addresses, &addr, t->store->now_ms);
  assert_non_null(a);
  return a;
}

static void ignore(au_status status, void *arg) {
  (void)arg;
  assert_int_equal(status, AU_OK);
}

static void sampled(au_status status, const au_sample *sample, void *arg) {
  (void)sample;
  ignore(status, arg);
}

/* One sign of life; what a transport does with it. */
static au_status come(town *t, address *from, const char *customer, int number,
                      au_touch_kind kind) {
  char session[16];
  snprintf(session, sizeof session, "s%d", number);
  au_beat beat = memory_beat(customer, session, "tab");
  beat.source = from;
  rate_state met;
  au_status status = presence_admit(t->presence, &beat, kind, t->store->now_ms, &met);
  assert_int_equal(met.allowed, status == AU_OK);
  if (status != AU_OK) assert_true(met.reset_in_ms > 0);
  if (status == AU_OK)
    status = kind == AU_TOUCH_JOIN ? presence_join(t->presence, &beat, ignore, NULL)
                                   : presence_beat(t->presence, &beat, ignore, NULL);
  turn(t->store);
  return status;
}

/* Nobody is in when a test ends its time: their sessions live for 20 s here, not for 180. */
static void keep_alive(town *t, address *from, int count) {
  for (int i = 0; i < count; i++) assert_int_equal(come(t, from, "shop", i, AU_TOUCH_BEAT), AU_OK);
}

/* When person `i` of 2,000 comes, in milliseconds. */
static int64_t evenly(int i) {
  return (int64_t)i * 150;
}

static int64_t half_of_them_in_a_minute(int i) {
  return i < 1500 ? (int64_t)i * 40 : 60000 + (int64_t)(i - 1500) * 480;
}

static int64_t a_thousand_at_once(int i) {
  return i < 1000 ? 0 : (int64_t)(i - 999) * 299;
}

static void an_office_loses_nobody(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t (*comes_at)(int i);
  } offices[] = {
      {"evenly in five minutes", evenly},
      {"1,500 in the first minute", half_of_them_in_a_minute},
      {"1,000 at once", a_thousand_at_once},
  };
  for (size_t o = 0; o < sizeof offices / sizeof offices[0]; o++) {
    void *made;
    build(&made);
    town *t = made;
    address *office = hold(t, "192.0.2.1");
    int64_t began_ms = t->store->now_ms, renewed_ms = began_ms;
    for (int i = 0; i < 2000; i++) {
      t->store->now_ms = began_ms + offices[o].comes_at(i);
      assert_in_range(t->store->now_ms - began_ms, 0, 300000);
      if (t->store->now_ms - renewed_ms > TTL_MS / 2) {
        keep_alive(t, office, i);
        renewed_ms = t->store->now_ms;
      }
      if (come(t, office, "shop", i, AU_TOUCH_BEAT) != AU_OK)
        fail_msg("%s: person %d was refused", offices[o].name, i);
    }
    assert_int_equal(address_sessions(office), 2000);
    address_release(office, t->store->now_ms);
    pull_down(&made);
  }
}

/* Who is refused comes again when it was told to. */
static void all_of_an_office_at_once_are_in_within_two_minutes(void **state) {
  town *t = *state;
  address *office = hold(t, "192.0.2.1");
  int64_t began_ms = t->store->now_ms;
  int in = 0, refused = 0;
  while (in < 2000) {
    while (in < 2000 && come(t, office, "shop", in, AU_TOUCH_BEAT) == AU_OK) in++;
    refused += in < 2000;
    t->store->now_ms += 10000;
    keep_alive(t, office, in);
  }
  assert_true(refused > 0);
  assert_in_range(t->store->now_ms - began_ms, 100000, 120000);
  assert_int_equal(address_sessions(office), 2000);
  address_release(office, t->store->now_ms);
}

/* Of beats: a bucket, and then the cap. Others do not notice. */
static void one_address_takes_what_it_may(void **state) {
  town *t = *state;
  address *bad = hold(t, "192.0.2.66"), *good = hold(t, "192.0.2.1");
  int in = 0;
  while (come(t, bad, "shop", in, AU_TOUCH_BEAT) == AU_OK) in++;
  assert_int_equal(in, BURST);
  for (int minute = 1; in < MAX_SESSIONS_IP; minute++) {
    for (int s = 0; s < 6; s++) {
      t->store->now_ms += 10000;
      keep_alive(t, bad, in); /* which costs nothing */
    }
    while (come(t, bad, "shop", in, AU_TOUCH_BEAT) == AU_OK) in++;
    int most = BURST + minute * NEW_PER_MIN;
    assert_int_equal(in, most < MAX_SESSIONS_IP ? most : MAX_SESSIONS_IP);
  }
  assert_int_equal(come(t, bad, "other", 1, AU_TOUCH_JOIN), AU_ELIMIT);
  assert_int_equal(come(t, bad, "shop", 1, AU_TOUCH_JOIN), AU_OK); /* it lives */
  assert_int_equal(come(t, good, "shop", 1000000, AU_TOUCH_BEAT), AU_OK);
  assert_int_equal(come(t, NULL, "shop", 1000001, AU_TOUCH_BEAT), AU_OK);
  /* Who leaves makes room for another of that address. */
  t->store->now_ms += 10000;
  au_beat first = memory_beat("shop", "s0", "tab");
  assert_int_equal(presence_leave(t->presence, &first, 0, ignore, NULL), AU_OK);
  assert_int_equal(come(t, bad, "shop", 2000000, AU_TOUCH_BEAT), AU_OK);
  assert_int_equal(come(t, bad, "shop", 2000001, AU_TOUCH_BEAT), AU_ELIMIT);
  t->store->now_ms += TTL_MS; /* all expire */
  for (int slice = 0; slice < 3; slice++) {
    assert_int_equal(presence_sample(t->presence, slice_of("shop"), sampled, NULL), AU_OK);
    turn(t->store);
  }
  assert_int_equal(come(t, bad, "shop", 2000001, AU_TOUCH_BEAT), AU_OK);
  assert_int_equal(address_sessions(bad), 1);
  address_release(bad, t->store->now_ms);
  address_release(good, t->store->now_ms);
}

/* A join pays otherwise; only its place is counted. */
static void joins_take_nothing_from_the_bucket(void **state) {
  town *t = *state;
  address *a = hold(t, "192.0.2.1");
  for (int i = 0; i < BURST + 10; i++)
    assert_int_equal(come(t, a, "shop", i, AU_TOUCH_JOIN), AU_OK);
  assert_int_equal(address_sessions(a), BURST + 10);
  assert_int_equal(address_peek(a, ADDRESS_NEW_SESSIONS, t->store->now_ms).remaining, BURST);
  address_release(a, t->store->now_ms);
}

/* Half of the customers at most, each with one session; a customer that is there is no new one. */
static void one_address_holds_half_of_the_customers(void **state) {
  town *t = *state;
  uint32_t half = t->store->config.max_customers / 2;
  presence_limit_customers(t->presence, half);
  address *bad = hold(t, "192.0.2.66"), *good = hold(t, "192.0.2.1");
  char id[16];
  uint32_t in = 0;
  for (; in < half * 2; in++) {
    snprintf(id, sizeof id, "c%u", in);
    if (come(t, bad, id, 1, AU_TOUCH_JOIN) != AU_OK) break;
  }
  assert_int_equal(in, half);
  assert_int_equal(come(t, bad, "c0", 2, AU_TOUCH_JOIN), AU_OK);
  for (in = 0; in < half; in++) {
    snprintf(id, sizeof id, "g%u", in);
    assert_int_equal(come(t, good, id, 1, AU_TOUCH_JOIN), AU_OK);
  }
  assert_int_equal(come(t, good, "one-too-many", 1, AU_TOUCH_JOIN), AU_ELIMIT);
  assert_int_equal(come(t, NULL, "one-too-many", 1, AU_TOUCH_JOIN), AU_EFULL);
  presence_limit_customers(t->presence, 0);
  assert_int_equal(come(t, bad, "one-too-many", 1, AU_TOUCH_JOIN), AU_EFULL);
  address_release(bad, t->store->now_ms);
  address_release(good, t->store->now_ms);
}

/* An office that uses one shop may be larger than the table of shops. */
static void a_crowd_of_one_customer_begins_another(void **state) {
  town *t = *state;
  presence_limit_customers(t->presence, 5);
  address *office = hold(t, "192.0.2.1");
  keep_alive(t, office, 100);
  assert_int_equal(come(t, office, "other", 1, AU_TOUCH_BEAT), AU_OK);
  address_release(office, t->store->now_ms);
}

static const struct {
  const char *name;
  uint32_t max_sessions, max_customers, max_sessions_ip;
  const char *share;
  uint32_t of_address, customers_of_address, of_customer;
} shares[] = {
    {"the defaults", 1000000, 100000, 5000, "80%", 5000, 50000, 800000},
    {"half of a small table", 8000, 10, 5000, "80%", 4000, 5, 6400},
    {"a table of one", 1, 1, 5000, "80%", 1, 1, 1},
    {"no limits", 1000, 1000, 0, "0", 0, 0, UINT32_MAX},
    {"a number", 1000, 1000, 10, "70", 10, 500, 70},
};

static void what_is_made_of_the_configuration(void **state) {
  (void)state;
  static const au_customer_limits own[] = {
      {"own", -1, 7, NULL, NULL}, {"free", -1, 0, NULL, NULL}, {"rate", 5, -1, NULL, NULL}};
  for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
    au_config config;
    au_config_init(&config);
    config.max_sessions = shares[i].max_sessions;
    config.max_customers = shares[i].max_customers;
    config.max_sessions_ip = shares[i].max_sessions_ip;
    config.max_sessions_customer = shares[i].share;
    config.customers = own;
    config.customers_count = 3;
    places *p;
    assert_int_equal(places_create(&config, &p), AU_OK);
    if (places_of_address(p) != shares[i].of_address ||
        places_customers_of_address(p) != shares[i].customers_of_address ||
        places_of_customer(p, slice_of("any")) != shares[i].of_customer)
      fail_msg("%s: %u, %u, %u", shares[i].name, (unsigned)places_of_address(p),
               (unsigned)places_customers_of_address(p),
               (unsigned)places_of_customer(p, slice_of("any")));
    assert_int_equal(places_of_customer(p, slice_of("own")), 7);
    assert_int_equal(places_of_customer(p, slice_of("free")), UINT32_MAX);
    assert_int_equal(places_of_customer(p, slice_of("rate")), shares[i].of_customer);
    config.customers_count = 0; /* a reload; the tables stay as large as they are */
    config.max_sessions = config.max_customers = 2;
    config.max_sessions_customer = "50%";
    places *renewed;
    assert_int_equal(places_renew(p, &config, &renewed), AU_OK);
    assert_int_equal(places_of_customer(p, slice_of("own")), 7);
    places_free(p);
    p = renewed;
    assert_int_equal(places_of_customer(p, slice_of("own")),
                     shares[i].max_sessions > 1 ? shares[i].max_sessions / 2 : 1);
    assert_int_equal(places_of_address(p), shares[i].of_address);
    places_free(p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_made_of_the_configuration),
      cmocka_unit_test(an_office_loses_nobody),
      cmocka_unit_test_setup_teardown(all_of_an_office_at_once_are_in_within_two_minutes, build,
                                      pull_down),
      cmocka_unit_test_setup_teardown(one_address_takes_what_it_may, build, pull_down),
      cmocka_unit_test_setup_teardown(joins_take_nothing_from_the_bucket, build, pull_down),
      cmocka_unit_test_setup_teardown(one_address_holds_half_of_the_customers, build, pull_down),
      cmocka_unit_test_setup_teardown(a_crowd_of_one_customer_begins_another, build, pull_down),
  };
  return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
