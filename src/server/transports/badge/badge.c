/* Prints badges in the style of shields.io. */
#include "badge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "utils/text/query.h"
#include "wire/scan.h"
#include "wire/wire.h"

/* ---- what is asked for --------------------------------------------------------- */

static const struct {
  const char *name;
  uint32_t rgb;
} colors[] = {
    {"brightgreen", 0x44cc11}, {"green", 0x97ca00},     {"yellowgreen", 0xa4a61d},
    {"yellow", 0xdfb317},      {"orange", 0xfe7d37},    {"red", 0xe05d44},
    {"blue", 0x007ec6},        {"lightgrey", 0x9f9f9f}, {"lightgray", 0x9f9f9f},
    {"grey", 0x555555},        {"gray", 0x555555},      {"black", 0x000000},
    {"white", 0xffffff},
};

enum {
  DEFAULT_COLOR = 0x44cc11,
  DEFAULT_LABEL_COLOR = 0x555555,
  STALE_COLOR = 0x9f9f9f,
  COLOR_MAX = 16, /* bytes of a name */
};

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = slice_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `abc` or `aabbcc`, with a # or without. */
static bool parse_hex(au_slice s, uint32_t *rgb) {
  if (s.len > 0 && s.ptr[0] == '#') s = (au_slice){s.ptr + 1, s.len - 1};
  if (s.len != 3 && s.len != 6) return false;
  *rgb = 0;
  for (size_t i = 0; i < s.len; i++) {
    int digit = hex_digit(s.ptr[i]);
    if (digit < 0) return false;
    *rgb = *rgb << 4 | (uint32_t)digit;
    if (s.len == 3) *rgb = *rgb << 4 | (uint32_t)digit;
  }
  return true;
}

static bool parse_color(au_slice s, uint32_t *rgb) {
  for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++) {
    if (!slice_eq_nocase(s, slice_of(colors[i].name))) continue;
    *rgb = colors[i].rgb;
    return true;
  }
  return parse_hex(s, rgb);
}

/* False when the parameter is there and is no colour. */
static bool read_color(au_slice query, const char *name, uint32_t *rgb, bool *given) {
  char text[COLOR_MAX];
  size_t len;
  query_result found = query_get(query, name, text, sizeof text, &len);
  *given = found == QUERY_ONE;
  return found == QUERY_NONE || (*given && parse_color((au_slice){text, len}, rgb));
}

static bool is_printable(au_slice s) {
  for (size_t i = 0; i < s.len; i++)
    if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) return false;
  /* XML has no U+FFFE and U+FFFF. */
  bool in_xml =
      !memmem(s.ptr, s.len, "\xef\xbf\xbe", 3) && !memmem(s.ptr, s.len, "\xef\xbf\xbf", 3);
  return in_xml && wire_scan_utf8(s);
}

static bool read_label(au_slice query, badge *out) {
  static const char label[] = "active users";
  size_t len;
  query_result found = query_get(query, "label", out->label, sizeof out->label, &len);
  if (found == QUERY_NONE) {
    len = sizeof label - 1;
    memcpy(out->label, label, len);
  }
  out->label_len = (uint8_t)len;
  return found == QUERY_NONE || (found == QUERY_ONE && is_printable((au_slice){out->label, len}));
}

static bool read_style(au_slice query, badge *out) {
  char text[COLOR_MAX];
  size_t len;
  query_result found = query_get(query, "style", text, sizeof text, &len);
  out->square = found == QUERY_ONE && slice_eq((au_slice){text, len}, slice_of("flat-square"));
  return found == QUERY_NONE || out->square ||
         (found == QUERY_ONE && slice_eq((au_slice){text, len}, slice_of("flat")));
}

au_status badge_parse(au_slice query, badge *out, const char **field, const char **message) {
  static const char no_color[] =
      "a colour is a name such as brightgreen, or three or six hex digits";
  *out = (badge){.color = DEFAULT_COLOR, .label_color = DEFAULT_LABEL_COLOR};
  bool ignored;
  *field = "label";
  *message = "label must be at most 64 bytes of UTF-8 without control characters";
  if (!read_label(query, out)) return AU_EINVAL;
  *message = no_color;
  *field = "color";
  if (!read_color(query, "color", &out->color, &out->has_color)) return AU_EINVAL;
  *field = "labelColor";
  if (!read_color(query, "labelColor", &out->label_color, &ignored)) return AU_EINVAL;
  *field = "style";
  *message = "style must be flat or flat-square";
  return read_style(query, out) ? AU_OK : AU_EINVAL;
}

/* ---- how it looks ---------------------------------------------------------------- */

/* Advance widths of Verdana for ASCII from the space on, in 2048ths of an em. */
static const uint16_t widths[] = {
    720,  806,  940,  1676, 1302, 2204, 1488, 550,  930,  930,  1302, 1676, 745,  930,  745,  930,
    1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 930,  930,  1676, 1676, 1676, 1117,
    2048, 1400, 1404, 1430, 1578, 1295, 1177, 1588, 1539, 862,  931,  1419, 1140, 1726, 1532, 1612,
    1235, 1612, 1424, 1400, 1262, 1499, 1400, 2025, 1403, 1260, 1403, 930,  930,  930,  1676, 1302,
    1302, 1230, 1276, 1067, 1276, 1220, 720,  1276, 1296, 562,  705,  1212, 562,  1992, 1296, 1243,
    1276, 1276, 874,  1067, 807,  1296, 1212, 1676, 1212, 1212, 1076, 1300, 930,  1300, 1676,
};

