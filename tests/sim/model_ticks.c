/* Averages: what each must be, and that nobody is ticked twice. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fake.h"
#include "model_private.h"
#include "report.h"

enum { CLOCK_BLUR_MS = 300 };

static bool same(double a, double b) {
  return fabs(a - b) <= 1e-9 * (1 + fabs(a));
}

/* The customer of a key or channel, without braces. */
static int customer_of(au_slice key) {
  const char *at = memrchr(key.ptr, ':', key.len);
  if (!at) return -1;
  au_slice id = {at + 1, (size_t)(key.ptr + key.len - at - 1)};
  if (id.len > 2 && id.ptr[0] == '{') id = (au_slice){id.ptr + 1, id.len - 2};
  return model_customer_of(id);
}

static const model_tick *find(const model_customer *c, int64_t at_ms) {
  unsigned n = c->tick_count < MODEL_TICKS ? c->tick_count : MODEL_TICKS;
  for (unsigned i = 0; i < n; i++)
    if (c->ticks[i].at_ms == at_ms) return &c->ticks[i];
  return NULL;
}

static void note(model_customer *c, int64_t at_ms, double ema) {
  c->ticks[c->tick_count++ % MODEL_TICKS] = (model_tick){at_ms, ema};
}

/* Brown's exponential smoothing; a tick that is late by k intervals weighs as k. */
void model_ticked(au_slice customer_id, const au_sample *sample, double ema) {
  int i = model_customer_of(customer_id);
  if (i < 0) return;
  model_customer *c = &model.customers[i];
  double k = floor((double)sample->elapsed_ms / (double)model.config.interval_ms + 0.5);
  double weight = 1 - pow(1 - model.config.alpha, k < 1 ? 1 : k);
  double want =
      sample->has_ema ? weight * sample->count + (1 - weight) * sample->ema : sample->count;
  if (!same(want, ema))
    report_failure("an average is wrong", "%s: %.6f, and it is %.6f", c->id, ema, want);
  if (sample->stale) {
    c->local[c->local_count++ % MODEL_LOCAL] = ema;
    return;
  }
  const model_tick *last = sample->ticked_ms > 0 ? find(c, sample->ticked_ms) : NULL;
  if (last && sample->has_ema && !same(last->ema, sample->ema))
    report_failure("a tick goes on from another average than the last", "%s: %.6f, not %.6f", c->id,
                   sample->ema, last->ema);
}

void model_saved(int host, au_slice key, int64_t last_ms, int64_t tick_ms, au_slice ema) {
  int i = customer_of(key);
  if (i < 0) report_failure("an average of nobody was written", "%.*s", (int)key.len, key.ptr);
  model_customer *c = &model.customers[i];
  if (last_ms > 0 && tick_ms - last_ms < model.config.interval_ms / 2)
    report_failure("a customer was ticked twice in an interval", "%s by d%d, after %lld ms", c->id,
                   host, (long long)(tick_ms - last_ms));
  bool calm = model_is_calm(i) && !model_clocks_are_doubted();
  int64_t since_ms = sim_ms() - c->ticked_true_ms;
  if (calm && c->ticked_calmly && since_ms < model.config.interval_ms / 2 - CLOCK_BLUR_MS)
    report_failure("a customer was ticked twice in an interval", "%s by d%d, after %lld ms", c->id,
                   host, (long long)since_ms);
  c->ticked_true_ms = sim_ms();
  c->ticked_calmly = calm;
  note(c, tick_ms, slice_double(ema));
}

/* Nothing is made up when Redis has lost an average: it is one that Redis had, or that was made
 * while it was away. */
void model_restored(au_slice key, au_slice ema, int64_t tick_ms) {
  int i = customer_of(key);
  if (i < 0) report_failure("an average of nobody was restored", "%.*s", (int)key.len, key.ptr);
  model_customer *c = &model.customers[i];
  double value = slice_double(ema);
  const model_tick *known = find(c, tick_ms);
  bool is_known = known && same(known->ema, value);
  unsigned n = c->local_count < MODEL_LOCAL ? c->local_count : MODEL_LOCAL;
  for (unsigned j = 0; j < n && !is_known; j++) is_known = same(c->local[j], value);
  n = c->tick_count < MODEL_TICKS ? c->tick_count : MODEL_TICKS;
  for (unsigned j = 0; j < n && !is_known; j++) is_known = same(c->ticks[j].ema, value);
  if (!is_known)
    report_failure("an average was restored that nobody ever made", "%s: %.6f", c->id, value);
  note(c, tick_ms, value);
}

void model_forgotten(au_slice key) {
  int i = customer_of(key);
  if (i < 0) return;
  if (model_is_calm(i) && model_count(i, false).least + model_count(i, true).least > 0)
    report_failure("a customer with live sessions was forgotten", "%s", model_customer_id(i));
}

static double field(au_slice json, const char *name) {
  const char *at = memmem(json.ptr, json.len, name, strlen(name));
  return at ? strtod(at + strlen(name), NULL) : NAN;
}

/* Published is what was saved. Averages are printed with four decimals. */
void model_published(au_slice channel, au_slice payload) {
  int i = customer_of(channel);
  if (i < 0) return;
  const model_customer *c = &model.customers[i];
  if (memmem(payload.ptr, payload.len, "\"stale\":true", 12))
    report_failure("stale metrics were published for all daemons", "%s", c->id);
  double ema = field(payload, "\"ema\":"), count = field(payload, "\"count\":");
  bool is_known = ema == 0 || same(ema, count) || c->tick_count == 0;
  unsigned n = c->tick_count < MODEL_TICKS ? c->tick_count : MODEL_TICKS;
  for (unsigned j = 0; j < n && !is_known; j++) is_known = fabs(c->ticks[j].ema - ema) < 0.00006;
  if (!is_known)
    report_failure("an average was published that was not saved", "%s: %.4f", c->id, ema);
}

unsigned model_ticks(int customer) {
  return model.customers[customer].tick_count;
}

int64_t model_ticked_ms(int customer) {
  return model.customers[customer].ticked_true_ms;
}

bool model_has_ticked(int customer, double ema, unsigned n) {
  const model_customer *c = &model.customers[customer];
  for (unsigned i = 1; i <= n && i <= c->tick_count; i++)
    if (fabs(c->ticks[(c->tick_count - i) % MODEL_TICKS].ema - ema) < 0.00006) return true;
  return false;
}
