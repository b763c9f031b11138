/* Runs seeds, a few at a time, each worker in a process of its own so that one that fails or
 * crashes ends nobody else's.
 *
 *   sim [--from N] [--seeds N] [--jobs N] [--stop-after N] [--verbose]
 *
 * How to read a failure: the first line names the seed, the virtual time, the step and the broken
 * rule; the second what was seen; then the last steps, a command of a daemon (d0, d1 …) to a
 * server among them; then how to run it again. SEED=n with VERBOSE=1 prints all steps and the
 * daemons' log. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

enum { JOBS_MAX = 16, SEED_MAX_S = 120 };

typedef struct options {
  uint64_t from, seeds;
  int jobs;
  uint64_t stop_after;
  bool verbose;
} options;

/* Takes every jobs-th seed. */
typedef struct worker {
  pid_t pid;          /* 0: none runs */
  uint64_t next, end; /* seeds that it has not passed yet */
  int progress;       /* a byte for each that it passed */
} worker;

/* Memory that was freed is kept for a while to find its use: 256 MB of it made this slow. What is
 * never freed is found seed by seed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "quarantine_size_mb=16:detect_leaks=0";
}

static _Noreturn void work(const options *o, uint64_t from, uint64_t end, int progress) {
  world_warm_up();
  for (uint64_t seed = from; seed < end; seed += (uint64_t)o->jobs) {
    alarm(SEED_MAX_S); /* real time: a seed that does not end */
    uint64_t hash = world_run(seed, o->verbose);
    if (seed == o->from && !o->verbose && world_run(seed, false) != hash) {
      fprintf(stderr, "seed %llu: two runs of it differ\n", (unsigned long long)seed);
      _exit(1);
    }
    if (write(progress, "", 1) != 1) _exit(2);
  }
  _exit(0);
}

static void start(worker *w, const options *o) {
  int ends[2];
  if (w->next >= w->end) return;
  if (pipe(ends) != 0) exit(2);
  fflush(NULL);
  w->pid = fork();
  if (w->pid < 0) exit(2);
  if (w->pid == 0) {
    close(ends[0]);
    work(o, w->next, w->end, ends[1]);
  }
  close(ends[1]);
  w->progress = ends[0];
}

/* A worker has ended: how many seeds it passed; *ok: all of them. */
static uint64_t finish(worker *w, const options *o, int status, bool *ok) {
  char passed[256];
  uint64_t count = 0;
  for (ssize_t n; (n = read(w->progress, passed, sizeof passed)) > 0;) count += (uint64_t)n;
  close(w->progress);
  w->pid = 0;
  w->next += count * (uint64_t)o->jobs;
  *ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (WIFSIGNALED(status))
    fprintf(stderr, "seed %llu ended by signal %d%s\n", (unsigned long long)w->next,
            WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ": it takes too long" : "");
  return count;
}

static worker *find(worker *all, int n, pid_t pid) {
  for (int i = 0; i < n; i++)
    if (all[i].pid == pid) return &all[i];
  return NULL;
}

static void end_all(worker *all, int n) {
  for (int i = 0; i < n; i++) {
    if (all[i].pid == 0) continue;
    kill(all[i].pid, SIGKILL);
    waitpid(all[i].pid, NULL, 0);
    all[i].pid = 0;
  }
}

static bool parse(int argc, char **argv, options *o) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--verbose") == 0) {
      o->verbose = true;
      continue;
    }
    if (i + 1 == argc) return false;
    uint64_t value = strtoull(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--from") == 0)
      o->from = value;
    else if (strcmp(argv[i], "--seeds") == 0)
      o->seeds = value;
    else if (strcmp(argv[i], "--jobs") == 0)
      o->jobs = value > JOBS_MAX ? JOBS_MAX : value < 1 ? 1 : (int)value;
    else if (strcmp(argv[i], "--stop-after") == 0)
      o->stop_after = value;
    else
      return false;
    i++;
  }
  return true;
}

int main(int argc, char **argv) {
  options o = {.from = 1, .seeds = 200, .jobs = 2, .stop_after = 10};
  worker workers[JOBS_MAX] = {{0}};
  uint64_t failed = 0, passed = 0;
  if (!parse(argc, argv, &o)) {
    fprintf(stderr, "usage: sim [--from N] [--seeds N] [--jobs N] [--stop-after N] [--verbose]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < o.jobs; i++) {
    workers[i].next = o.from + (uint64_t)i;
    workers[i].end = o.from + o.seeds;
    start(&workers[i], &o);
  }
  int status;
  for (pid_t pid; (pid = wait(&status)) > 0;) {
    worker *w = find(workers, o.jobs, pid);
    bool ok;
    if (!w) continue;
    passed += finish(w, &o, status, &ok);
    if (ok) continue;
    w->next += (uint64_t)o.jobs; /* behind the one that failed */
    if (++failed >= o.stop_after)
      end_all(workers, o.jobs);
    else
      start(w, &o);
  }
  printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
  return failed == 0 ? 0 : 1;
}
