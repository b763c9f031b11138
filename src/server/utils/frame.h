/* A message printed once and shared by everyone it goes to. Counted references;
 * room is kept in front of the text for a transport's own header, so that it can
 * be sent from where it lies. */
#ifndef UTILS_FRAME_H
#define UTILS_FRAME_H

#include <active_users/types.h>

/* Bytes in front of the text that a transport may overwrite while it sends.
 * Every transport must write the same bytes there for the same frame. */
enum { FRAME_HEADROOM = 32 };

typedef struct frame {
  struct frame *variant; /* see frame_variant */
  uint32_t refs;
  uint32_t len; /* of the text, in bytes */
  char bytes[]; /* FRAME_HEADROOM, then the text */
} frame;

/* A copy of `text` with one reference, or NULL when out of memory. */
frame *frame_create(au_slice text);

frame *frame_ref(frame *f);

/* Frees with the last reference. NULL is fine. */
void frame_unref(frame *f);

/* The same message as another transport writes it: made of the text when it is first asked for, and
 * kept as long as `f`, or longer by whoever takes a reference to it. Always the same `make` for one
 * frame. Borrowed; NULL when out of memory. */
frame *frame_variant(frame *f, frame *(*make)(au_slice text));

static inline char *frame_text(frame *f) {
  return f->bytes + FRAME_HEADROOM;
}

#endif