enum {
  EM = 2048,
  FONT_TENTHS = 110,   /* 11 px */
  OTHER_WIDTH = 1400,  /* of other letters of two bytes in UTF-8 */
  WIDE_WIDTH = EM,     /* of longer ones, such as those of East Asia */
  PADDING_TENTHS = 50, /* at each side of a text */
};

unsigned badge_text_width(au_slice text) {
  unsigned sum = 0;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c >= 0x20 && c < 0x20 + sizeof widths / sizeof widths[0])
      sum += widths[c - 0x20];
    else if (c >= 0xe0)
      sum += WIDE_WIDTH;
    else if (c >= 0xc0)
      sum += OTHER_WIDTH;
  }
  return (sum * FONT_TENTHS + EM / 2) / EM;
}

static void print_xml(buffer *out, au_slice text) {
  for (size_t i = 0; i < text.len; i++) {
    switch (text.ptr[i]) {
    case '&': buffer_append_text(out, "&amp;"); break;
    case '<': buffer_append_text(out, "&lt;"); break;
    case '>': buffer_append_text(out, "&gt;"); break;
    case '"': buffer_append_text(out, "&quot;"); break;
    case '\'': buffer_append_text(out, "&#39;"); break;
    default: buffer_append(out, text.ptr + i, 1);
    }
  }
}

/* A text in the middle of a box, all in tenths of a pixel; on `background` it is dark where that is
 * bright. `textLength` makes it fit where the font is another. */
static void print_text(buffer *out, au_slice text, unsigned middle, unsigned width, bool square,
                       uint32_t background) {
  unsigned brightness =
      (299 * (background >> 16) + 587 * (background >> 8 & 255) + 114 * (background & 255)) / 1000;
  bool dark = brightness > 175;
  for (int shadow = square ? 0 : 1; shadow >= 0; shadow--) {
    buffer_append_format(out, "<text x=\"%u\" y=\"%d\" textLength=\"%u\" transform=\"scale(.1)\" ",
                         middle, shadow ? 150 : 140, width);
    if (shadow)
      buffer_append_format(out, "fill=\"#%s\" fill-opacity=\".3\" aria-hidden=\"true\">",
                           dark ? "ccc" : "010101");
    else
      buffer_append_format(out, "fill=\"#%s\">", dark ? "333" : "fff");
    print_xml(out, text);
    buffer_append_text(out, "</text>");
  }
}

static void print_svg(buffer *out, const badge *b, uint32_t color, au_slice message) {
  au_slice label = {b->label, b->label_len};
  unsigned label_text = badge_text_width(label), message_text = badge_text_width(message);
  /* Whole pixels, so that the edge between the boxes is sharp. */
  unsigned left = label.len > 0 ? (label_text + 2 * PADDING_TENTHS + 9) / 10 : 0;
  unsigned right = (message_text + 2 * PADDING_TENTHS + 9) / 10;
  buffer_append_format(out,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"20\" "
                       "role=\"img\"><title>",
                       left + right);
  print_xml(out, label);
  if (label.len > 0) buffer_append_text(out, ": ");
  print_xml(out, message);
  buffer_append_text(out, "</title>");
  if (!b->square)
    buffer_append_format(
        out,
        "<linearGradient id=\"s\" x2=\"0\" y2=\"100%%\">"
        "<stop offset=\"0\" stop-color=\"#bbb\" stop-opacity=\".1\"/>"
        "<stop offset=\"1\" stop-opacity=\".1\"/></linearGradient>"
        "<clipPath id=\"r\"><rect width=\"%u\" height=\"20\" rx=\"3\"/></clipPath>",
        left + right);
  buffer_append_format(out,
                       "<g%s><rect width=\"%u\" height=\"20\" fill=\"#%06" PRIx32 "\"/>"
                       "<rect x=\"%u\" width=\"%u\" height=\"20\" fill=\"#%06" PRIx32 "\"/>",
                       b->square ? "" : " clip-path=\"url(#r)\"", left, b->label_color, left, right,
                       color);
  if (!b->square)
    buffer_append_format(out, "<rect width=\"%u\" height=\"20\" fill=\"url(#s)\"/>", left + right);
  buffer_append_text(out,
                     "</g><g text-anchor=\"middle\" font-family=\"Verdana,Geneva,DejaVu "
                     "Sans,sans-serif\" font-size=\"110\" text-rendering=\"geometricPrecision\">");
  if (label.len > 0) print_text(out, label, left * 5, label_text, b->square, b->label_color);
  print_text(out, message, left * 10 + right * 5, message_text, b->square, color);
  buffer_append_text(out, "</g></svg>");
}

static void print_json(buffer *out, const badge *b, uint32_t color, au_slice message) {
  buffer_append_text(out, "{\"schemaVersion\":1,\"label\":");
  wire_print_string(out, (au_slice){b->label, b->label_len});
  buffer_append_text(out, ",\"message\":");
  wire_print_string(out, message);
  buffer_append_format(
      out, ",\"color\":\"#%06" PRIx32 "\",\"labelColor\":\"#%06" PRIx32 "\",\"style\":\"%s\"}",
      color, b->label_color, b->square ? "flat-square" : "flat");
}

void badge_print(buffer *out, const badge *b, badge_format format, const au_metrics *metrics) {
  char text[32];
  int len = snprintf(text, sizeof text, metrics->stale ? "%" PRIu32 " (stale)" : "%" PRIu32,
                     metrics->count);
  uint32_t color = metrics->stale && !b->has_color ? STALE_COLOR : b->color;
  au_slice message = {text, (size_t)len};
  if (format == BADGE_SVG)
    print_svg(out, b, color, message);
  else
    print_json(out, b, color, message);
}
