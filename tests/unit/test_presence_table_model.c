/* The presence table against a model that is too simple to be wrong: 100,000 random
 * operations for each kind of table. Time is a number here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/presence_table.h"
#include "utils/buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MS = 1000, GRACE_MS = 100 };
enum { CUSTOMERS = 5, SESSIONS = 12, WORDS = 4, OPERATIONS = 100000 };

typedef struct model_session {
  bool live;
  int64_t deadline_ms, renewed_ms;
  int tab, platform, user_agent; /* numbers of words */
  bool is_leader;
} model_session;

typedef struct model_customer {
  bool known, has_ema;
  double ema;
  int64_t since_ms; /* when it began to wait for a tick */
  int turn;         /* its place among those who wait */
  int changes;      /* expected and not yet heard */
  model_session sessions[SESSIONS];
} model_customer;

typedef struct model {
  presence_table_config config;
  model_customer customers[CUSTOMERS];
  int64_t now_ms;
  int next_turn;
} model;

static model world;
static char customer_ids[CUSTOMERS][AU_ID_MAX + 1], session_ids[SESSIONS][AU_ID_MAX + 1];
static char tab_ids[WORDS][AU_ID_MAX + 1];
static char platforms[WORDS][AU_PLATFORM_MAX + 1], agents[WORDS][AU_USER_AGENT_MAX + 1];

/* Words of all lengths, so that they outgrow each other. */
static void make_word(char *word, char first, size_t len) {
  memset(word, first, len);
  word[len] = '\0';
}

static void make_words(void) {
  static const size_t tab_len[WORDS] = {1, 5, 36, AU_ID_MAX};
  static const size_t platform_len[WORDS] = {0, 3, 20, AU_PLATFORM_MAX};
  static const size_t agent_len[WORDS] = {0, 10, 100, AU_USER_AGENT_MAX};
  for (int i = 0; i < CUSTOMERS; i++) make_word(customer_ids[i], (char)('a' + i), 1 + 30u * i);
  for (int i = 0; i < SESSIONS; i++) make_word(session_ids[i], (char)('A' + i), 1 + 11u * i);
  for (int i = 0; i < WORDS; i++) {
    make_word(tab_ids[i], (char)('0' + i), tab_len[i]);
    make_word(platforms[i], (char)('0' + i), platform_len[i]);
    make_word(agents[i], (char)('0' + i), agent_len[i]);
  }
}

static uint32_t model_count(const model_customer *c) {
  uint32_t n = 0;
  for (int i = 0; i < SESSIONS; i++) n += c->sessions[i].live;
  return n;
}

static uint32_t model_sessions(void) {
  uint32_t n = 0;
  for (int i = 0; i < CUSTOMERS; i++) n += model_count(&world.customers[i]);
  return n;
}

static uint32_t model_customers(void) {
  uint32_t n = 0;
  for (int i = 0; i < CUSTOMERS; i++) n += world.customers[i].known;
  return n;
}

static void model_end(model_customer *c, model_session *s) {
  s->live = false;
  c->changes++;
  if (model_count(c) == 0 && !world.config.keep_customers) c->known = c->has_ema = false;
}

static void model_expire(void) {
  for (int i = 0; i < CUSTOMERS; i++)
    for (int j = 0; j < SESSIONS; j++) {
      model_session *s = &world.customers[i].sessions[j];
      if (s->live && s->deadline_ms <= world.now_ms) model_end(&world.customers[i], s);
    }
}

static int64_t model_next(void) {
  int64_t next_ms = -1;
  for (int i = 0; i < CUSTOMERS; i++)
    for (int j = 0; j < SESSIONS; j++) {
      const model_session *s = &world.customers[i].sessions[j];
      if (s->live && (next_ms < 0 || s->deadline_ms - world.now_ms < next_ms))
        next_ms = s->deadline_ms - world.now_ms;
    }
  return next_ms;
}

