/* The rules, by customer. */
#include "access_rules.h"

#include "origins.h"
#include "services/customer_index.h"
#include "utils/log.h"
#include "wire/close_codes.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct access_rules {
  customer_index *index;
  token_keys keys;  /* of customers without their own */
  origins *origins; /* the same */
  origins *of_any;  /* what is allowed for some customer */
  bool is_open;     /* every list allows any page */
  size_t count;
  struct {
    token_keys keys;  /* without a text: none of its own */
    origins *origins; /* NULL: none of its own */
  } own[];            /* as au_config.customers */
};

/* ---- life ------------------------------------------------------------------- */

static au_status read_keys(const char *text, const char *customer_id, token_keys *out,
                           char problem[ACCESS_PROBLEM_SIZE]) {
  const char *reason, *dot = customer_id ? "." : "", *of = customer_id ? customer_id : "";
  au_status status = token_keys_parse(text, out, &reason);
  if (status == AU_EINVAL)
    snprintf(problem, ACCESS_PROBLEM_SIZE, "token-secret%s%s: %s", dot, of, reason);
  if (status == AU_OK && token_keys_are_weak(out))
    log_warn("access", "a secret of less than 32 bytes can be guessed",
             LOG_STR("setting", "token-secret"), LOG_STR("customer", of));
  return status;
}

static au_status read_origins(const char *text, const char *customer_id, origins **out,
                              char problem[ACCESS_PROBLEM_SIZE]) {
  char why[ORIGINS_PROBLEM_SIZE];
  au_status status = origins_parse(text, out, why);
  if (status == AU_EINVAL)
    snprintf(problem, ACCESS_PROBLEM_SIZE, "allowed-origins%s%s: %s", customer_id ? "." : "",
             customer_id ? customer_id : "", why);
  return status;
}

/* A page is known before its customer is. */
static au_status unite_origins(access_rules *rules) {
  const origins **lists = calloc(rules->count + 1, sizeof(const origins *));
  if (!lists) return AU_ENOMEM;
  size_t count = 0;
  lists[count++] = rules->origins;
  for (size_t i = 0; i < rules->count; i++)
    if (rules->own[i].origins) lists[count++] = rules->own[i].origins;
  rules->is_open = true;
  for (size_t i = 0; i < count; i++)
    if (!origins_allow_any(lists[i])) rules->is_open = false;
  au_status status = origins_unite(lists, count, &rules->of_any);
  free(lists);
  return status;
}

au_status access_rules_create(const au_config *config, char problem[ACCESS_PROBLEM_SIZE],
                              access_rules **out) {
  size_t count = config->customers_count;
  access_rules *rules = calloc(1, sizeof *rules + count * sizeof rules->own[0]);
  if (!rules) return AU_ENOMEM;
  rules->count = count;
  au_status status = customer_index_create(config, &rules->index);
  if (status == AU_OK) status = read_keys(config->token_secret, NULL, &rules->keys, problem);
  if (status == AU_OK)
    status = read_origins(config->allowed_origins, NULL, &rules->origins, problem);
  for (size_t i = 0; i < count && status == AU_OK; i++) {
    const au_customer_limits *own = &config->customers[i];
    if (own->token_secret)
      status = read_keys(own->token_secret, own->customer_id, &rules->own[i].keys, problem);
    if (status == AU_OK && own->allowed_origins)
      status =
          read_origins(own->allowed_origins, own->customer_id, &rules->own[i].origins, problem);
  }
  if (status == AU_OK) status = unite_origins(rules);
  if (status != AU_OK) {
    access_rules_free(rules);
    return status;
  }
  *out = rules;
  return AU_OK;
}

void access_rules_free(access_rules *rules) {
  if (!rules) return;
  token_keys_free(&rules->keys);
  origins_free(rules->origins);
  origins_free(rules->of_any);
  for (size_t i = 0; i < rules->count; i++) {
    token_keys_free(&rules->own[i].keys);
    origins_free(rules->own[i].origins);
  }
  customer_index_free(rules->index);
  free(rules);
}

/* ---- origins ---------------------------------------------------------------- */

