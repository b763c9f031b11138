/* Sockets from the connect to the hello, and what they hear after it. Triggers nothing. */
#include "crowd.h"

#include "response.h"
#include "ws_frame.h"

#include <stdlib.h>
#include <string.h>

typedef enum member_state {
  MEMBER_UPGRADING, /* until the 101 */
  MEMBER_GREETING,  /* until the hello */
  MEMBER_READY,
  MEMBER_GONE,
} member_state;

typedef struct member {
  crowd *crowd;
  conn *conn;
  const char *problem; /* found here, not by libuv */
  uint64_t dialled_ns;
  response upgrade;
  ws_reader reader;
  uint32_t line_len, head_len; /* of a stream: of the line at hand, and of its status line */
  bool has_data;               /* the event at hand has some */
  uint32_t number;
  member_state state;
} member;

struct crowd {
  crowd_config config;
  crowd_events events;
  void *owner;
  uint32_t dialled, ready, done; /* done: ready at some time, or failed before */
  uint32_t under_way;
  bool closing;
  hist opening;
  member members[];
};

static void dial_more(crowd *c);

static void break_off(member *m, const char *problem) {
  if (!m->problem) m->problem = problem;
  conn_close(m->conn);
}

static void settle(crowd *c) {
  c->under_way--;
  c->done++;
  dial_more(c);
  if (c->done == c->config.sockets && !c->closing) c->events.full(c->owner);
}

static void become_ready(member *m) {
  crowd *c = m->crowd;
  m->state = MEMBER_READY;
  c->ready++;
  hist_add(&c->opening, uv_hrtime() - m->dialled_ns);
  response_free(&m->upgrade);
  settle(c);
}

static void on_upgraded(member *m) {
  if (m->upgrade.status != 101 || !m->upgrade.accepted) {
    break_off(m, "an upgrade that was refused");
    return;
  }
  const crowd_config *config = &m->crowd->config;
  if (!config->auth) {
    become_ready(m);
    return;
  }
  m->state = MEMBER_GREETING;
  au_slice auth =
      request_fill(config->auth, m->number % config->customers, config->first + m->number);
  if (conn_send(m->conn, auth) != AU_OK) break_off(m, "an auth that could not be written");
}

static void answer_ping(member *m) {
  buffer pong;
  buffer_init(&pong, WS_KEPT_BYTES + 8);
  ws_append(&pong, WS_PONG, (au_slice){(const char *)m->reader.kept, m->reader.kept_len});
  if (pong.failed || conn_send(m->conn, buffer_slice(&pong)) != AU_OK)
    break_off(m, "a pong that could not be written");
  buffer_free(&pong);
}

static void on_frame(member *m) {
  crowd *c = m->crowd;
  if (m->reader.opcode == WS_PING)
    answer_ping(m);
  else if (m->reader.opcode == WS_CLOSE)
    break_off(m, "closed by the server");
  else if (m->reader.opcode != WS_TEXT)
    return;
  else if (m->state == MEMBER_READY)
    c->events.text(c->owner, m->number);
  else if (ws_reader_is(&m->reader, "{\"type\":\"hello\""))
    become_ready(m);
  else
    break_off(m, "an auth that was refused");
}

static void on_event(member *m) {
  if (m->state == MEMBER_READY)
    m->crowd->events.text(m->crowd->owner, m->number);
  else
    become_ready(m);
}

/* An empty line ends the head, or an event. Lines of a head are none of an event's, which are small
 * letters. */
static void on_stream(member *m, au_slice bytes) {
  static const char ok[] = "HTTP/1.1 200";
  for (size_t i = 0; i < bytes.len && !m->problem && !m->crowd->closing; i++) {
    char c = bytes.ptr[i];
    if (m->head_len < sizeof ok - 1 && c != ok[m->head_len++])
      break_off(m, "a stream that was refused");
    else if (c != '\n' && c != '\r')
      m->has_data = m->has_data || (m->line_len++ == 0 && c == 'd');
    else if (c == '\n') {
      bool ends = m->line_len == 0 && m->has_data;
      if (m->line_len == 0) m->has_data = false;
      m->line_len = 0;
      if (ends) on_event(m);
    }
  }
}

static void on_received(void *owner, au_slice bytes) {
  member *m = owner;
  if (m->crowd->config.stream) {
    on_stream(m, bytes);
    return;
  }
  if (m->state == MEMBER_UPGRADING) {
    size_t used = response_feed(&m->upgrade, bytes);
    bytes = (au_slice){bytes.ptr + used, bytes.len - used};
    if (m->upgrade.state == RESPONSE_DONE)
      on_upgraded(m);
    else if (m->upgrade.state == RESPONSE_BAD)
      break_off(m, "an answer that is not HTTP/1.1");
  }
  while (!m->problem && !m->crowd->closing && m->state != MEMBER_UPGRADING) {
    ws_result result = ws_reader_next(&m->reader, &bytes);
    if (result == WS_MORE) return;
    if (result == WS_FRAME)
      on_frame(m);
    else
      break_off(m, "a frame that no server may send");
  }
}

static void on_opened(void *owner) {
  member *m = owner;
  const crowd_config *config = &m->crowd->config;
  if (conn_send(m->conn, request_fill(config->upgrade, m->number % config->customers, 0)) != AU_OK)
    break_off(m, "an upgrade that could not be written");
}

static void on_gone(member *m, const char *why) {
  crowd *c = m->crowd;
  bool was_ready = m->state == MEMBER_READY;
  m->state = MEMBER_GONE;
  response_free(&m->upgrade);
  if (was_ready) c->ready--;
  if (!c->closing) c->events.lost(c->owner, m->number, why);
  if (!was_ready) settle(c);
}

static void on_closed(void *owner, int why) {
  member *m = owner;
  m->conn = NULL;
  on_gone(m, m->problem ? m->problem : why != 0 ? uv_strerror(why) : "closed");
}

static const conn_events events_of_conn = {on_opened, on_received, on_closed};

static void dial_more(crowd *c) {
  while (!c->closing && c->dialled < c->config.sockets && c->under_way < c->config.at_once) {
    member *m = &c->members[c->dialled];
    m->crowd = c;
    m->number = c->dialled++;
    response_reset(&m->upgrade);
    c->under_way++;
    m->dialled_ns = uv_hrtime();
    if (dial(c->config.dialer, &events_of_conn, m, &m->conn) == AU_OK) continue;
    /* No descriptor left. Not a failure of each that would follow: no more are tried. */
    c->config.sockets = c->dialled;
    on_gone(m, "no descriptor or port left: see ulimit -n");
  }
}

au_status crowd_open(const crowd_config *config, const crowd_events *events, void *owner,
                     crowd **out) {
  crowd *c = calloc(1, sizeof *c + config->sockets * sizeof(member));
  if (!c) return AU_ENOMEM;
  c->config = *config;
  c->events = *events;
  c->owner = owner;
  *out = c;
  dial_more(c);
  return AU_OK;
}

uint32_t crowd_ready(const crowd *c) {
  return c->ready;
}

uint32_t crowd_audience(const crowd *c) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < c->dialled; i += c->config.customers)
    n += c->members[i].state == MEMBER_READY;
  return n;
}

const hist *crowd_opening(const crowd *c) {
  return &c->opening;
}

void crowd_close(crowd *c) {
  c->closing = true;
  for (uint32_t i = 0; i < c->dialled; i++)
    if (c->members[i].conn) conn_close(c->members[i].conn);
}

void crowd_free(crowd *c) {
  free(c);
}
