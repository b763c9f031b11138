/* Takes answers apart with cJSON. They come from a daemon that the operator has named. */
#include "answer.h"

#include <cjson/cJSON.h>
#include <string.h>

static cJSON *parse(au_slice json) {
  cJSON *root = cJSON_ParseWithLength(json.ptr, json.len);
  if (cJSON_IsObject(root)) return root;
  cJSON_Delete(root);
  return NULL;
}

static const cJSON *member(const cJSON *object, const char *name) {
  return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* A terminal acts on control characters, which are shown as question marks. */
static void take_text(const cJSON *object, const char *name, char *out, size_t size) {
  const char *text = cJSON_GetStringValue(member(object, name));
  size_t len = text ? strnlen(text, size - 1) : 0;
  for (size_t i = 0; i < len; i++)
    out[i] = (char)(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
  out[len] = '\0';
}

static bool take_number(const cJSON *object, const char *name, double *out) {
  const cJSON *item = member(object, name);
  *out = cJSON_IsNumber(item) ? item->valuedouble : 0;
  return cJSON_IsNumber(item);
}

bool answer_read_health(au_slice json, answer_health *out) {
  cJSON *root = parse(json);
  take_text(root, "status", out->status, sizeof out->status);
  take_text(root, "store", out->store, sizeof out->store);
  take_text(root, "reason", out->reason, sizeof out->reason);
  out->has_details = take_number(root, "uptimeSeconds", &out->uptime_s);
  take_number(root, "sessions", &out->sessions);
  take_number(root, "customers", &out->customers);
  take_number(root, "connections", &out->connections);
  take_number(root, "sockets", &out->sockets);
  cJSON_Delete(root);
  return out->status[0] != '\0';
}

bool answer_read_customers(au_slice json, answer_customers *out) {
  cJSON *root = parse(json);
  const cJSON *list = member(root, "customers"), *item;
  bool found = cJSON_IsArray(list);
  out->count = 0;
  out->more = cJSON_IsString(member(root, "next"));
  cJSON_ArrayForEach(item, list) {
    if (out->count == ANSWER_CUSTOMERS_MAX) break;
    answer_customer *c = &out->list[out->count];
    take_text(item, "customerId", c->id, sizeof c->id);
    take_number(item, "ema", &c->ema);
    if (c->id[0] && take_number(item, "count", &c->count)) out->count++;
  }
  cJSON_Delete(root);
  return found;
}

bool answer_is_metrics(au_slice json) {
  cJSON *root = parse(json);
  double count;
  bool found = take_number(root, "count", &count);
  cJSON_Delete(root);
  return found;
}

void answer_read_message(au_slice json, char out[ANSWER_REASON_SIZE]) {
  cJSON *root = parse(json);
  take_text(root, "message", out, ANSWER_REASON_SIZE);
  cJSON_Delete(root);
}
