/* Who may use this daemon: for all customers, and for those that have rules of their own. Made of
 * one configuration and never changed: a reload makes new ones. Knows no transport. */
#ifndef TRANSPORTS_ACCESS_RULES_H
#define TRANSPORTS_ACCESS_RULES_H

#include <active_users/config.h>

#include "stats.h"
#include "tokens.h"
#include "utils/buffer.h"

enum { ACCESS_PROBLEM_SIZE = 512 };

typedef struct access_rules access_rules;

/* Keeps nothing of `config`. Warns of secrets that are too short. Returns AU_OK, AU_ENOMEM, or
 * AU_EINVAL with `problem`, a line for a person that repeats no secret. */
AU_MUST_CHECK au_status access_rules_create(const au_config *config,
                                            char problem[ACCESS_PROBLEM_SIZE], access_rules **out);
/* NULL is fine. */
void access_rules_free(access_rules *rules);

/* ---- origins ---- */

/* Appends the header lines that tell a browser (Fetch standard, "HTTP extensions") before it is
 * known which customer a request is for; `origin` is that of the request, ptr NULL when it came
 * from no page. False: a page of this origin may do nothing here, for whatever customer. */
bool access_rules_answer_origin(const access_rules *rules, au_slice origin, buffer *lines);

/* Whether a page of this origin may act for a customer, or read of it: by the customer's own list,
 * or else by that for all. What comes from no page (ptr NULL) may. */
bool access_rules_admit_origin(const access_rules *rules, au_slice customer_id, au_slice origin);

/* Appends which pages may have one about a customer in a frame, as sources of frame-ancestors:
 * those that may read of the customer. */
void access_rules_print_ancestors(const access_rules *rules, au_slice customer_id, buffer *out);

/* ---- tokens ---- */

/* Whether a customer asks for tokens: it has a secret of its own, or there is one for all. */
bool access_rules_want_token(const access_rules *rules, au_slice customer_id);

/* As tokens_check, by the customer's secrets. A customer that asks for no token is TOKEN_OK,
 * whatever is given. */
token_verdict access_rules_check_token(const access_rules *rules, const token_ask *ask,
                                       int64_t now_ms, int64_t *left_ms);

/* What to tell somebody whose token was refused. */
typedef struct token_refusal {
  int http_status;
  uint16_t close_code; /* of a socket */
  const char *message;
} token_refusal;

/* Of a verdict other than TOKEN_OK; counts it. */
const token_refusal *token_refuse(token_verdict verdict, stats *counters);

#endif
