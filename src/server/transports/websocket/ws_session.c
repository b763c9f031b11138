/* What a socket says: auth, pings, and the session that they keep alive. */
#include "ws_private.h"

#include "services/metrics.h"
#include "wire/scan.h"

#include <stdlib.h>

static void reply_error(ws_socket *s, const char *message) {
  s->ws->config.counters->ws_errors++;
  ws_socket_reply(s, wire_frame_error(message));
  if (++s->errors >= WS_MAX_ERRORS)
    ws_socket_close_for(s, WS_CODE_POLICY, "too many bad messages, or too many a second");
}

/* One token for each thing that a client can make us do. Over the rate it is an error. */
static bool spend(ws_socket *s) {
  websocket *ws = s->ws;
  if (token_bucket_take(&s->messages, &ws->message_rate, clock_mono_ms(ws->config.clock)))
    return true;
  reply_error(s, "too many messages");
  return false;
}

/* Closes with a code that lets the client try again later: the failure is not its fault. */
static void close_for_retry(ws_socket *s, au_status status) {
  s->ws->config.counters->presence_failed++;
  ws_socket_reply(s, wire_frame_error(au_status_text(status)));
  ws_socket_close(s, WS_CODE_TRY_AGAIN_LATER);
}

static void on_first_sample(au_status status, const au_sample *sample, void *arg) {
  ws_socket *s = arg;
  /* A message published since then is newer than this sample. */
  bool overtaken = !s->closing && broadcast_has_delivered(&s->subscriber);
  if (status == AU_OK && !s->closing && !overtaken) {
    au_metrics metrics =
        metrics_of(s->ws->config.clock, broadcast_customer(&s->subscriber), sample);
    ws_socket_reply(s, wire_frame_update(&metrics));
  }
  ws_socket_unref(s);
}

/* ---- pages and tokens -------------------------------------------------------------- */

/* Waits for the end of its token, or the longest step towards it. */
static void wait_for_token(ws_socket *s, int64_t left_ms) {
  ws_wait wait = WS_WAIT_TOKEN;
  while (wait < WS_WAIT_TOKEN_LAST && s->ws->waits[wait + 1].lifetime_ms <= left_ms) wait++;
  expiry_arm(&s->ws->expiry, &s->ws->waits[wait], &s->token);
}

static void keep_token(ws_socket *s, bool has_token, int64_t left_ms) {
  s->has_token = has_token;
  deadline_cancel(&s->token);
  if (left_ms < 0) return;
  s->token_ends_ms = clock_mono_ms(s->ws->config.clock) + left_ms;
  wait_for_token(s, left_ms);
}

/* `message`: static. */
static void refuse(ws_socket *s, uint16_t code, const char *message) {
  ws_socket_reply(s, wire_frame_error(message));
  ws_socket_close_for(s, code, message);
}

static void refuse_token(ws_socket *s, token_verdict verdict) {
  const token_refusal *refusal = token_refuse(verdict, s->ws->config.counters);
  refuse(s, refusal->close_code, refusal->message);
}

/* A refused auth costs what any nonsense costs; over that limit the address has to wait, and the
 * socket is closed. */
static bool pay_for_refusal(ws_socket *s) {
  const websocket_config *config = &s->ws->config;
  if (address_take(s->address, ADDRESS_OTHER, clock_mono_ms(config->clock)).allowed) return true;
  config->counters->rate_blocked_other++;
  refuse(s, WS_CODE_TRY_AGAIN_LATER, "too many refused attempts");
  return false;
}

/* Whether the socket comes from a page that may act for this customer, or from no page. Else it is
 * closed. */
static bool admit_page(ws_socket *s, au_slice customer_id) {
  const websocket_config *config = &s->ws->config;
  if (!s->origin) return true;
  au_slice origin = slice_of(s->origin);
  if (access_rules_admit_origin(config->access, customer_id, origin)) return true;
  config->counters->origins_refused++;
  refusal_log_add(&s->ws->refusals, REFUSAL_ORIGIN, origin, clock_mono_ms(config->clock));
  if (pay_for_refusal(s))
    refuse(s, WS_CODE_FORBIDDEN,
           "pages of this origin may not use this customer: the daemon's setting allowed-origins "
           "names who may");
  return false;
}

