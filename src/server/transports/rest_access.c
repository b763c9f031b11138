/* Whether a request may act: the page that it comes from, and its token. */
#include "rest_private.h"

#include "utils/text/secret.h"

void rest_refuse_origin(const rest_call *call, bool of_customer) {
  rest *r = call->rest;
  au_slice origin = call->request->headers[HTTP_H_ORIGIN];
  char message[REFUSAL_TEXT_SIZE];
  r->config.counters->origins_refused++;
  refusal_log_add(&r->refusals, REFUSAL_ORIGIN, origin, clock_mono_ms(r->config.clock));
  refusal_of_origin(message, origin, of_customer);
  rest_refuse(call, REST_COSTS_OTHER, 403, message, NULL);
}

bool rest_admits_page(const rest_call *call, au_slice customer_id) {
  au_slice origin = call->request->headers[HTTP_H_ORIGIN];
  if (access_rules_admit_origin(call->rest->config.access, customer_id, origin)) return true;
  /* So far there are only the lines of CORS, which hold for another customer. */
  buffer *lines = http_conn_headers(call->conn);
  buffer_clear(lines);
  buffer_append_text(lines, "Vary: Origin\r\n");
  rest_refuse_origin(call, true);
  return false;
}

/* A bad token costs what any nonsense costs, and nobody's budget of presence. */
static void refuse_token(const rest_call *call, token_verdict verdict) {
  rest *r = call->rest;
  if (verdict == TOKEN_NO_MEMORY) {
    rest_reply_status(r, call->conn, AU_ENOMEM);
    return;
  }
  const token_refusal *refusal = token_refuse(verdict, r->config.counters);
  refusal_log_add(&r->refusals, REFUSAL_TOKEN, call->request->headers[HTTP_H_ORIGIN],
                  clock_mono_ms(r->config.clock));
  if (!rest_pay(call, (au_slice){"", 0}, REST_COSTS_OTHER)) return;
  if (refusal->http_status == 401)
    buffer_append_text(http_conn_headers(call->conn),
                       verdict == TOKEN_MISSING
                           ? "WWW-Authenticate: Bearer\r\n"
                           : "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
  rest_reply_error(r, call->conn, refusal->http_status, refusal->message, NULL);
}

bool rest_may_act(const rest_call *call, const au_beat *beat, au_slice from_body,
                  int64_t *left_ms) {
  const rest_config *config = &call->rest->config;
  if (!rest_admits_page(call, beat->customer_id)) return false;
  token_ask ask = {
      .token = secret_of_bearer(call->request->headers[HTTP_H_AUTHORIZATION]),
      .customer_id = beat->customer_id,
      .session_id = beat->session_id,
      .scope = TOKEN_SCOPE_PRESENCE,
  };
  if (!ask.token.ptr) ask.token = from_body;
  token_verdict verdict =
      access_rules_check_token(config->access, &ask, clock_wall_ms(config->clock), left_ms);
  if (verdict != TOKEN_OK) refuse_token(call, verdict);
  return verdict == TOKEN_OK;
}
