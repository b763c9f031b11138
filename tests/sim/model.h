/* What must be true: who is active, what an average may be, and when a customer's count has to
 * be exact. Learns from the acknowledgements that people get and from the faults that are
 * injected; knows nothing of how a store works.
 *
 * A session is certainly live before `lo_ms`, certainly gone after `hi_ms`, and may be either
 * between the two. What nobody can know (docs/reference/redis.md, "What cannot be known") is unsure
 * until `hi_ms`, or until the next sign of life. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <active_users/store.h>

enum {
  CUSTOMERS_MAX = 4,
  SESSIONS_MAX = 40,
  SETTLE_MS = 2000, /* after which all is right again: the contract's */
};

typedef enum session_state { SESSION_GONE, SESSION_LIVE, SESSION_UNSURE } session_state;

/* One operation on a session. */
typedef struct model_op {
  int session, tab, host;
  bool is_leave;
  int64_t grace_ms; /* of a leave; 0: at once */
  int64_t begun_ms;
  uint64_t number;
} model_op;

typedef struct model_session {
  int customer;
  session_state state;
  int64_t lo_ms, hi_ms;
  int64_t long_hi_ms;   /* `hi_ms` before it was shortened */
  int shortened_by;     /* host; `touched_by` when it was not */
  int tab;              /* that holds it */
  bool kind_is_blurred; /* another program wrote it last, who knows no bots */
  bool tab_is_blurred;  /* a server that stood still may take it for the tab before */
  int touched_by;       /* host of the last acknowledged touch */
  int ended_by;         /* host of the leave */
  int last_host;        /* of the last operation of any kind */
  int64_t touched_ms;   /* when it was acknowledged */
  unsigned in_flight, leaves_in_flight;
  model_op newest; /* begun last, of those that were acknowledged */
} model_session;

typedef struct model_bounds {
  uint32_t least, most;
} model_bounds;

/* A question for a count, from when it is asked until it is answered. */
typedef struct model_window {
  int customer;
  unsigned version;
  bool calm;
  int64_t lost_ms;        /* since when its server was not there; 0: it was */
  model_bounds bounds[2]; /* of people, of bots */
} model_window;

typedef struct model_config {
  int64_t ttl_ms, grace_ms, interval_ms;
  double alpha;
  int customers, sessions;
  bool alone; /* one daemon that keeps all in its memory */
} model_config;

void model_begin(const model_config *config);
const model_config *model_settings(void);
const char *model_customer_id(int customer);
int model_customer_of(au_slice id); /* -1: none */
model_session *model_session_at(int session);

/* ---- trouble ---------------------------------------------------------------- */

/* Something is wrong for a customer (-1: all) until then, and until all daemons are well. */
void model_trouble(int customer, int64_t until_ms);
/* Trouble whose end was not known is over then. */
void model_trouble_ends(int64_t until_ms);
/* Clocks may be misjudged: a server answered late. */
void model_doubt_clocks(int64_t until_ms);
/* Each step: whether all daemons say that they are well. */
void model_step(bool all_well);
bool model_is_calm(int customer);
/* Each step, of each daemon: whether it says so. One that has just begun knows nothing yet. */
void model_host(int host, bool is_well);
/* A server has lost data of a customer; a daemon and what only it knew are gone. */
void model_data_lost(int customer, bool (*is_alive)(int host));
void model_daemon_lost(int host);

/* ---- sessions --------------------------------------------------------------- */

/* grace_ms  of a leave. */
void model_op_begin(model_op *op, int session, int tab, int host, bool is_leave, int64_t grace_ms,
                    bool in_sync);
void model_op_end(const model_op *op, bool in_sync);
/* The last socket of a tab vanished at a host. */
void model_vanished(int session, int tab, int host);
/* Another program deleted the key of a session, or wrote one. */
void model_foreign(int session);

/* Some sessions are those of bots, all the time. */
bool model_is_bot(int session);
/* Of people or of bots. */
model_bounds model_count(int customer, bool of_bots);
model_window model_ask(au_slice customer_id);
/* Checks a sample that came for a question. */
void model_answer(const model_window *w, const au_sample *sample, int host);

/* ---- averages --------------------------------------------------------------- */

/* A daemon ends a tick: checks the arithmetic, and what the tick was made of. */
void model_ticked(au_slice customer_id, const au_sample *sample, double ema);

/* The scripted Redis took an average in, gave one up, or passed a message on. */
void model_saved(int host, au_slice key, int64_t last_ms, int64_t tick_ms, au_slice ema);
void model_restored(au_slice key, au_slice ema, int64_t tick_ms);
void model_forgotten(au_slice key);
void model_published(au_slice channel, au_slice payload);

unsigned model_ticks(int customer);
/* Whether one of the last n ticks made this average, as it is printed. */
bool model_has_ticked(int customer, double ema, unsigned n);
int64_t model_ticked_ms(int customer); /* true time of the last one */

#endif
