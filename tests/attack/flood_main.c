/* au-flood: the command. Prints `ready` when all connections were tried, then one JSON object. */
#include "flood.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static const char USAGE[] =
    "Sends hostile traffic to a port of this machine; part of `make attack`.\n\n"
    "  au-flood --port N [--flag value ...]\n\n"
    "  --source ADDRESS     of the first peer: 127.x.x.x, or ::1 (127.0.1.1)\n"
    "  --sources N          addresses, one after the other (1)\n"
    "  --connections N      (1)\n"
    "  --seconds N          (5)\n"
    "  --payload FILE       what is sent again and again; @@@@@@@@ in it becomes a number,\n"
    "                       &&& one of the connection, 100 to 249\n"
    "  --first FILE         sent once, before\n"
    "  --next WORD          when a payload is sent: sent (again at once), answer (when answered),\n"
    "                       close (wait for the server's end), hold (nothing more) (answer)\n"
    "  --per-connection N   payloads, then it is closed; 0: no end (0)\n"
    "  --max-payloads N     of all connections; 0: no end (0)\n"
    "  --first-number N     what @@@@@@@@ begins with (0)\n"
    "  --connects-per-s N   0: as fast as they come (0)\n"
    "  --write-bytes N      most of one write; 0: no limit (0)\n"
    "  --writes-per-s N     of each connection; 0: no pause (0)\n"
    "  --receive-bytes N    receive buffer; 0: the system's (0)\n"
    "  --deaf               reads nothing\n"
    "  --stubborn           keeps TCP open when the server has ended its side\n"
    "  --reconnect          opens again what ended\n"
    "  --reset              ends connections with RST\n"
    "  --together           sends nothing before all are connected\n";

static volatile int stop;

static void on_signal(int signal) {
  (void)signal;
  stop = 1;
}

static void ready(const flood_report *report) {
  printf("ready %d\n", report->open);
  fflush(stdout);
}

static void refuse(const char *why, const char *what) {
  fprintf(stderr, "au-flood: %s: %s; --help\n", what, why);
  exit(EXIT_USAGE);
}

static uint64_t whole(const char *flag, const char *text, uint64_t least, uint64_t most) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || *end != '\0' || end == text || value < least || value > most)
    refuse("out of range", flag);
  return value;
}

static void load(const char *path, flood_payload *out) {
  FILE *file = fopen(path, "rb");
  if (!file) refuse(strerror(errno), path);
  out->bytes = malloc(FLOOD_MAX_PAYLOAD_BYTES);
  if (!out->bytes) refuse("no memory", path);
  out->len = fread(out->bytes, 1, FLOOD_MAX_PAYLOAD_BYTES, file);
  fclose(file);
  out->marked = memmem(out->bytes, out->len, FLOOD_COUNT_MARK, 8) ||
                memmem(out->bytes, out->len, FLOOD_PEER_MARK, 3);
}

static flood_next next_of(const char *word) {
  static const char *const words[] = {"sent", "answer", "close", "hold"};
  for (int i = 0; i < 4; i++)
    if (strcmp(word, words[i]) == 0) return (flood_next)i;
  refuse("no such word", word);
  return FLOOD_HOLD;
}

enum {
  PORT = 1,
  SOURCE,
  SOURCES,
  CONNECTIONS,
  SECONDS,
  PAYLOAD,
  FIRST,
  NEXT,
  PER,
  MAX,
  NUMBER,
  CONNECTS,
  BYTES,
  WRITES,
  RECEIVE,
  DEAF,
  STUBBORN,
  RECONNECT,
  RESET,
  TOGETHER,
  HELP
};