static au_status model_touch(model_customer *c, model_session *s, const model_session *words,
                             au_touch_kind kind) {
  bool begins = !s->live;
  if (begins) {
    if (model_sessions() >= world.config.max_sessions) return AU_EFULL;
    if (!c->known && model_customers() >= world.config.max_customers) return AU_EFULL;
    if (!c->known) {
      c->known = true;
      c->since_ms = world.now_ms;
      c->turn = world.next_turn++;
    }
    *s = (model_session){.live = true, .is_leader = true};
    c->changes++;
  }
  s->tab = words->tab;
  if (world.config.keep_profile && (begins || kind == AU_TOUCH_JOIN)) {
    s->platform = words->platform;
    s->user_agent = words->user_agent;
    s->is_leader = words->is_leader;
  }
  s->renewed_ms = world.now_ms;
  s->deadline_ms = world.now_ms + TTL_MS;
  return AU_OK;
}

static void model_heard(void *arg, au_slice customer_id) {
  (void)arg;
  for (int i = 0; i < CUSTOMERS; i++)
    if (slice_eq(customer_id, slice_of(customer_ids[i]))) {
      world.customers[i].changes--;
      return;
    }
  fail_msg("changed: an unknown customer");
}

/* ---- against the model ---------------------------------------------------- */

/* Without any call before it that could end sessions. */
static void expect_session(presence_table *t, int customer, int session) {
  const model_session *s = &world.customers[customer].sessions[session];
  bool live = s->live && s->deadline_ms > world.now_ms;
  au_slice customer_id = slice_of(customer_ids[customer]);
  au_slice session_id = slice_of(session_ids[session]);
  presence_live found;
  assert_int_equal(presence_table_find(t, customer_id, session_id, world.now_ms, &found), live);
  assert_int_equal(presence_table_renewed_ago_ms(t, customer_id, session_id, world.now_ms),
                   live ? world.now_ms - s->renewed_ms : -1);
  if (!live) return;
  assert_true(slice_eq(found.beat.customer_id, customer_id));
  assert_true(slice_eq(found.beat.session_id, session_id));
  assert_true(slice_eq(found.beat.tab_id, slice_of(tab_ids[s->tab])));
  assert_true(slice_eq(found.beat.platform, slice_of(platforms[s->platform])));
  assert_true(slice_eq(found.beat.user_agent, slice_of(agents[s->user_agent])));
  assert_int_equal(found.beat.is_leader, s->is_leader);
  assert_true(isnan(found.beat.timestamp));
  assert_int_equal(found.renewed_ms, s->renewed_ms);
  assert_int_equal(found.deadline_ms, s->deadline_ms);
}

static void expect_customer(presence_table *t, int customer) {
  const model_customer *c = &world.customers[customer];
  au_sample sample;
  presence_table_sample(t, slice_of(customer_ids[customer]), world.now_ms, &sample);
  assert_int_equal(sample.count, model_count(c));
  assert_int_equal(sample.has_ema, c->has_ema);
  assert_true(c->has_ema ? sample.ema == c->ema : sample.ema == 0);
  assert_int_equal(sample.elapsed_ms, c->has_ema ? world.now_ms - c->since_ms : 0);
  assert_int_equal(c->changes, 0);
}

static void expect_due(presence_table *t, int64_t min_age_ms, size_t skip, size_t max) {
  au_slice ids[CUSTOMERS];
  size_t n = presence_table_due(t, min_age_ms, world.now_ms, skip, ids, max), i = 0;
  bool taken[CUSTOMERS] = {false};
  while (i < max) {
    int best = -1;
    for (int c = 0; c < CUSTOMERS; c++) {
      const model_customer *a = &world.customers[c], *b = &world.customers[best < 0 ? c : best];
      if (!a->known || taken[c]) continue;
      if (a->has_ema && a->since_ms + min_age_ms > world.now_ms) continue;
      if (best < 0 || (a->has_ema == b->has_ema ? a->turn < b->turn : !a->has_ema)) best = c;
    }
    if (best < 0) break;
    taken[best] = true;
    if (skip > 0) {
      skip--;
      continue;
    }
    assert_true(i < n);
    assert_true(slice_eq(ids[i++], slice_of(customer_ids[best])));
  }
  assert_int_equal(n, i);
}

