/* au-flood: many connections that send what they are told, as hostile peers do. Knows bytes,
 * status lines and addresses of loopback; what the bytes mean is up to whoever runs it. */
#ifndef ATTACK_FLOOD_H
#define ATTACK_FLOOD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  FLOOD_MAX_CONNECTIONS = 20000,
  FLOOD_MAX_SECONDS = 120,
  FLOOD_MAX_PAYLOAD_BYTES = 4 << 20,
  FLOOD_STATUSES = 600,
};

/* What a connection does when its payload is sent. */
typedef enum flood_next {
  FLOOD_SENT,   /* sends the payload again at once */
  FLOOD_ANSWER, /* again, once one HTTP answer to each has begun */
  FLOOD_CLOSE,  /* waits until the server ends the connection or the WebSocket */
  FLOOD_HOLD,   /* sends nothing more */
} flood_next;

/* Bytes to send. COUNT_MARK in them becomes a number that no other payload has, PEER_MARK one
 * of the connection, from 100 to 249: the last part of an IPv4 address. */
typedef struct flood_payload {
  char *bytes;
  size_t len;
  bool marked;
} flood_payload;

#define FLOOD_COUNT_MARK "@@@@@@@@"
#define FLOOD_PEER_MARK  "&&&"

typedef struct flood_options {
  const char *source; /* address of the first peer */
  int port, sources, connections, seconds;
  uint64_t per_connection; /* payloads, then it is closed; 0: no end */
  uint64_t max_payloads;   /* of all connections; 0: no end */
  uint64_t first_number;   /* what COUNT_MARK begins with */
  uint64_t connects_per_s; /* 0: as fast as they come */
  uint64_t writes_per_s;   /* of each connection; 0: no pause */
  size_t write_bytes;      /* most of one write; 0: no limit */
  int receive_bytes;       /* SO_RCVBUF; 0: the system's */
  flood_next next;
  bool deaf;      /* reads nothing */
  bool stubborn;  /* keeps its end of TCP open when the server has ended its own */
  bool reconnect; /* a connection that ended is opened again */
  bool reset;     /* ends connections with RST */
  bool together;  /* sends nothing before all are connected */
  flood_payload first, payload;
} flood_options;

typedef struct flood_report {
  uint64_t connects, connect_failures, payloads, bytes_out, bytes_in, ended_by_server, resets;
  uint64_t by_status[FLOOD_STATUSES];
  int open, most_open;
} flood_report;

typedef struct flood flood;

/* Runs until the time is over, all is sent and ended, or `*stop` is set. `ready` is called once
 * when each connection was opened or refused for the first time.
 * Returns 0, or -1 with errno: no memory or no descriptors for the flood itself. */
int flood_run(const flood_options *options, flood_report *report, const volatile int *stop,
              void (*ready)(const flood_report *));

#endif
