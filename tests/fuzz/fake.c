/* Plays a Redis. */
#include "fake.h"
#include "fuzz.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct peer {
  int fd; /* -1: none */
  redisReader *reader;
  bool got; /* was told its epoch */
} peer;

static char dir[] = "/tmp/au-fuzz-XXXXXX", path[64];
static int listener = -1;
static peer peers[FAKE_PEERS_MAX] = {
    {-1, NULL, false}, {-1, NULL, false}, {-1, NULL, false}, {-1, NULL, false}};
static unsigned knows;
static const char *next_answer;
static size_t answers_left;

static void clear_up(void) {
  unlink(path);
  rmdir(dir);
}

const char *fake_path(void) {
  if (listener >= 0) return path;
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  must(mkdtemp(dir) != NULL);
  snprintf(path, sizeof path, "%s/s", dir);
  atexit(clear_up);
  strcpy(at.sun_path, path);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  must(listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0);
  must(listen(listener, 16) == 0);
  return path;
}

void fake_reset(unsigned does, const char *answers, size_t len) {
  knows = does;
  next_answer = answers;
  answers_left = len;
}

static void drop(peer *p) {
  if (p->fd < 0) return;
  close(p->fd);
  redisReaderFree(p->reader);
  *p = (peer){.fd = -1};
}

void fake_hang_up(void) {
  for (int i = 0; i < FAKE_PEERS_MAX; i++) drop(&peers[i]);
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) close(fd);
}

static void say(const peer *p, const char *bytes, size_t len) {
  if (send(p->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return; /* it has gone */
}

static void say_text(const peer *p, const char *text) {
  say(p, text, strlen(text));
}

static bool is(const redisReply *word, const char *name) {
  return word->type == REDIS_REPLY_STRING && strcasecmp(word->str, name) == 0;
}

/* What a Redis would say, where this one is to know it. */
static bool answer_well(peer *p, const redisReply *name, const redisReply *first) {
  if (knows & FAKE_GREETS) {
    if (is(name, "CLIENT") || is(name, "SELECT") || is(name, "AUTH"))
      return say_text(p, "+OK\r\n"), true;
    if (is(name, "PING")) return say_text(p, "+PONG\r\n"), true;
  }
  if (knows & FAKE_IDENTIFIES) {
    if (is(name, "INFO")) return say_text(p, "$13\r\nrun_id:abc123\r\n"), true;
    if (is(name, "TIME")) return say_text(p, "*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n"), true;
    if (!p->got && (is(name, "GET") || is(name, "GETRANGE"))) {
      p->got = true;
      return say_text(p, "$5\r\nepoch\r\n"), true;
    }
  }
  if ((knows & FAKE_SUBSCRIBES) && is(name, "SUBSCRIBE") && first) {
    char reply[256];
    int n = snprintf(reply, sizeof reply, "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n",
                     (size_t)first->len, first->str);
    must(n > 0 && (size_t)n < sizeof reply);
    return say(p, reply, (size_t)n), true;
  }
  if ((knows & FAKE_SCRIPTS) && is(name, "EVALSHA")) return say_text(p, "-NOSCRIPT no\r\n"), true;
  return false;
}

/* False: there is no answer any more. */
static bool answer(peer *p, const redisReply *command) {
  if (command->type != REDIS_REPLY_ARRAY || command->elements == 0) return false;
  const redisReply *first = command->elements > 1 ? command->element[1] : NULL;
  if (answer_well(p, command->element[0], first)) return true;
  if (answers_left == 0) return false;
  const char *end = memchr(next_answer, 0xfe, answers_left);
  size_t len = end ? (size_t)(end - next_answer) : answers_left;
  say(p, next_answer, len);
  size_t used = end ? len + 1 : len;
  next_answer += used;
  answers_left -= used;
  return true;
}

static void serve(peer *p) {
  char bytes[16 * 1024];
  ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n == 0) drop(p);
  if (n <= 0) return;
  void *command = NULL;
  must(redisReaderFeed(p->reader, bytes, (size_t)n) == REDIS_OK);
  /* What we send is well formed, whatever came. */
  for (;;) {
    must(redisReaderGetReply(p->reader, &command) == REDIS_OK);
    if (!command) return;
    bool goes_on = answer(p, command);
    freeReplyObject(command);
    if (!goes_on) {
      drop(p);
      return;
    }
  }
}

void fake_serve(void) {
  for (int i = 0; i < FAKE_PEERS_MAX; i++) {
    peer *p = &peers[i];
    if (p->fd < 0) {
      p->fd = accept(listener, NULL, NULL);
      if (p->fd >= 0) {
        p->reader = redisReaderCreate();
        must(p->reader != NULL);
      }
    }
    if (p->fd >= 0) serve(p);
  }
}