static void random_operation(presence_table *t) {
  int customer = rand() % CUSTOMERS, session = rand() % SESSIONS;
  model_customer *c = &world.customers[customer];
  model_session *s = &c->sessions[session];
  model_session words = {.tab = rand() % WORDS,
                         .platform = rand() % WORDS,
                         .user_agent = rand() % WORDS,
                         .is_leader = rand() % 2};
  au_beat beat = {slice_of(customer_ids[customer]),
                  slice_of(session_ids[session]),
                  slice_of(tab_ids[words.tab]),
                  slice_of(platforms[words.platform]),
                  slice_of(agents[words.user_agent]),
                  rand(),
                  words.is_leader};
  expect_session(t, customer, session);
  int what = rand() % 100;
  if (what >= 2) model_expire(); /* all but `drop` do */
  if (what < 2) {
    assert_int_equal(presence_table_drop(t, beat.customer_id, beat.session_id), s->live);
    if (s->live) model_end(c, s);
  } else if (what < 50) {
    au_touch_kind kind = rand() % 3 ? AU_TOUCH_BEAT : AU_TOUCH_JOIN;
    assert_int_equal(presence_table_touch(t, &beat, kind, world.now_ms),
                     model_touch(c, s, &words, kind));
  } else if (what < 65) {
    bool held = s->live && s->tab == words.tab;
    assert_int_equal(presence_table_leave(t, &beat, world.now_ms), held);
    if (held) model_end(c, s);
  } else if (what < 80) {
    bool moves = s->live && s->tab == words.tab && s->deadline_ms > world.now_ms + GRACE_MS;
    assert_int_equal(presence_table_shorten(t, &beat, world.now_ms), moves);
    if (moves) s->deadline_ms = world.now_ms + GRACE_MS;
  } else if (what < 85) {
    assert_int_equal(presence_table_expire(t, world.now_ms), model_next());
  } else if (what < 90) {
    double ema = rand() % 1000 / 8.0;
    presence_table_save(t, beat.customer_id, ema, world.now_ms);
    if (c->known) {
      c->has_ema = true;
      c->ema = ema;
      c->since_ms = world.now_ms;
      c->turn = world.next_turn++;
    }
  } else if (what < 95) {
    presence_table_forget(t, beat.customer_id, world.now_ms);
    if (model_count(c) == 0) c->known = c->has_ema = false;
  } else {
    expect_due(t, rand() % 500, rand() % 3u, (size_t)(rand() % (CUSTOMERS + 1)));
  }
  expect_session(t, customer, session);
}

static void run_model(const char *name, presence_table_config config) {
  unsigned random_seed = 424242;
  printf("%s: seed %u\n", name, random_seed);
  srand(random_seed);
  world = (model){.config = config, .now_ms = 1};
  presence_table *t = NULL;
  assert_int_equal(presence_table_create(&config, &t), AU_OK);
  for (int i = 0; i < OPERATIONS; i++) {
    /* Mostly crowded; now and then a pause in which all or nearly all expire. */
    world.now_ms += rand() % 500 ? rand() % 12 : rand() % (2 * TTL_MS);
    random_operation(t);
    model_expire();
    expect_customer(t, rand() % CUSTOMERS);
    assert_int_equal(presence_table_sessions(t), model_sessions());
    assert_int_equal(presence_table_customers(t), model_customers());
    if (i % 500 == 0)
      for (int c = 0; c < CUSTOMERS; c++) {
        expect_customer(t, c);
        for (int s = 0; s < SESSIONS; s++) expect_session(t, c, s);
      }
  }
  presence_table_free(t);
}

static void random_operations_agree_with_a_model(void **state) {
  (void)state;
  make_words();
  static const struct {
    const char *name;
    bool keep_profile, keep_customers;
    uint32_t max_sessions, max_customers;
  } cases[] = {
      {"no profile, no limits", false, false, 1000, 1000},
      {"with profile", true, false, 1000, 1000},
      {"customers are kept", false, true, 1000, 1000},
      {"profile, few sessions", true, true, 15, 1000},
      {"few customers", false, false, 1000, 2},
      {"few of both, customers are kept", false, true, 20, 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    run_model(cases[i].name, (presence_table_config){.seed = {1, 2},
                                                     .ttl_ms = TTL_MS,
                                                     .grace_ms = GRACE_MS,
                                                     .max_sessions = cases[i].max_sessions,
                                                     .max_customers = cases[i].max_customers,
                                                     .keep_profile = cases[i].keep_profile,
                                                     .keep_customers = cases[i].keep_customers,
                                                     .changed = model_heard});
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_operations_agree_with_a_model),
  };
  return cmocka_run_group_tests_name("presence_table model", tests, NULL, NULL);
}