void ws_socket_token_due(ws_socket *s) {
  int64_t left_ms = s->token_ends_ms - clock_mono_ms(s->ws->config.clock);
  if (left_ms > 0)
    wait_for_token(s, left_ms);
  else
    refuse_token(s, TOKEN_EXPIRED);
}

/* Whether its page may, and the customer asks for no token, or this one is good: *left_ms is as
 * tokens_check says. Else the socket is closed. */
static bool may_act(ws_socket *s, const wire_beat *who, int64_t *left_ms) {
  const websocket_config *config = &s->ws->config;
  if (!admit_page(s, who->beat.customer_id)) return false;
  const token_ask ask = {
      .token = who->token,
      .customer_id = who->beat.customer_id,
      .session_id = who->beat.session_id,
      .scope = who->beat.session_id.len > 0 ? TOKEN_SCOPE_PRESENCE : TOKEN_SCOPE_WATCH,
  };
  token_verdict verdict =
      access_rules_check_token(config->access, &ask, clock_wall_ms(config->clock), left_ms);
  if (verdict == TOKEN_OK) {
    keep_token(s, access_rules_want_token(config->access, ask.customer_id), *left_ms);
    /* No other customer follows. */
    free(s->origin);
    s->origin = NULL;
    return true;
  }
  if (verdict != TOKEN_NO_MEMORY) {
    au_slice origin = s->origin ? slice_of(s->origin) : (au_slice){NULL, 0};
    refusal_log_add(&s->ws->refusals, REFUSAL_TOKEN, origin, clock_mono_ms(config->clock));
    if (!pay_for_refusal(s)) return false;
  }
  refuse_token(s, verdict);
  return false;
}

/* ---- auth ---------------------------------------------------------------- */

static frame *hello_of(const ws_socket *s, au_slice session_id) {
  const au_clock *clock = s->ws->config.clock;
  int64_t left_ms = -1;
  if (deadline_armed(&s->token)) {
    left_ms = s->token_ends_ms - clock_mono_ms(clock);
    if (left_ms < 0) left_ms = 0;
  }
  return wire_frame_hello(clock_wall_ms(clock), session_id, left_ms);
}

/* Auth is done: sends hello and the current metrics, and subscribes to updates. */
static void welcome(ws_socket *s, au_slice customer_id, au_slice session_id) {
  websocket_config *config = &s->ws->config;
  s->authed = true;
  ws_count_mode(s, session_id.len > 0);
  address_link_remove(&s->link);
  au_status status = broadcast_subscribe(config->broadcast, customer_id, &s->subscriber);
  if (status != AU_OK) {
    close_for_retry(s, status);
    return;
  }
  ws_socket_arm(s, WS_WAIT_IDLE);
  frame *hello = s->hello ? s->hello : hello_of(s, session_id);
  s->hello = NULL;
  au_metrics newest;
  bool has_newest = broadcast_newest(&s->subscriber, &newest);
  s->more_follows = has_newest;
  ws_socket_reply(s, hello);
  s->more_follows = false;
  if (s->closing) return;
  if (has_newest) {
    newest.timestamp_ms = clock_wall_ms(config->clock);
    ws_socket_reply(s, wire_frame_update(&newest));
    return;
  }
  s->refs++;
  status =
      presence_sample(config->presence, broadcast_customer(&s->subscriber), on_first_sample, s);
  if (status == AU_OK)
    broadcast_skip_to_latest(&s->subscriber);
  else
    s->refs--; /* the next change or tick tells it */
}

static void welcome_tab(ws_socket *s) {
  au_beat beat = presence_tab_beat(s->tab);
  welcome(s, beat.customer_id, beat.session_id);
}

