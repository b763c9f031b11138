/* One scripted server: a Redis with its data, its role and what is wrong with it; or a
 * sentinel. Commands are in fake_*.c by family. */
#ifndef SIM_FAKE_H
#define SIM_FAKE_H

#include <active_users/types.h>

#include "db.h"
#include "network.h"

enum { FAKE_ARGS_MAX = 160, FAKE_RULES_MAX = 8, FAKE_SLOTS = 16384 };

typedef enum fake_role { FAKE_MASTER, FAKE_REPLICA, FAKE_SENTINEL } fake_role;

typedef enum fake_scope {
  REFUSE_ALL,     /* nearly every command: LOADING, NOAUTH, BUSY … */
  REFUSE_WRITES,  /* READONLY, MISCONF, NOREPLICAS */
  REFUSE_GROWTH,  /* OOM */
  REFUSE_COMMAND, /* the command `word`, in scripts too: NOPERM */
  REFUSE_KEY,     /* keys that hold `word` */
  REFUSE_CHANNEL, /* channels */
} fake_scope;

typedef struct fake_rule {
  fake_scope scope;
  const char *error; /* static */
  char word[64];
  int64_t until_ms; /* true time */
} fake_rule;

typedef struct fake {
  int index;
  char host[24];
  int port;
  fake_role role;
  bool up;
  int64_t down_ms;     /* since when it is not */
  struct fake *master; /* of a replica */
  db data;
  int64_t copied_ms; /* of a replica: when `data` was the master's */
  char run_id[41];
  int64_t clock_ahead_ms;   /* its clock minus true time */
  int64_t stalled_until_ms; /* true time */
  fake_rule rules[FAKE_RULES_MAX];
  size_t rule_count;
  bool old_errors;         /* errors of a script have a prefix, as before Redis 7 */
  int8_t view[FAKE_SLOTS]; /* Cluster: which fake it takes for the owner; -1: nobody */
  uint32_t loaded;         /* times it came up */
} fake;

/* Where it listens. */
const char *fake_name(const fake *f);
bool fake_accepts(const fake *f);
/* Before then nothing that arrives is read. */
int64_t fake_serves_from_ms(const fake *f);
/* Its clock. */
int64_t fake_now_ms(const fake *f);

/* Runs the commands in the input of a connection. */
void fake_receive(fake *f, connection *c);

void fake_refuse(fake *f, fake_scope scope, const char *error, const char *word, int64_t until_ms);

/* ---- what the commands share: fake.c and fake_ops.c ------------------------- */

/* One command on its way. */
typedef struct exec {
  fake *f;
  connection *from;
  int argc;
  au_slice argv[FAKE_ARGS_MAX];
  const char *error; /* static; the first that a step of it met */
  bool in_script;
  buffer reply;
} exec;

typedef void (*fake_command)(exec *x);

void fake_status(exec *x, const char *text);
void fake_error(exec *x, const char *text);
void fake_integer(exec *x, int64_t value);
void fake_bulk(exec *x, au_slice text);
void fake_nil(exec *x);
void fake_array(exec *x, size_t count);
void fake_double(exec *x, double value);

/* Sends a reply without a command: a message. */
void fake_push(connection *c, const buffer *bytes);

static inline au_slice exec_arg(const exec *x, int i) {
  return i < x->argc ? x->argv[i] : (au_slice){"", 0};
}
bool exec_is(const exec *x, int i, const char *word); /* ignoring case */
int64_t slice_integer(au_slice text);                 /* 0 for what is none */
double slice_double(au_slice text);                   /* with ±inf */

/* Steps of commands and scripts: each is one command of Redis on one key, with what may be
 * wrong with it. On an error they set x->error and return 0, false or NULL. */
typedef enum zadd_flags { ZADD_NX = 1, ZADD_XX = 2, ZADD_GT = 4, ZADD_LT = 8 } zadd_flags;

db_entry *op_read(exec *x, const char *command, au_slice key, db_type type);
bool op_may(exec *x, const char *command, au_slice key, bool writes, bool grows);
int64_t op_zadd(exec *x, au_slice key, unsigned flags, double score, au_slice member);
int64_t op_zrem(exec *x, au_slice key, au_slice member);
bool op_zscore(exec *x, au_slice key, au_slice member, double *score);
bool op_get(exec *x, au_slice key, au_slice *value);
bool op_set(exec *x, au_slice key, au_slice value, int64_t ttl_ms);
int64_t op_del(exec *x, const char *command, au_slice key);
int64_t op_exists(exec *x, au_slice key);
int64_t op_pttl(exec *x, au_slice key);
int64_t op_expire(exec *x, const char *command, au_slice key, int64_t ttl_ms);

/* By family; NULL: not theirs. */
fake_command fake_find_key_command(const exec *x);
fake_command fake_find_set_command(const exec *x);
fake_command fake_find_connection_command(const exec *x);
void fake_eval(exec *x);

#endif
