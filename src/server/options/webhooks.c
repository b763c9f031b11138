/* Reads and prints the lines of the config file that name webhooks: words apart by blanks. */
#include "webhooks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "customers.h"
#include "utils/buffer.h"
#include "utils/text/id.h"

enum { DEFAULT_FOR_S = 60, QUOTED_MAX = 40 /* bytes of a wrong word that an error repeats */ };

static const char prefix[] = "webhook.";

#define SHAPE                                                                  \
  "a webhook is: URL customer ID above N [until N] [for TIME], the same with " \
  "below, or URL store degraded [for TIME]"

bool options_webhooks_has(const char *key) {
  return strncmp(key, prefix, sizeof prefix - 1) == 0;
}

static void free_one(const au_webhook *w) {
  free((char *)w->name);
  free((char *)w->url);
  free((char *)w->customer_id);
}

void options_webhooks_free(options_webhooks *all) {
  for (size_t i = 0; i < all->count; i++) free_one(&all->list[i]);
  free(all->list);
  free(all->lines);
}

/* ---- one line ---------------------------------------------------------------------- */

/* A line while it is read. */
typedef struct parser {
  au_slice rest, word; /* the word is empty behind the last */
  char *problem;
} parser;

static void next(parser *p) {
  while (slice_next(&p->rest, ' ', &p->word)) {
    p->word = slice_trim(p->word);
    if (p->word.len > 0) return;
  }
  p->word = (au_slice){NULL, 0};
}

static bool is(const parser *p, const char *word) {
  return slice_eq(p->word, slice_of(word));
}

static bool refuse(const parser *p, const char *expected) {
  int len = p->word.len < QUOTED_MAX ? (int)p->word.len : QUOTED_MAX;
  if (p->word.len > 0)
    snprintf(p->problem, OPTIONS_WEBHOOKS_PROBLEM_SIZE, "`%.*s` stands where %s is expected", len,
             p->word.ptr, expected);
  else
    snprintf(p->problem, OPTIONS_WEBHOOKS_PROBLEM_SIZE, "%s is missing; " SHAPE, expected);
  return false;
}

/* ptr NULL without memory. */
static char *copy_of(au_slice text) {
  return strndup(text.ptr, text.len);
}

static bool read_count(parser *p, uint32_t *out) {
  uint64_t n;
  if (!slice_digits(p->word, 9, &n)) return refuse(p, "a number of people");
  *out = (uint32_t)n;
  next(p);
  return true;
}

/* "90s", "5m", "1h". */
static bool read_time(parser *p, uint32_t *out) {
  uint64_t n, unit = 0;
  au_slice digits = p->word;
  if (digits.len > 0) digits.len--;
  char last = p->word.len > 0 ? p->word.ptr[p->word.len - 1] : '\0';
  if (last == 's') unit = 1;
  if (last == 'm') unit = 60;
  if (last == 'h') unit = 3600;
  if (unit == 0 || !slice_digits(digits, 6, &n) || n * unit < 1 || n * unit > AU_WEBHOOK_FOR_MAX_S)
    return refuse(p, "a time from 1s to 24h, such as 60s, 5m or 1h,");
  *out = (uint32_t)(n * unit);
  next(p);
  return true;
}

static bool read_until(parser *p, au_webhook *w) {
  w->until = w->threshold;
  if (!is(p, "until")) return true;
  next(p);
  parser at = *p;
  if (!read_count(p, &w->until)) return false;
  if (w->kind == AU_WEBHOOK_ABOVE && w->until > w->threshold)
    return refuse(&at, "a number that is not higher than the one behind above");
  if (w->kind == AU_WEBHOOK_BELOW && w->until < w->threshold)
    return refuse(&at, "a number that is not lower than the one behind below");
  return true;
}

static bool read_customer(parser *p, au_webhook *w, au_slice *customer_id) {
  next(p);
  if (!id_valid(p->word)) return refuse(p, "a customer id");
  *customer_id = p->word;
  next(p);
  if (!is(p, "above") && !is(p, "below")) return refuse(p, "above or below");
  w->kind = is(p, "above") ? AU_WEBHOOK_ABOVE : AU_WEBHOOK_BELOW;
  next(p);
  return read_count(p, &w->threshold) && read_until(p, w);
}

static bool read_store(parser *p, au_webhook *w) {
  next(p);
  w->kind = AU_WEBHOOK_STORE;
  if (!is(p, "degraded")) return refuse(p, "degraded");
  next(p);
  return true;
}

static bool read_condition(parser *p, au_webhook *w, au_slice *customer_id) {
  bool read = is(p, "customer") ? read_customer(p, w, customer_id)
              : is(p, "store")  ? read_store(p, w)
                                : refuse(p, "customer or store");
  if (!read) return false;
  w->for_s = DEFAULT_FOR_S;
  if (is(p, "for")) {
    next(p);
    if (!read_time(p, &w->for_s)) return false;
  }
  return p->word.len == 0 || refuse(p, "the end");
}

/* ---- the list ---------------------------------------------------------------------- */

static bool reserve(options_webhooks *all) {
  if (all->list) return true;
  all->list = calloc(AU_WEBHOOKS_MAX, sizeof *all->list);
  all->lines = calloc(AU_WEBHOOKS_MAX, sizeof *all->lines);
  return all->list && all->lines;
}