static void on_auth_done(au_status status, void *arg) {
  ws_socket *s = arg;
  s->authing = false;
  if (status == AU_OK) ws_count_beat(s->ws);
  if (s->closing) {
    ws_socket_detach_tab(s); /* gone meanwhile */
  } else if (status != AU_OK) {
    close_for_retry(s, status);
  } else {
    welcome_tab(s);
  }
  ws_socket_unref(s);
}

/* What a message says of its page as one number (FNV-1a); 0: nothing. */
static uint32_t seen_of(const au_beat *said) {
  if (said->page.len == 0 && said->visibility == AU_VISIBILITY_UNKNOWN) return 0;
  uint32_t hash = 2166136261u ^ (uint32_t)said->visibility;
  for (size_t i = 0; i < said->page.len; i++)
    hash = (hash ^ (unsigned char)said->page.ptr[i]) * 16777619u;
  return hash ? hash : 1;
}

/* A session that lives costs nothing; another one counts for the client's address. */
static au_status admit(const ws_socket *s, au_beat *beat) {
  rate_state met;
  beat->source = s->address;
  au_status status = presence_admit(s->ws->config.presence, beat, AU_TOUCH_BEAT,
                                    clock_mono_ms(s->ws->config.clock), &met);
  if (status != AU_OK) s->ws->config.counters->rate_blocked_new_sessions++;
  return status;
}

/* What a message makes of who sent it. */
static au_visitor visitor_of(const ws_socket *s, bool webdriver) {
  bool is_bot = s->is_bot || (webdriver && !s->ws->config.config->count_bots);
  return is_bot ? AU_VISITOR_BOT : AU_VISITOR_PERSON;
}

static void count_renewal(ws_socket *s, au_status status) {
  s->renewals--;
  if (status == AU_OK)
    ws_count_beat(s->ws);
  else
    s->ws->config.counters->presence_failed++;
}

static void on_renewed(au_status status, void *arg) {
  ws_socket *s = arg;
  count_renewal(s, status);
  if (s->closing && s->renewals == 0) ws_socket_detach_tab(s);
  ws_socket_unref(s);
}

/* A session of a socket that was taken in already begins here, or goes on: with the next page, say.
 * What goes on is welcome at once, and its record may wait for company. */
static void begin_session(ws_socket *s, const wire_beat *given) {
  presence *p = s->ws->config.presence;
  const au_beat *who = &given->beat;
  au_beat beat = *who;
  beat.visitor = visitor_of(s, given->webdriver);
  pseudonym_session room;
  if (s->ws->config.names->strict) s->hello = hello_of(s, who->session_id);
  pseudonyms_conceal(s->ws->config.names, &beat, &room);
  beat.can_wait = presence_lasts(p, &beat, (int64_t)s->ws->config.config->presence_ttl_s * 1000);
  au_status status = admit(s, &beat);
  if (status == AU_OK) status = presence_attach(p, &beat, &s->tab);
  if (status != AU_OK) {
    close_for_retry(s, status);
    return;
  }
  s->seen = seen_of(who);
  s->renewed_ms = clock_mono_ms(s->ws->config.clock);
  s->authing = !beat.can_wait;
  s->renewals = beat.can_wait;
  s->refs++;
  status = presence_beat(p, &beat, beat.can_wait ? on_renewed : on_auth_done, s);
  if (status == AU_OK && beat.can_wait) welcome_tab(s);
  if (status == AU_OK) return;
  s->authing = false;
  s->renewals = 0;
  s->refs--; /* never the last one */
  close_for_retry(s, status);
}

/* A renewal while another one is being stored, or right after it, stores nothing unless its page is
 * another one. Of too many at once the last are left out: the next ping says it again. */
