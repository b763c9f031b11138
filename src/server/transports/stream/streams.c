/* Streams of server-sent events: what they send, what they wait for, and the stop. */
#include "streams.h"

#include "services/metrics.h"
#include "transports/expiry.h"
#include "utils/buffer.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  HEAD_BYTES = 16 * 1024, /* of a reply, and what begins a stream */
  EVICT_SAMPLE = 16,      /* streams looked at to find the address with most connections */
  STOP_STEP_MS = 5,       /* between two steps of a stop */
  STOP_SLICE = 200,       /* streams closed in a step */
};

/* What a stream waits for; each has its own time-out. */
typedef enum stream_wait {
  STREAM_WAIT_COMMENT, /* the next one */
  STREAM_WAIT_STALL,   /* the reader */
  STREAM_WAIT_COUNT,
} stream_wait;

typedef struct stream {
  /* What the delivery of an event touches, together: of many streams none is in the cache. */
  subscriber subscriber;
  int fd;
  bool closed;
  frame *sending; /* the kernel has taken `sent` bytes of it */
  frame *update;  /* the newest, waiting behind that */
  streams *all;

  size_t sent;
  poller_entry io;
  address *address; /* of the client; NULL without memory */
  bool counted;     /* among the connections of that address */
  unsigned refs;    /* one is the open connection's, one a sample's in flight */
  struct stream *prev, *next;
  deadline comment, stall;
} stream;

struct streams {
  streams_config config;
  stream *first;
  stream *sample_at; /* where streams_evict looks next */
  frame *comment;    /* shared by all */
  uint32_t begun;
  deadline_queue waits[STREAM_WAIT_COUNT];
  expiry expiry;

  uv_timer_t stop_timer;
  int64_t stop_began_ms;
  uint64_t stop_streams; /* how many there were */
  uint64_t stop_closed;
  bool stopping;
  join_stop stop;
};

static void arm(stream *s, stream_wait wait, deadline *d) {
  expiry_arm(&s->all->expiry, &s->all->waits[wait], d);
}

static void stream_unref(stream *s) {
  if (--s->refs == 0) free(s);
}

/* ---- the end of a stream ----------------------------------------------------- */

/* The connection of `conn` is over: its slot and its place at the address are free. */
static void release(streams *all, const http_detached *conn) {
  close(conn->fd);
  if (conn->counted) address_disconnect(conn->address);
  address_release(conn->address, clock_mono_ms(all->config.clock));
  all->config.released(all->config.released_arg);
}

static void stream_close(stream *s) {
  if (s->closed) return;
  streams *all = s->all;
  s->closed = true;
  deadline_cancel(&s->comment);
  deadline_cancel(&s->stall);
  broadcast_unsubscribe(all->config.broadcast, &s->subscriber);
  poller_drop(all->config.poller, &s->io);
  if (s->prev)
    s->prev->next = s->next;
  else
    all->first = s->next;
  if (s->next) s->next->prev = s->prev;
  if (all->sample_at == s) all->sample_at = s->next;
  frame_unref(s->sending);
  frame_unref(s->update);
  all->config.counters->streams--;
  release(all, &(http_detached){.fd = s->fd, .address = s->address, .counted = s->counted});
  stream_unref(s);
}

/* ---- sending ------------------------------------------------------------------- */

/* Returns how many bytes the kernel took, 0 when it has no capacity, -1 when the connection is
 * gone. */
