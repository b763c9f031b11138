/* What a webhook is sent. Nothing here keeps state. */
#ifndef WIRE_WEBHOOK_H
#define WIRE_WEBHOOK_H

#include <active_users/webhook.h>

#include "utils/buffer.h"

enum { WIRE_WEBHOOK_MAX_BYTES = 2048 };

/* {"webhook":…,"state":"firing"|"recovered","timestamp":…,"daemon":…,"condition":…,…,"text":…}: of
 * a customer with "customerId", "threshold", "until", "forSeconds", "count" and "ema", of the store
 * with "forSeconds" and "reason". `text` is a sentence for people. */
void wire_print_webhook(buffer *out, const au_webhook_event *event, const char *daemon);

#endif
