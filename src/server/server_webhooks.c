/* Webhooks: whose counts and states they watch, and what sends them. */
#include <uv.h>

#include "server_private.h"

static void tell_webhook(void *arg, const au_webhook_event *event) {
  au_server *server = arg;
  sender_send(server->sender, event);
}

/* A store without a board is this daemon's alone. */
static bool leads(void *arg) {
  const au_server *server = arg;
  return !server->store->ops->board_read || ticker_leads(server->ticker);
}

au_status server_read_webhooks(au_server *server, const au_config *config,
                               sender_settings **deliveries, webhooks_rules **rules) {
  char problem[SENDER_PROBLEM_SIZE];
  au_status status = sender_settings_create(server->sender, config, problem, deliveries);
  if (status == AU_OK) status = webhooks_rules_create(config, rules);
  return status == AU_EINVAL ? server_failed(status, problem, "") : status;
}

au_status server_create_webhooks(au_server *server) {
  uint64_t random; /* not that of the tables, for ids of messages show its successors */
  if (uv_random(NULL, NULL, &random, sizeof random, 0, NULL) != 0) return AU_ENOMEM;
  const sender_config sending = {
      .loop = server->loop,
      .clock = &server->turns.clock,
      .counters = &server->counters,
      .seed = random,
  };
  const webhooks_config watching = {
      .loop = server->loop,
      .clock = &server->turns.clock,
      .store = server->store,
      .leads = leads,
      /* A lease ends after 1.5 intervals; who leads then knows it at its next look. */
      .settle_ms = 2 * (int64_t)server->config.ema_interval_ms + (int64_t)2 * WEBHOOKS_INTERVAL_MS,
      .tell = tell_webhook,
      .arg = server,
  };
  sender_settings *deliveries = NULL;
  webhooks_rules *rules = NULL;
  au_status status = sender_create(&sending, &server->sender);
  if (status == AU_OK) status = webhooks_create(&watching, &server->webhooks);
  if (status == AU_OK) status = server_read_webhooks(server, &server->config, &deliveries, &rules);
  if (status != AU_OK) {
    sender_settings_free(deliveries);
    return status;
  }
  sender_set(server->sender, deliveries);
  webhooks_set_rules(server->webhooks, rules);
  return AU_OK;
}
