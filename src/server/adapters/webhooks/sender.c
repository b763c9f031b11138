/* The queue of each webhook: its head is in flight or waits for its next attempt. */
#include "sender.h"

#include "http_client.h"
#include "signature.h"
#include "utils/join_stop.h"
#include "utils/log.h"
#include "utils/net/public.h"
#include "wire/webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAEMON_SIZE = 256, ID_SIZE = 32, HOST_SIZE = 256, BEGIN_SLICE = 8 };

/* One event of a webhook. */
typedef struct delivery {
  struct delivery *next;
  unsigned attempts;
  char id[ID_SIZE]; /* the same for each attempt, so that a receiver knows a repetition */
  buffer body;
} delivery;

/* One webhook. */
typedef struct target {
  sender *owner; /* NULL: not in force yet */
  char *name, *url;
  char host[HOST_SIZE]; /* for the log: the rest of the URL may be a secret */
  delivery *head, *tail;
  unsigned count;
  http_client_request *in_flight; /* sends the head */
  int64_t next_at_ms;             /* monotonic; 0: at once */
  bool failing;                   /* the last attempt failed */
} target;

struct sender_settings {
  signature_keys keys;
  net_list *networks;
  char *ca;
  uint32_t timeout_ms;
  size_t count;
  target list[];
};

struct sender {
  sender_config config;
  http_client *client; /* made when the first webhook is there */
  sender_settings *settings;
  uv_timer_t timer; /* the next attempt; in a stop, its end */
  uint64_t random;
  char daemon[DAEMON_SIZE]; /* the name of this host */
  bool stopping, ended;
  join_stop stop;
};

static void begin_next(target *t);

static int64_t now_of(const sender *s) {
  return clock_mono_ms(s->config.clock);
}

static uint64_t next_random(sender *s) {
  s->random ^= s->random << 13;
  s->random ^= s->random >> 7;
  s->random ^= s->random << 17;
  return s->random;
}

/* ---- the queue --------------------------------------------------------------------- */

static void delivery_free(delivery *d) {
  if (d) buffer_free(&d->body);
  free(d);
}

static void remove_head(target *t) {
  delivery *d = t->head;
  t->head = d->next;
  if (!t->head) t->tail = NULL;
  t->count--;
  delivery_free(d);
  t->next_at_ms = 0;
  if (t->owner) t->owner->config.counters->webhook_queue--;
}

static void drop_head(target *t, const char *why) {
  stats *counters = t->owner->config.counters;
  counters->webhooks_dropped++;
  log_warn("webhook", "dropped", LOG_STR("webhook", t->name), LOG_STR("host", t->host),
           LOG_STR("reason", why), LOG_INT("attempts", t->head->attempts));
  remove_head(t);
}

/* The one in flight stays: the receiver may have it already. */
static void make_room(target *t) {
  if (t->count < SENDER_QUEUE_MAX) return;
  if (!t->in_flight) {
    drop_head(t, "too many wait");
    return;
  }
  delivery *oldest = t->head->next;
  t->head->next = oldest->next;
  if (t->tail == oldest) t->tail = t->head;
  delivery_free(oldest);
  t->count--;
  t->owner->config.counters->webhook_queue--;
  t->owner->config.counters->webhooks_dropped++;
  log_warn("webhook", "dropped", LOG_STR("webhook", t->name), LOG_STR("host", t->host),
           LOG_STR("reason", "too many wait"));
}

