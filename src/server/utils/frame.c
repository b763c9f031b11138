/* Messages shared by counted references. */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

frame *frame_create(au_slice text) {
  if (text.len > UINT32_MAX) return NULL;
  frame *f = malloc(sizeof *f + FRAME_HEADROOM + text.len);
  if (!f) return NULL;
  f->variant = NULL;
  f->refs = 1;
  f->len = (uint32_t)text.len;
  /* A transport that reads its headroom before writing must not see old memory. */
  memset(f->bytes, 0, FRAME_HEADROOM);
  if (text.len > 0) memcpy(frame_text(f), text.ptr, text.len);
  return f;
}

frame *frame_ref(frame *f) {
  f->refs++;
  return f;
}

void frame_unref(frame *f) {
  if (!f || --f->refs > 0) return;
  frame_unref(f->variant);
  free(f);
}

frame *frame_variant(frame *f, frame *(*make)(au_slice text)) {
  if (!f->variant) f->variant = make((au_slice){frame_text(f), f->len});
  return f->variant;
}