static ssize_t send_some(const stream *s, frame *message, size_t from) {
  ssize_t n =
      send(s->fd, frame_text(message) + from, message->len - from, MSG_NOSIGNAL | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

/* Sends what the kernel takes; the rest waits for the reader. Nothing else may be waiting. */
static void begin_sending(stream *s, frame *message) {
  ssize_t n = send_some(s, message, 0);
  if (n == (ssize_t)message->len) return;
  if (n < 0 || !poller_watch(s->all->config.poller, &s->io, EPOLLIN | EPOLLOUT)) {
    stream_close(s);
    return;
  }
  s->sending = frame_ref(message);
  s->sent = (size_t)n;
  arm(s, STREAM_WAIT_STALL, &s->stall);
}

/* The kernel has capacity again. */
static void go_on_sending(stream *s) {
  while (s->sending) {
    ssize_t n = send_some(s, s->sending, s->sent);
    if (n < 0) {
      stream_close(s);
      return;
    }
    s->sent += (size_t)n;
    if (s->sent < s->sending->len) return;
    frame_unref(s->sending);
    s->sending = s->update;
    s->update = NULL;
    s->sent = 0;
  }
  deadline_cancel(&s->stall);
  if (!poller_watch(s->all->config.poller, &s->io, EPOLLIN)) stream_close(s);
}

/* Sends the event of an update now, or keeps it in place of an older one. Without memory the next
 * one makes up for it. */
static void deliver(subscriber *self, frame *message) {
  stream *s = (stream *)(void *)((char *)self - offsetof(stream, subscriber));
  frame *event = frame_variant(message, wire_frame_event);
  if (!event) return;
  s->all->config.counters->stream_events++;
  if (!s->sending) {
    begin_sending(s, event);
    return;
  }
  frame_unref(s->update);
  s->update = frame_ref(event);
}

static void send_first(stream *s, const au_metrics *metrics) {
  frame *message = wire_frame_update(metrics);
  if (message) s->subscriber.deliver(&s->subscriber, message);
  frame_unref(message);
}

static void on_first_sample(au_status status, const au_sample *sample, void *arg) {
  stream *s = arg;
  /* A message published since then is newer than this sample. */
  if (status == AU_OK && !s->closed && !broadcast_has_delivered(&s->subscriber)) {
    au_metrics metrics =
        metrics_of(s->all->config.clock, broadcast_customer(&s->subscriber), sample);
    send_first(s, &metrics);
  }
  stream_unref(s);
}

/* ---- a connection comes in, and is ready ---------------------------------------- */

/* A reader has nothing to say after its request: whatever comes is its end. */
static void on_ready(poller_entry *entry, uint32_t events) {
  stream *s = (stream *)(void *)((char *)entry - offsetof(stream, io));
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    stream_close(s);
  else if (events & EPOLLOUT)
    go_on_sending(s);
}

static stream *stream_create(streams *all, const http_detached *conn) {
  stream *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->all = all;
  s->fd = conn->fd;
  s->io = (poller_entry){.fd = conn->fd, .ready = on_ready};
  if (!poller_watch(all->config.poller, &s->io, EPOLLIN)) {
    free(s);
    return NULL;
  }
  s->subscriber.deliver = deliver;
  s->address = conn->address;
  s->counted = conn->counted;
  s->refs = 1;
  s->next = all->first;
  if (s->next) s->next->prev = s;
  all->first = s;
  all->config.counters->streams++;
  arm(s, STREAM_WAIT_COMMENT, &s->comment);
  return s;
}

/* The head, and when to come back after the end. Multiples of the golden ratio are spread evenly,
 * however many there are. */
static frame *print_begin(streams *all, au_slice head) {
  uint32_t spread = all->begun++ * 2654435769u;
  unsigned range_ms = STREAMS_RETRY_MAX_MS - STREAMS_RETRY_MIN_MS;
  unsigned retry_ms = STREAMS_RETRY_MIN_MS + (unsigned)((uint64_t)spread * range_ms >> 32);
  buffer text;
  buffer_init(&text, HEAD_BYTES);
  buffer_append_slice(&text, head);
  buffer_append_format(&text, "retry: %u\n\n", retry_ms);
  frame *begin = text.failed || head.len == 0 ? NULL : frame_create(buffer_slice(&text));
  buffer_free(&text);
  return begin;
}

void streams_adopt(streams *all, const http_detached *conn, au_slice head, au_slice customer_id) {
  streams_config *config = &all->config;
  frame *begin = print_begin(all, head);
  stream *s = begin && !all->stopping ? stream_create(all, conn) : NULL;
  if (!s) {
    frame_unref(begin);
    release(all, conn);
    return;
  }
  config->counters->http_requests++;
  stats_count_response(config->counters, STATS_ROUTE_OTHER, 200);
  if (broadcast_subscribe(config->broadcast, customer_id, &s->subscriber) != AU_OK) {
    stream_close(s);
  } else {
    au_metrics newest;
    bool is_known = broadcast_newest(&s->subscriber, &newest);
    s->refs++; /* ours, to the end: NOLINTBEGIN(clang-analyzer-unix.Malloc) */
    bool asked =
        !is_known && presence_sample(config->presence, customer_id, on_first_sample, s) == AU_OK;
    if (asked) broadcast_skip_to_latest(&s->subscriber); /* else the next change or tick tells it */
    begin_sending(s, begin);                             /* it may close */
    if (is_known && !s->closed) {
      newest.timestamp_ms = clock_wall_ms(config->clock);
      send_first(s, &newest);
    }
    if (!asked) stream_unref(s); /* NOLINTEND(clang-analyzer-unix.Malloc) */
  }
  frame_unref(begin);
}

bool streams_evict(streams *all) {
  stream *worst = NULL, *s = all->sample_at ? all->sample_at : all->first;
  for (unsigned i = 0; s && i < EVICT_SAMPLE; i++, s = s->next)
    if (!worst || address_connections(s->address) > address_connections(worst->address)) worst = s;
  all->sample_at = s; /* NULL: from the newest again */
  if (worst) stream_close(worst);
  return worst != NULL;
}

/* ---- time-outs --------------------------------------------------------------------- */

static void on_expired(void *arg, deadline_queue *queue, deadline *d) {
  streams *all = arg;
  if (queue == &all->waits[STREAM_WAIT_STALL]) {
    all->config.counters->stream_slow_closed++;
    stream_close((stream *)(void *)((char *)d - offsetof(stream, stall)));
    return;
  }
  stream *s = (stream *)(void *)((char *)d - offsetof(stream, comment));
  if (address_blocked_until_ms(s->address, clock_mono_ms(all->config.clock))) {
    all->config.counters->blocked_requests++;
    stream_close(s);
    return;
  }
  arm(s, STREAM_WAIT_COMMENT, &s->comment);
  if (!s->sending) begin_sending(s, all->comment);
}

/* ---- life ---------------------------------------------------------------------------- */

au_status streams_create(const streams_config *config, streams **out) {
  streams *all = calloc(1, sizeof *all);
  if (!all) return AU_ENOMEM;
  static const char comment[] = ":\n\n";
  all->comment = frame_create((au_slice){comment, sizeof comment - 1});
  if (!all->comment) {
    free(all);
    return AU_ENOMEM;
  }
  all->config = *config;
  deadline_queue_init(&all->waits[STREAM_WAIT_COMMENT], STREAMS_COMMENT_MS);
  deadline_queue_init(&all->waits[STREAM_WAIT_STALL], config->stall_ms);
  expiry_init(&all->expiry, config->loop, config->clock, all->waits, STREAM_WAIT_COUNT, on_expired,
              all);
  uv_timer_init(config->loop, &all->stop_timer);
  all->stop_timer.data = all;
  *out = all;
  return AU_OK;
}

/* Closes as many streams as the share of the drain that has passed, a slice at most a step. */
static void on_stop_step(uv_timer_t *timer) {
  streams *all = timer->data;
  uint64_t drain_ms = (uint64_t)all->config.drain_ms;
  uint64_t elapsed_ms = (uint64_t)(clock_mono_ms(all->config.clock) - all->stop_began_ms);
  uint64_t due = elapsed_ms < drain_ms ? all->stop_streams * elapsed_ms / drain_ms + 1 : UINT64_MAX;
  stream *s = all->first;
  for (unsigned i = 0; s && i < STOP_SLICE && all->stop_closed < due; i++) {
    stream *next = s->next;
    stream_close(s);
    all->stop_closed++;
    s = next;
  }
  if (all->first) return;
  join_stop_close(&all->stop, (uv_handle_t *)&all->stop_timer);
  expiry_close(&all->expiry, &all->stop);
  join_stop_done(&all->stop);
}

void streams_stop(streams *all, void (*stopped)(void *arg), void *arg) {
  all->stopping = true;
  join_stop_begin(&all->stop, stopped, arg);
  all->stop_began_ms = clock_mono_ms(all->config.clock);
  all->stop_streams = all->config.counters->streams;
  uv_timer_start(&all->stop_timer, on_stop_step, 0, STOP_STEP_MS);
}

void streams_free(streams *all) {
  if (!all) return;
  frame_unref(all->comment);
  free(all);
}
