/* The presence table against a model that is too simple to be wrong: 100,000 random
 * operations for each kind of table. Time is a number here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/presence_table.h"
#include "utils/buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MS = 1000, GRACE_MS = 100 };
enum { CUSTOMERS = 5, SESSIONS = 12, WORDS = 4, SOURCES = 3, OPERATIONS = 100000 };

typedef struct model_session {
  bool live;
  int64_t deadline_ms, renewed_ms;
  bool is_shortened;
  int armed;                     /* when its deadline was set, among those of all */
  int tab, platform, user_agent; /* numbers of words */
  int source;                    /* SOURCES: none */
  bool is_leader;
  int page; /* number of a word; 0: none */
  au_visibility visibility;
} model_session;

typedef struct model_customer {
  bool known, has_ema;
  double ema;
  int64_t since_ms; /* when it began to wait for a tick */
  int turn;         /* its place among those who wait */
  int emptied;      /* when its last session ended, among those of all */
  int changes;      /* expected and not yet heard */
  bool page_news;   /* heard of and not looked at */
  uint64_t pages;   /* a sum of all that was seen last */
  model_session sessions[SESSIONS];
} model_customer;

typedef struct model {
  presence_table_config config;
  model_customer customers[CUSTOMERS];
  int64_t now_ms;
  int next_turn, next_armed, next_emptied;
  int heard[SOURCES]; /* sessions that began less those that ended */
} model;

static model world;
static char customer_ids[CUSTOMERS][AU_ID_MAX + 1], session_ids[SESSIONS][AU_ID_MAX + 1];
static char tab_ids[WORDS][AU_ID_MAX + 1];
static char page_names[WORDS][AU_PATH_MAX + 1];
static char platforms[WORDS][AU_PLATFORM_MAX + 1], agents[WORDS][AU_USER_AGENT_MAX + 1];

/* Words of all lengths, so that they outgrow each other. */
static void make_word(char *word, char first, size_t len) {
  memset(word, first, len);
  word[len] = '\0';
}