static const struct option flags[] = {
    {"port", 1, NULL, PORT},
    {"source", 1, NULL, SOURCE},
    {"sources", 1, NULL, SOURCES},
    {"connections", 1, NULL, CONNECTIONS},
    {"seconds", 1, NULL, SECONDS},
    {"payload", 1, NULL, PAYLOAD},
    {"first", 1, NULL, FIRST},
    {"next", 1, NULL, NEXT},
    {"per-connection", 1, NULL, PER},
    {"max-payloads", 1, NULL, MAX},
    {"first-number", 1, NULL, NUMBER},
    {"connects-per-s", 1, NULL, CONNECTS},
    {"write-bytes", 1, NULL, BYTES},
    {"writes-per-s", 1, NULL, WRITES},
    {"receive-bytes", 1, NULL, RECEIVE},
    {"deaf", 0, NULL, DEAF},
    {"stubborn", 0, NULL, STUBBORN},
    {"reconnect", 0, NULL, RECONNECT},
    {"reset", 0, NULL, RESET},
    {"together", 0, NULL, TOGETHER},
    {"help", 0, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static void parse(int argc, char **argv, flood_options *o) {
  int at = 0;
  for (int flag; (flag = getopt_long(argc, argv, "", flags, &at)) != -1;) {
    const char *name = flag == '?' ? "" : flags[at].name;
    switch (flag) {
    case PORT: o->port = (int)whole(name, optarg, 1, 65535); break;
    case SOURCE: o->source = optarg; break;
    case SOURCES: o->sources = (int)whole(name, optarg, 1, 65536); break;
    case CONNECTIONS: o->connections = (int)whole(name, optarg, 1, FLOOD_MAX_CONNECTIONS); break;
    case SECONDS: o->seconds = (int)whole(name, optarg, 1, FLOOD_MAX_SECONDS); break;
    case PAYLOAD: load(optarg, &o->payload); break;
    case FIRST: load(optarg, &o->first); break;
    case NEXT: o->next = next_of(optarg); break;
    case PER: o->per_connection = whole(name, optarg, 0, UINT32_MAX); break;
    case MAX: o->max_payloads = whole(name, optarg, 0, UINT32_MAX); break;
    case NUMBER: o->first_number = whole(name, optarg, 0, 99999999); break;
    case CONNECTS: o->connects_per_s = whole(name, optarg, 0, 1000000); break;
    case BYTES: o->write_bytes = whole(name, optarg, 0, FLOOD_MAX_PAYLOAD_BYTES); break;
    case WRITES: o->writes_per_s = whole(name, optarg, 0, 1000000); break;
    case RECEIVE: o->receive_bytes = (int)whole(name, optarg, 0, 1 << 24); break;
    case STUBBORN: o->stubborn = true; break;
    case DEAF: o->deaf = true; break;
    case RECONNECT: o->reconnect = true; break;
    case RESET: o->reset = true; break;
    case TOGETHER: o->together = true; break;
    case HELP: fputs(USAGE, stdout); exit(0);
    default: exit(EXIT_USAGE);
    }
  }
  if (o->port == 0) refuse("is needed", "--port");
  /* Nothing but this machine is ever attacked. */
  if (strncmp(o->source, "127.", 4) != 0 && strcmp(o->source, "::1") != 0)
    refuse("not an address of loopback", o->source);
}

static void print(const flood_report *r) {
  printf("{\"connects\":%llu,\"connectFailures\":%llu,\"payloads\":%llu,\"bytesOut\":%llu,"
         "\"bytesIn\":%llu,\"endedByServer\":%llu,\"resets\":%llu,\"open\":%d,\"mostOpen\":%d,"
         "\"status\":{",
         (unsigned long long)r->connects, (unsigned long long)r->connect_failures,
         (unsigned long long)r->payloads, (unsigned long long)r->bytes_out,
         (unsigned long long)r->bytes_in, (unsigned long long)r->ended_by_server,
         (unsigned long long)r->resets, r->open, r->most_open);
  const char *comma = "";
  for (int status = 0; status < FLOOD_STATUSES; status++) {
    if (r->by_status[status] == 0) continue;
    printf("%s\"%d\":%llu", comma, status, (unsigned long long)r->by_status[status]);
    comma = ",";
  }
  puts("}}");
}

int main(int argc, char **argv) {
  flood_options options = {
      .source = "127.0.1.1", .sources = 1, .connections = 1, .seconds = 5, .next = FLOOD_ANSWER};
  parse(argc, argv, &options);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  static flood_report report;
  int status = flood_run(&options, &report, &stop, ready);
  if (status != 0)
    perror("au-flood");
  else
    print(&report);
  free(options.first.bytes);
  free(options.payload.bytes);
  return status == 0 ? 0 : 1;
}