bool access_rules_answer_origin(const access_rules *rules, au_slice origin, buffer *lines) {
  if (!rules->is_open) buffer_append_text(lines, "Vary: Origin\r\n");
  if (origins_allow_any(rules->of_any)) {
    buffer_append_text(lines, "Access-Control-Allow-Origin: *\r\n");
  } else {
    if (!origin.ptr) return true;
    if (!origins_allow(rules->of_any, origin)) return false;
    buffer_append_text(lines, "Access-Control-Allow-Origin: ");
    buffer_append_slice(lines, origin);
    buffer_append_text(lines, "\r\n");
  }
  if (origin.ptr)
    buffer_append_text(lines, "Access-Control-Expose-Headers: X-RateLimit-Limit, "
                              "X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After\r\n");
  return true;
}

static const origins *origins_of(const access_rules *rules, au_slice customer_id) {
  size_t at = customer_index_find(rules->index, customer_id);
  const origins *own = at != SIZE_MAX ? rules->own[at].origins : NULL;
  return own ? own : rules->origins;
}

bool access_rules_admit_origin(const access_rules *rules, au_slice customer_id, au_slice origin) {
  return !origin.ptr || rules->is_open || origins_allow(origins_of(rules, customer_id), origin);
}

void access_rules_print_ancestors(const access_rules *rules, au_slice customer_id, buffer *out) {
  origins_print_sources(origins_of(rules, customer_id), out);
}

/* ---- tokens ----------------------------------------------------------------- */

static const token_keys *keys_of(const access_rules *rules, au_slice customer_id) {
  size_t at = customer_index_find(rules->index, customer_id);
  return at != SIZE_MAX && rules->own[at].keys.count > 0 ? &rules->own[at].keys : &rules->keys;
}

bool access_rules_want_token(const access_rules *rules, au_slice customer_id) {
  return keys_of(rules, customer_id)->count > 0;
}

token_verdict access_rules_check_token(const access_rules *rules, const token_ask *ask,
                                       int64_t now_ms, int64_t *left_ms) {
  const token_keys *keys = keys_of(rules, ask->customer_id);
  *left_ms = -1;
  return keys->count > 0 ? tokens_check(keys, ask, now_ms, left_ms) : TOKEN_OK;
}

const token_refusal *token_refuse(token_verdict verdict, stats *counters) {
  static const struct {
    token_refusal refusal;
    size_t counter; /* in stats */
  } rows[] = {
      [TOKEN_MISSING] = {{401, WS_CODE_UNAUTHORIZED, "a token is required"},
                         offsetof(stats, tokens_missing)},
      [TOKEN_MALFORMED] = {{401, WS_CODE_UNAUTHORIZED, "the token is malformed"},
                           offsetof(stats, tokens_malformed)},
      [TOKEN_ALGORITHM] = {{401, WS_CODE_UNAUTHORIZED, "the token must be signed with HS256"},
                           offsetof(stats, tokens_algorithm)},
      [TOKEN_SIGNATURE] = {{401, WS_CODE_UNAUTHORIZED, "the token is signed with another secret"},
                           offsetof(stats, tokens_signature)},
      [TOKEN_EXPIRED] = {{401, WS_CODE_UNAUTHORIZED, "the token has expired"},
                         offsetof(stats, tokens_expired)},
      [TOKEN_NOT_YET] = {{401, WS_CODE_UNAUTHORIZED, "the token is not valid yet"},
                         offsetof(stats, tokens_not_yet)},
      [TOKEN_CUSTOMER] = {{403, WS_CODE_FORBIDDEN, "the token is of another customer"},
                          offsetof(stats, tokens_customer)},
      [TOKEN_SESSION] = {{403, WS_CODE_FORBIDDEN, "the token is of another session"},
                         offsetof(stats, tokens_session)},
      [TOKEN_SCOPE] = {{403, WS_CODE_FORBIDDEN, "the token does not allow this"},
                       offsetof(stats, tokens_scope)},
      [TOKEN_NO_MEMORY] = {{503, WS_CODE_TRY_AGAIN_LATER, "out of memory"},
                           offsetof(stats, presence_failed)},
  };
  ++*(uint64_t *)(void *)((char *)counters + rows[verdict].counter);
  return &rows[verdict].refusal;
}