static void make_words(void) {
  static const size_t tab_len[WORDS] = {1, 5, 36, AU_ID_MAX};
  static const size_t platform_len[WORDS] = {0, 3, 20, AU_PLATFORM_MAX};
  static const size_t page_len[WORDS] = {0, 1, 2, AU_PATH_MAX};
  static const size_t agent_len[WORDS] = {0, 10, 100, AU_USER_AGENT_MAX};
  for (int i = 0; i < CUSTOMERS; i++) make_word(customer_ids[i], (char)('a' + i), 1 + 30u * i);
  for (int i = 0; i < SESSIONS; i++) make_word(session_ids[i], (char)('A' + i), 1 + 11u * i);
  for (int i = 0; i < WORDS; i++) {
    make_word(tab_ids[i], (char)('0' + i), tab_len[i]);
    make_word(platforms[i], (char)('0' + i), platform_len[i]);
    make_word(agents[i], (char)('0' + i), agent_len[i]);
    make_word(page_names[i], '/', page_len[i]);
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
  if (model_count(c) > 0) return;
  if (world.config.keep_customers)
    c->emptied = world.next_emptied++;
  else
    c->known = c->has_ema = false;
}

/* Whether `a` ends before `b` when both have expired: it says whose customer is empty first. */
static bool ends_before(const model_session *a, const model_session *b) {
  return a->is_shortened == b->is_shortened ? a->armed < b->armed : a->is_shortened;
}

static void model_expire(void) {
  for (;;) {
    model_customer *owner = NULL;
    model_session *first = NULL;
    for (int i = 0; i < CUSTOMERS; i++)
      for (int j = 0; j < SESSIONS; j++) {
        model_session *s = &world.customers[i].sessions[j];
        if (!s->live || s->deadline_ms > world.now_ms || (first && !ends_before(s, first)))
          continue;
        first = s;
        owner = &world.customers[i];
      }
    if (!first) return;
    model_end(owner, first);
  }
}

/* The one that has been empty for the longest. */
static model_customer *model_idlest(void) {
  model_customer *idlest = NULL;
  for (int i = 0; i < CUSTOMERS; i++) {
    model_customer *c = &world.customers[i];
    if (c->known && model_count(c) == 0 && (!idlest || c->emptied < idlest->emptied)) idlest = c;
  }
  return idlest;
}

/* One and a half of the customers are crowded. */
static uint32_t model_max_of(void *arg, au_slice customer_id) {
  (void)arg;
  return customer_id.ptr[0] == 'a' ? 4 : customer_id.ptr[0] == 'b' ? SESSIONS / 2 : SESSIONS;
}

static void model_began(void *arg, void *source) {
  (void)arg;
  ++*(int *)source;
}

static void model_ended(void *arg, void *source) {
  (void)arg;
  --*(int *)source;
}

static void expect_sources(void) {
  for (int i = 0; i < SOURCES; i++) {
    int want = 0;
    for (int c = 0; c < CUSTOMERS; c++)
      for (int s = 0; s < SESSIONS; s++)
        want += world.customers[c].sessions[s].live && world.customers[c].sessions[s].source == i;
    assert_int_equal(world.heard[i], want);
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
    if (world.config.events->max_sessions_of &&
        model_count(c) >= model_max_of(NULL, slice_of(customer_ids[c - world.customers])))
      return AU_EFULL;
    if (!c->known && model_customers() >= world.config.max_customers) {
      model_customer *idlest = model_idlest();
      if (!idlest) return AU_EFULL;
      idlest->known = idlest->has_ema = false;
    }
    if (!c->known) {
      c->known = true;
      c->since_ms = world.now_ms;
      c->turn = world.next_turn++;
    }
    *s = (model_session){.live = true, .is_leader = true, .source = words->source};
    c->changes++;
  }
  s->tab = words->tab;
  if (begins || kind == AU_TOUCH_JOIN || words->page > 0) s->page = words->page;
  if (begins || kind == AU_TOUCH_JOIN || words->visibility != AU_VISIBILITY_UNKNOWN)
    s->visibility = words->visibility;
  if (world.config.keep_profile && (begins || kind == AU_TOUCH_JOIN)) {
    s->platform = words->platform;
    s->user_agent = words->user_agent;
    s->is_leader = words->is_leader;
  }
  s->renewed_ms = world.now_ms;
  s->deadline_ms = world.now_ms + TTL_MS;
  s->is_shortened = false;
  s->armed = world.next_armed++;
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
  assert_int_equal(presence_table_renewed_ago_ms(t, customer_id, session_id, world.now_ms, NULL),
                   live ? world.now_ms - s->renewed_ms : -1);
  if (!live) return;
  assert_true(slice_eq(found.beat.customer_id, customer_id));
  assert_true(slice_eq(found.beat.session_id, session_id));
  assert_true(slice_eq(found.beat.tab_id, slice_of(tab_ids[s->tab])));
  assert_true(slice_eq(found.beat.platform, slice_of(platforms[s->platform])));
  assert_true(slice_eq(found.beat.user_agent, slice_of(agents[s->user_agent])));
  assert_int_equal(found.beat.is_leader, s->is_leader);
  assert_true(slice_eq(found.beat.page, slice_of(page_names[s->page])));
  assert_int_equal(found.beat.visibility, s->visibility);
  assert_true(isnan(found.beat.timestamp));
  assert_int_equal(found.renewed_ms, s->renewed_ms);
  assert_int_equal(found.deadline_ms, s->deadline_ms);
}

static void model_page_news(void *arg, au_slice customer_id) {
  (void)arg;
  for (int i = 0; i < CUSTOMERS; i++)
    if (slice_eq(customer_id, slice_of(customer_ids[i]))) world.customers[i].page_news = true;
}

/* Every page with its sessions, and nothing else; what has changed was reported. */
static void expect_pages(presence_table *t, int customer) {
  static au_page_count rows[AU_PAGE_NAMES_MAX];
  model_customer *c = &world.customers[customer];
  uint32_t count[WORDS] = {0}, visible[WORDS] = {0}, all[3] = {0}, pages = 0;
  for (int i = 0; i < SESSIONS; i++) {
    const model_session *s = &c->sessions[i];
    if (!s->live) continue;
    count[s->page]++;
    visible[s->page] += s->visibility == AU_VISIBILITY_VISIBLE;
    all[s->visibility]++;
  }
  au_breakdown found;
  presence_table_breakdown(t, slice_of(customer_ids[customer]), world.now_ms, rows, &found);
  uint64_t sum = found.visible * 31u + found.hidden * 1009u;
  for (int i = 1; i < WORDS; i++) {
    if (count[i] == 0) continue;
    size_t at = 0;
    while (at < found.n && rows[at].page.len != strlen(page_names[i])) at++;
    assert_true(at < found.n);
    assert_int_equal(rows[at].count, count[i]);
    assert_int_equal(rows[at].visible, visible[i]);
    sum = sum * 1000003u + count[i] * 17u + visible[i] + (unsigned)i * 7919u;
    pages++;
  }
  assert_int_equal(found.n, pages);
  assert_int_equal(found.other, 0);
  assert_int_equal(found.visible, all[AU_VISIBILITY_VISIBLE]);
  assert_int_equal(found.hidden, all[AU_VISIBILITY_HIDDEN]);
  if (sum != c->pages) assert_true(c->page_news);
  c->page_news = false;
  c->pages = sum;
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
  expect_pages(t, customer);
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

static int64_t rounded(int64_t grace_ms) {
  int64_t step_ms = (GRACE_MS + 39) / 40, up_ms = (grace_ms + step_ms - 1) / step_ms * step_ms;
  return up_ms < GRACE_MS ? up_ms : GRACE_MS;
}

/* Another daemon counts the page of a session since then, or it was touched here since. */
static void expect_moved(presence_table *t, const au_beat *beat, model_session *s) {
  int64_t since_ms = world.now_ms - rand() % TTL_MS, renewed_ms = -1;
  bool counted = s->live && (s->page > 0 || s->visibility != AU_VISIBILITY_UNKNOWN);
  bool is_back = counted && s->renewed_ms > since_ms;
  (void)presence_table_expire(t, world.now_ms);
  assert_int_equal(
      presence_table_moved(t, beat->customer_id, beat->session_id, since_ms, &renewed_ms),
      is_back   ? PRESENCE_MOVED_BACK
      : counted ? PRESENCE_MOVED_AWAY
                : PRESENCE_MOVED_UNKNOWN);
  if (is_back) assert_int_equal(renewed_ms, s->renewed_ms);
  if (!counted || is_back) return;
  s->page = 0;
  s->visibility = AU_VISIBILITY_UNKNOWN;
}

static void random_operation(presence_table *t) {
  int customer = rand() % CUSTOMERS, session = rand() % SESSIONS;
  model_customer *c = &world.customers[customer];
  model_session *s = &c->sessions[session];
  model_session words = {.tab = rand() % WORDS,
                         .platform = rand() % WORDS,
                         .user_agent = rand() % WORDS,
                         .source = rand() % (SOURCES + 1),
                         .is_leader = rand() % 2,
                         .page = rand() % WORDS,
                         .visibility = (au_visibility)(rand() % 3)};
  au_beat beat = {slice_of(customer_ids[customer]),
                  slice_of(session_ids[session]),
                  slice_of(tab_ids[words.tab]),
                  slice_of(platforms[words.platform]),
                  slice_of(agents[words.user_agent]),
                  rand(),
                  words.is_leader,
                  AU_VISITOR_PERSON,
                  0,
                  slice_of(page_names[words.page]),
                  words.visibility,
                  false,
                  words.source < SOURCES ? &world.heard[words.source] : NULL};
  expect_session(t, customer, session);
  int what = rand() % 100;
  if (what >= 2) model_expire(); /* all but `drop` do */
  if (what < 2) {
    assert_int_equal(presence_table_drop(t, beat.customer_id, beat.session_id), s->live);
    if (s->live) model_end(c, s);
  } else if (what < 5) {
    expect_moved(t, &beat, s);
  } else if (what < 50) {
    au_touch_kind kind = rand() % 3 ? AU_TOUCH_BEAT : AU_TOUCH_JOIN;
    assert_int_equal(presence_table_touch(t, &beat, kind, world.now_ms),
                     model_touch(c, s, &words, kind));
  } else if (what < 65) {
    bool held = s->live && s->tab == words.tab;
    assert_int_equal(presence_table_leave(t, &beat, world.now_ms), held);
    if (held) model_end(c, s);
  } else if (what < 80) {
    int64_t grace_ms = rand() % (GRACE_MS + 1), lives_ms = rounded(grace_ms);
    bool moves = s->live && s->tab == words.tab && s->deadline_ms > world.now_ms + lives_ms;
    assert_int_equal(presence_table_shortens(t, &beat, grace_ms, world.now_ms), moves);
    assert_int_equal(presence_table_shorten(t, &beat, grace_ms, world.now_ms), moves);
    if (moves) {
      s->deadline_ms = world.now_ms + lives_ms;
      s->is_shortened = true;
      s->armed = world.next_armed++;
    }
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
    presence_table_evict(t, beat.customer_id, world.now_ms);
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
    expect_sources();
    if (i % 500 == 0)
      for (int c = 0; c < CUSTOMERS; c++) {
        expect_customer(t, c);
        for (int s = 0; s < SESSIONS; s++) expect_session(t, c, s);
      }
  }
  presence_table_free(t);
  for (int i = 0; i < SOURCES; i++) assert_int_equal(world.heard[i], 0);
}

static void model_page_seen(void *arg, au_slice customer_id, au_slice session_id) {
  (void)arg;
  assert_true(customer_id.len > 0 && session_id.len > 0);
}

static void random_operations_agree_with_a_model(void **state) {
  (void)state;
  make_words();
  static const struct {
    const char *name;
    bool keep_profile, keep_customers, has_shares;
    uint32_t max_sessions, max_customers;
  } cases[] = {
      {"no profile, no limits", false, false, false, 1000, 1000},
      {"with profile", true, false, false, 1000, 1000},
      {"customers are kept", false, true, false, 1000, 1000},
      {"profile, few sessions", true, true, false, 15, 1000},
      {"few customers", false, false, false, 1000, 2},
      {"few of both, customers are kept", false, true, false, 20, 3},
      {"few customers, and a share for each", false, true, true, 1000, 3},
      {"a share for each", true, false, true, 1000, 1000},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const presence_page_events pages = {model_page_news, model_page_seen, NULL};
    const au_store_events events = {.session_began = model_began,
                                    .session_ended = model_ended,
                                    .max_sessions_of = cases[i].has_shares ? model_max_of : NULL};
    run_model(cases[i].name, (presence_table_config){.seed = {1, 2},
                                                     .ttl_ms = TTL_MS,
                                                     .grace_ms = GRACE_MS,
                                                     .max_sessions = cases[i].max_sessions,
                                                     .max_customers = cases[i].max_customers,
                                                     .keep_profile = cases[i].keep_profile,
                                                     .keep_customers = cases[i].keep_customers,
                                                     .changed = model_heard,
                                                     .pages = &pages,
                                                     .events = &events});
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_operations_agree_with_a_model),
  };
  return cmocka_run_group_tests_name("presence_table model", tests, NULL, NULL);
}
