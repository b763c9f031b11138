/* Badges: what may be asked of one, and how it is printed. Knows no requests and no store. */
#ifndef TRANSPORTS_BADGE_H
#define TRANSPORTS_BADGE_H

#include <active_users/types.h>

#include "utils/buffer.h"

enum { BADGE_LABEL_MAX = 64 /* bytes */ };

typedef enum badge_format { BADGE_SVG, BADGE_JSON } badge_format;

/* Colours are 0xRRGGBB. */
typedef struct badge {
  uint32_t color, label_color;
  uint8_t label_len;
  bool square;                 /* flat-square: no round corners, no gradient */
  bool has_color;              /* it was asked for, so stale numbers keep it */
  char label[BADGE_LABEL_MAX]; /* UTF-8 without control characters */
} badge;

/* Reads label, color, labelColor and style of a query; what is not there has its default. Returns
 * AU_OK, or AU_EINVAL: then *field names the parameter and *message says what it may be, static. */
AU_MUST_CHECK au_status badge_parse(au_slice query, badge *out, const char **field,
                                    const char **message);

/* Appends the badge of these metrics: an SVG image, or JSON for endpoint badges of shields.io. */
void badge_print(buffer *out, const badge *b, badge_format format, const au_metrics *metrics);

/* The width of a text in tenths of a pixel, in Verdana at 11 px. */
unsigned badge_text_width(au_slice text);

#endif