static size_t find(const options_webhooks *all, au_slice name) {
  size_t i = 0;
  while (i < all->count && !slice_eq(name, slice_of(all->list[i].name))) i++;
  return i;
}

static bool is_new(const options_webhooks *all, const char *name, char *problem) {
  size_t i = find(all, slice_of(name));
  if (i < all->count)
    snprintf(problem, OPTIONS_WEBHOOKS_PROBLEM_SIZE, "is already set in line %u", all->lines[i]);
  else if (all->count == AU_WEBHOOKS_MAX)
    snprintf(problem, OPTIONS_WEBHOOKS_PROBLEM_SIZE, "there are more than %d webhooks",
             AU_WEBHOOKS_MAX);
  else if (!id_valid(slice_of(name)))
    snprintf(problem, OPTIONS_WEBHOOKS_PROBLEM_SIZE,
             "behind %s stands no name of 1 to %d characters", prefix, AU_ID_MAX);
  else
    return true;
  return false;
}

au_status options_webhooks_set(options_webhooks *all, const char *key, const char *value,
                               unsigned line, char problem[OPTIONS_WEBHOOKS_PROBLEM_SIZE]) {
  const char *name = key + sizeof prefix - 1;
  if (!is_new(all, name, problem)) return AU_EINVAL;
  au_webhook w = {0};
  au_slice customer_id = {NULL, 0};
  parser p = {.rest = slice_of(value), .problem = problem};
  next(&p);
  au_slice url = p.word;
  if (url.len == 0 || url.len > AU_WEBHOOK_URL_MAX || !memmem(url.ptr, url.len, "://", 3)) {
    snprintf(problem, OPTIONS_WEBHOOKS_PROBLEM_SIZE,
             "the first word is no URL of at most %d bytes; " SHAPE, AU_WEBHOOK_URL_MAX);
    return AU_EINVAL;
  }
  next(&p);
  if (!read_condition(&p, &w, &customer_id)) return AU_EINVAL;
  w.name = strdup(name);
  w.url = copy_of(url);
  w.customer_id = customer_id.ptr ? copy_of(customer_id) : NULL;
  if (!w.name || !w.url || (customer_id.ptr && !w.customer_id) || !reserve(all)) {
    free_one(&w);
    return AU_ENOMEM;
  }
  all->list[all->count] = w;
  all->lines[all->count++] = line;
  return AU_OK;
}

unsigned options_webhooks_line_of(const options_webhooks *all, const char *error) {
  if (!options_webhooks_has(error)) return 0;
  const char *name = error + sizeof prefix - 1;
  size_t i = find(all, (au_slice){name, strcspn(name, ":")});
  return i < all->count ? all->lines[i] : 0;
}

/* ---- printing ---------------------------------------------------------------------- */

/* What is behind the host may be a secret, and so may be who logs in. */
static void print_url(const char *url, FILE *to) {
  const char *host = strstr(url, "://") + 3;
  size_t len = strcspn(host, "/?#");
  const char *user = memrchr(host, '@', len);
  fprintf(to, "%.*s%s%.*s", (int)(host - url), url, user ? OPTIONS_STARS "@" : "",
          (int)(user ? (size_t)(host + len - user - 1) : len), user ? user + 1 : host);
  if (host[len] != '\0') fputs("/" OPTIONS_STARS, to);
}

void options_webhooks_print(const options_webhooks *all, const char *path, FILE *to) {
  for (size_t i = 0; i < all->count; i++) {
    const au_webhook *w = &all->list[i];
    fprintf(to, "%s%s = ", prefix, w->name);
    print_url(w->url, to);
    if (w->kind == AU_WEBHOOK_STORE)
      fputs(" store degraded", to);
    else
      fprintf(to, " customer %s %s %" PRIu32 " until %" PRIu32, w->customer_id,
              w->kind == AU_WEBHOOK_ABOVE ? "above" : "below", w->threshold, w->until);
    fprintf(to, " for %" PRIu32 "s  # %.128s:%u\n", w->for_s, path, all->lines[i]);
  }
}

void options_webhooks_print_markdown(FILE *to) {
  fputs(
      "### Webhooks\n\n"
      "These keys of the file name conditions that are watched, at most 100. Each has the URL\n"
      "that is told when it begins and ends to hold ([webhooks](../howto/webhooks.md)). The name\n"
      "behind the dot is any id. `SIGHUP` takes them over.\n\n"
      "| key | value |\n"
      "|---|---|\n"
      "| `webhook.NAME` | `URL customer ID above N [until N] [for TIME]` |\n"
      "| `webhook.NAME` | `URL customer ID below N [until N] [for TIME]` |\n"
      "| `webhook.NAME` | `URL store degraded [for TIME]` |\n\n"
      "`TIME` is from `1s` to `24h`, as `90s`, `5m` or `1h`; 60 s when it is left out.\n\n"
      "```ini\n"
      "webhook-secret = whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"
      "webhook.crowd  = https://hooks.example/x customer shop123 above 500 until 450 for 60s\n"
      "webhook.empty  = https://hooks.example/x customer shop123 below 1 for 10m\n"
      "webhook.redis  = https://hooks.example/x store degraded for 30s\n"
      "```\n\n",
      to);
}