/* ---- time -------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

/* One timer for the earliest attempt. */
static void arm(sender *s) {
  int64_t next_ms = -1;
  if (s->stopping) return;
  for (size_t i = 0; s->settings && i < s->settings->count; i++) {
    const target *t = &s->settings->list[i];
    if (t->head && !t->in_flight && (next_ms < 0 || t->next_at_ms < next_ms))
      next_ms = t->next_at_ms;
  }
  if (next_ms < 0) {
    uv_timer_stop(&s->timer);
    return;
  }
  int64_t left_ms = next_ms - now_of(s);
  uv_timer_start(&s->timer, on_timer, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

/* A few a turn: each costs a signature and the begin of a connection. */
static void on_timer(uv_timer_t *timer) {
  sender *s = timer->data;
  size_t begun = 0;
  for (size_t i = 0; s->settings && i < s->settings->count && begun < BEGIN_SLICE; i++) {
    target *t = &s->settings->list[i];
    if (!t->head || t->in_flight || t->next_at_ms > now_of(s)) continue;
    begin_next(t);
    begun++;
  }
  arm(s);
}

/* Half of the delay is fixed and half is chance, so that many do not come back together. */
static int64_t backoff_ms(sender *s, unsigned attempts) {
  uint64_t delay = SENDER_BACKOFF_MIN_MS;
  for (unsigned i = 1; i < attempts && delay < SENDER_BACKOFF_MAX_MS; i++) delay *= 2;
  if (delay > SENDER_BACKOFF_MAX_MS) delay = SENDER_BACKOFF_MAX_MS;
  return (int64_t)(delay / 2 + next_random(s) % (delay / 2 + 1));
}

/* ---- one attempt ------------------------------------------------------------------- */

static void end_stop(sender *s);

static void set_failing(target *t, bool failing) {
  if (t->failing == failing) return;
  t->failing = failing;
  if (failing)
    t->owner->config.counters->webhooks_failing++;
  else
    t->owner->config.counters->webhooks_failing--;
}

static void attempt_failed(target *t, const char *problem) {
  sender *s = t->owner;
  s->config.counters->webhook_failures++;
  if (!t->failing)
    log_warn("webhook", "not delivered; it is tried again", LOG_STR("webhook", t->name),
             LOG_STR("host", t->host), LOG_STR("reason", problem));
  set_failing(t, true);
  if (t->head->attempts >= SENDER_ATTEMPTS_MAX)
    drop_head(t, problem);
  else
    t->next_at_ms = now_of(s) + backoff_ms(s, t->head->attempts);
}

static void on_done(void *arg, long status, const char *problem) {
  target *t = arg;
  sender *s = t->owner;
  char text[64];
  t->in_flight = NULL;
  if (status >= 200 && status < 300) {
    s->config.counters->webhooks_sent++;
    if (t->failing)
      log_info("webhook", "delivered again", LOG_STR("webhook", t->name), LOG_STR("host", t->host));
    set_failing(t, false);
    remove_head(t);
  } else {
    snprintf(text, sizeof text, "it answers %ld", status);
    attempt_failed(t, status > 0 ? text : problem);
  }
  if (s->stopping)
    end_stop(s);
  else
    arm(s);
}

static bool may_connect(void *arg, const net_addr *address) {
  const target *t = arg;
  return net_is_public(address) || net_list_has(t->owner->settings->networks, address);
}

/* The signature has the time of this attempt, so that receivers may refuse what is old. */
static au_status post(target *t, delivery *d) {
  const sender_settings *settings = t->owner->settings;
  char id[ID_SIZE + 16], timestamp[48];
  int64_t now_s = clock_wall_ms(t->owner->config.clock) / 1000;
  buffer signature;
  buffer_init(&signature, 512);
  snprintf(id, sizeof id, "webhook-id: %s", d->id);
  snprintf(timestamp, sizeof timestamp, "webhook-timestamp: %" PRId64, now_s);
  buffer_append_text(&signature, "webhook-signature: ");
  au_status status =
      signature_print(&settings->keys, slice_of(d->id), now_s, buffer_slice(&d->body), &signature);
  buffer_append(&signature, "", 1);
  if (status == AU_OK && !signature.failed) {
    const char *headers[] = {"Content-Type: application/json", id, timestamp,
                             settings->keys.count > 0 ? signature.ptr : NULL, NULL};
    const http_client_post_args args = {
        .url = t->url,
        .headers = headers,
        .body = buffer_slice(&d->body),
        .ca = settings->ca,
        .timeout_ms = settings->timeout_ms,
        .may_connect = may_connect,
        .done = on_done,
        .arg = t,
    };
    status = http_client_post(t->owner->client, &args, &t->in_flight);
  } else {
    status = AU_ENOMEM;
  }
  buffer_free(&signature);
  return status;
}

static void begin_next(target *t) {
  t->head->attempts++;
  if (post(t, t->head) != AU_OK) attempt_failed(t, au_status_text(AU_ENOMEM));
}

/* ---- events ------------------------------------------------------------------------ */

static delivery *delivery_create(sender *s, const au_webhook_event *event) {
  delivery *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  uint64_t high = next_random(s);
  snprintf(d->id, sizeof d->id, "msg_%08" PRIx32 "%016" PRIx64, (uint32_t)high, next_random(s));
  buffer_init(&d->body, WIRE_WEBHOOK_MAX_BYTES);
  wire_print_webhook(&d->body, event, s->daemon);
  if (!d->body.failed) return d;
  delivery_free(d);
  return NULL;
}

static target *find(const sender_settings *settings, const char *name) {
  for (size_t i = 0; settings && i < settings->count; i++)
    if (strcmp(settings->list[i].name, name) == 0) return (target *)&settings->list[i];
  return NULL;
}

void sender_send(sender *s, const au_webhook_event *event) {
  target *t = find(s->settings, event->webhook->name);
  if (!t || s->stopping) return;
  delivery *d = delivery_create(s, event);
  log_info("webhook", event->firing ? "fires" : "recovers", LOG_STR("webhook", t->name));
  if (!d) {
    s->config.counters->webhooks_dropped++;
    log_warn("webhook", "dropped", LOG_STR("webhook", t->name),
             LOG_STR("reason", au_status_text(AU_ENOMEM)));
    return;
  }
  make_room(t);
  if (t->tail)
    t->tail->next = d;
  else
    t->head = d;
  t->tail = d;
  t->count++;
  s->config.counters->webhook_queue++;
  arm(s);
}

/* ---- settings ---------------------------------------------------------------------- */

void sender_settings_free(sender_settings *settings) {
  if (!settings) return;
  for (size_t i = 0; i < settings->count; i++) {
    target *t = &settings->list[i];
    while (t->head) remove_head(t);
    free(t->name);
    free(t->url);
  }
  net_list_free(settings->networks);
  free(settings->ca);
  free(settings);
}

/* What stands between the scheme, a user and the path. */
static void copy_host(target *t) {
  const char *host = strstr(t->url, "://");
  host = host ? host + 3 : t->url;
  size_t len = strcspn(host, "/?#");
  const char *user = memrchr(host, '@', len);
  if (user) len -= (size_t)(user + 1 - host);
  snprintf(t->host, sizeof t->host, "%.*s", (int)len, user ? user + 1 : host);
}

static au_status fill_target(target *t, const au_webhook *w, char *problem) {
  const char *wrong = http_client_check_url(w->url);
  if (wrong) {
    snprintf(problem, SENDER_PROBLEM_SIZE, "webhook.%s: %s", w->name, wrong);
    return AU_EINVAL;
  }
  t->name = strdup(w->name);
  t->url = strdup(w->url);
  if (!t->name || !t->url) return AU_ENOMEM;
  copy_host(t);
  return AU_OK;
}

static au_status fill(sender_settings *settings, const au_config *config, char *problem) {
  const char *wrong = signature_parse(config->webhook_secret, &settings->keys);
  if (wrong) {
    snprintf(problem, SENDER_PROBLEM_SIZE, "webhook-secret: %s", wrong);
    return AU_EINVAL;
  }
  au_status status = net_list_parse(config->webhook_networks, &settings->networks);
  if (status == AU_OK && settings->keys.count > 0) status = signature_prepare();
  if (status == AU_EINVAL)
    snprintf(problem, SENDER_PROBLEM_SIZE, "webhook-networks: is no list of CIDRs");
  if (status != AU_OK) return status;
  settings->timeout_ms = config->webhook_timeout_ms;
  settings->ca = strdup(config->webhook_ca);
  if (!settings->ca) return AU_ENOMEM;
  for (size_t i = 0; i < config->webhooks_count; i++) {
    settings->count++;
    status = fill_target(&settings->list[i], &config->webhooks[i], problem);
    if (status != AU_OK) return status;
  }
  return AU_OK;
}

au_status sender_settings_create(sender *s, const au_config *config,
                                 char problem[SENDER_PROBLEM_SIZE], sender_settings **out) {
  sender_settings *settings =
      calloc(1, sizeof *settings + config->webhooks_count * sizeof settings->list[0]);
  if (!settings) return AU_ENOMEM;
  au_status status = fill(settings, config, problem);
  /* Most daemons have none, and save themselves libcurl's memory. */
  if (status == AU_OK && settings->count > 0 && !s->client)
    status = http_client_create(s->config.loop, &s->client);
  if (status != AU_OK) {
    sender_settings_free(settings);
    return status;
  }
  *out = settings;
  return AU_OK;
}

static void take_queue(target *to, target *from) {
  to->head = from->head;
  to->tail = from->tail;
  to->count = from->count;
  to->next_at_ms = from->next_at_ms;
  to->failing = from->failing;
  from->head = from->tail = NULL;
  from->count = 0;
  from->failing = false;
}

void sender_set(sender *s, sender_settings *settings) {
  for (size_t i = 0; i < settings->count; i++) settings->list[i].owner = s;
  for (size_t i = 0; s->settings && i < s->settings->count; i++) {
    target *old = &s->settings->list[i], *now = find(settings, old->name);
    if (old->in_flight) http_client_cancel(old->in_flight);
    old->in_flight = NULL;
    old->next_at_ms = 0;
    if (now) take_queue(now, old);
    while (old->head) drop_head(old, "the webhook is gone");
    set_failing(old, false);
  }
  sender_settings_free(s->settings);
  s->settings = settings;
  arm(s);
}

/* ---- life -------------------------------------------------------------------------- */

au_status sender_create(const sender_config *config, sender **out) {
  sender *s = calloc(1, sizeof *s);
  size_t size = sizeof s->daemon;
  if (!s) return AU_ENOMEM;
  s->config = *config;
  s->random = config->seed | 1;
  if (uv_os_gethostname(s->daemon, &size) != 0) snprintf(s->daemon, sizeof s->daemon, "unknown");
  uv_timer_init(config->loop, &s->timer);
  s->timer.data = s;
  *out = s;
  return AU_OK;
}

static void finish_stop(sender *s) {
  if (s->ended) return;
  s->ended = true;
  for (size_t i = 0; s->settings && i < s->settings->count; i++) {
    target *t = &s->settings->list[i];
    if (t->in_flight) http_client_cancel(t->in_flight);
    t->in_flight = NULL;
    while (t->head) drop_head(t, "the daemon stops");
  }
  if (s->client) http_client_stop(s->client, join_stop_done, join_stop_add(&s->stop));
  join_stop_close(&s->stop, (uv_handle_t *)&s->timer);
  join_stop_done(&s->stop);
}

/* Not from inside the client, which is stopped then. */
static void on_stop_timer(uv_timer_t *timer) {
  finish_stop(timer->data);
}

static void end_stop(sender *s) {
  for (size_t i = 0; s->settings && i < s->settings->count; i++)
    if (s->settings->list[i].in_flight) return;
  uv_timer_start(&s->timer, on_stop_timer, 0, 0);
}

void sender_stop(sender *s, void (*stopped)(void *arg), void *arg) {
  join_stop_begin(&s->stop, stopped, arg);
  if (!s->stopping) uv_timer_stop(&s->timer);
  s->stopping = true;
  uv_timer_start(&s->timer, on_stop_timer, SENDER_STOP_MS, 0);
  end_stop(s);
}

void sender_free(sender *s) {
  if (!s) return;
  sender_settings_free(s->settings);
  http_client_free(s->client);
  free(s);
}
