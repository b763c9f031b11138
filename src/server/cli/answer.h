/* Reads the answers of a daemon as far as a command shows them. What another program answers there
 * must do no harm: texts are cut, and have no control characters. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "utils/buffer.h"

enum { ANSWER_WORD_SIZE = 32, ANSWER_REASON_SIZE = 200, ANSWER_CUSTOMERS_MAX = 100 };

typedef struct answer_health {
  char status[ANSWER_WORD_SIZE]; /* "ok", "degraded", "stopping" */
  bool has_details;              /* of what follows */
  char store[ANSWER_WORD_SIZE], reason[ANSWER_REASON_SIZE];
  double uptime_s, sessions, customers, connections, sockets;
} answer_health;

typedef struct answer_customer {
  char id[AU_ID_MAX + 1];
  double count, ema;
} answer_customer;

typedef struct answer_customers {
  answer_customer list[ANSWER_CUSTOMERS_MAX];
  size_t count;
  bool more; /* there are others behind them */
} answer_customers;

/* Both return false for a text that is no such answer. */
bool answer_read_health(au_slice json, answer_health *out);
bool answer_read_customers(au_slice json, answer_customers *out);

/* Whether it is an object with a count. */
bool answer_is_metrics(au_slice json);

/* The "message" of an error, or "" when it has none. */
void answer_read_message(au_slice json, char out[ANSWER_REASON_SIZE]);

#endif