static void renew_session(ws_socket *s, const au_beat *said) {
  if (s->closing || !s->authed || !s->tab || s->renewals == WS_MAX_RENEWALS) return;
  int64_t now_ms = clock_mono_ms(s->ws->config.clock);
  uint32_t seen = seen_of(said);
  bool is_news = seen && seen != s->seen;
  bool is_due = s->renewals == 0 && now_ms >= s->renewed_ms + s->ws->renew_ms;
  if (!is_news && !is_due) return;
  s->renewed_ms = now_ms;
  if (is_news) s->seen = seen;
  au_beat beat = presence_tab_beat(s->tab);
  beat.page = said->page;
  beat.visibility = said->visibility;
  beat.can_wait = !is_news; /* the pong is sent already */
  s->renewals++;
  s->refs++;
  au_status status = admit(s, &beat);
  if (status == AU_OK) status = presence_beat(s->ws->config.presence, &beat, on_renewed, s);
  if (status == AU_OK) return;
  s->refs--;
  count_renewal(s, status);
}

/* Every ping of a tab is a beat. One that says nothing of a driver leaves that as it was. */
static void handle_ping(ws_socket *s, const wire_message *message) {
  ws_socket_reply(s, wire_frame_pong(message->has_timestamp
                                         ? message->timestamp
                                         : (double)clock_wall_ms(s->ws->config.clock)));
  if (s->tab && message->who.webdriver)
    presence_tab_set_visitor(s->tab, visitor_of(s, message->who.webdriver));
  renew_session(s, &message->who.beat);
}

/* Whether an auth names the customer, session and tab that the socket has. */
static bool is_same(const ws_socket *s, const au_beat *given) {
  au_beat concealed = *given, *who = &concealed;
  pseudonym_session room;
  pseudonyms_conceal(s->ws->config.names, who, &room);
  if (!slice_eq(broadcast_customer(&s->subscriber), who->customer_id)) return false;
  if (!s->tab) return who->session_id.len == 0;
  au_beat own = presence_tab_beat(s->tab);
  return slice_eq(own.session_id, who->session_id) && slice_eq(own.tab_id, who->tab_id);
}

/* Another auth brings a fresh token to a socket that has one. It counts as a beat, too. */
static void handle_auth(ws_socket *s, const wire_beat *who) {
  int64_t left_ms;
  bool renews = s->authed && s->has_token && who->token.ptr && is_same(s, &who->beat);
  if (!renews && (s->authing || s->authed)) {
    reply_error(s, "already authenticated");
  } else if (!may_act(s, who, &left_ms)) {
    return;
  } else if (renews) {
    ws_socket_reply(s, hello_of(s, who->beat.session_id));
    renew_session(s, &who->beat);
  } else {
    deadline_cancel(&s->timer);
    if (who->beat.session_id.len > 0)
      begin_session(s, who);
    else
      welcome(s, who->beat.customer_id, who->beat.session_id);
  }
}

bool ws_socket_close_blocked(ws_socket *s) {
  if (!address_blocked_until_ms(s->address, clock_mono_ms(s->ws->config.clock))) return false;
  s->ws->config.counters->blocked_requests++;
  ws_socket_close(s, WS_CODE_POLICY);
  return true;
}

void ws_socket_message(ws_socket *s, au_slice text) {
  wire_message message;
  wire_error error;
  s->ws->config.counters->ws_messages_in++;
  if (!spend(s)) return;
  if (ws_socket_close_blocked(s)) return;
  if (!wire_scan_utf8(text)) {
    ws_socket_close(s, WS_CODE_INVALID_TEXT);
    return;
  }
  if (s->authed) ws_socket_arm(s, WS_WAIT_IDLE);
  au_status status = wire_parse_message(text, &message, &error);
  if (status == AU_EINVAL)
    reply_error(s, error.message);
  else if (status != AU_OK) /* no fault of the peer */
    ws_socket_reply(s, wire_frame_error(au_status_text(status)));
  else if (message.kind == WIRE_AUTH)
    handle_auth(s, &message.who);
  else
    handle_ping(s, &message);
}

void ws_socket_ping_received(ws_socket *s, au_slice payload) {
  if (spend(s)) ws_socket_answer_ping(s, payload);
}

void ws_socket_pong_received(ws_socket *s) {
  if (spend(s) && s->authed) ws_socket_arm(s, WS_WAIT_IDLE);
}

void ws_socket_empty_fragment(ws_socket *s) {
  (void)spend(s);
}
