/* The list, sorted: an origin is found in it by a search for each label of its host. */
#include "origins.h"

#include "refusals.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct origins {
  bool any, has_stars;
  size_t count;
  char *text;       /* what the items point into */
  au_slice items[]; /* sorted */
};

/* ---- an origin in its parts (RFC 6454, 6.2) --------------------------------- */

typedef struct parts {
  au_slice scheme, host, port; /* port: with its colon, or empty */
} parts;

/* false: it has no scheme, or nothing behind it. */
static bool split(au_slice origin, parts *out) {
  const char *colon = memchr(origin.ptr, ':', origin.len), *end = origin.ptr + origin.len;
  if (!colon || colon == origin.ptr || end - colon <= 3 || memcmp(colon, "://", 3) != 0)
    return false;
  out->scheme = (au_slice){origin.ptr, (size_t)(colon - origin.ptr)};
  const char *host = colon + 3, *port = memrchr(host, ':', (size_t)(end - host));
  if (!port || memchr(port, ']', (size_t)(end - port))) port = end; /* none, or IPv6's own */
  out->host = (au_slice){host, (size_t)(port - host)};
  out->port = (au_slice){port, (size_t)(end - port)};
  return true;
}

static bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* Labels with dots between them, none of them empty; a dot may stand at the end. */
static bool is_name(au_slice host) {
  for (size_t i = 0; i < host.len; i++) {
    if (!is_name_char(host.ptr[i])) return false;
    if (host.ptr[i] == '.' && (i == 0 || host.ptr[i - 1] == '.')) return false;
  }
  return host.len > 0;
}

/* ---- items that no browser sends --------------------------------------------- */

/* Each of these says why, or NULL. */

static const char *scheme_problem(au_slice scheme) {
  static const char *const opaque[] = {"file", "data", "blob", "about", "javascript"};
  for (size_t i = 0; i < scheme.len; i++) {
    char c = scheme.ptr[i];
    if (c >= 'A' && c <= 'Z') return "browsers write an origin in small letters";
    if (c == '_' || (!is_name_char(c) && c != '+')) return "its scheme is none";
  }
  if (slice_eq(scheme, slice_of("ws")) || slice_eq(scheme, slice_of("wss")))
    return "an origin is that of the page, so it begins with http:// or https://";
  for (size_t i = 0; i < sizeof opaque / sizeof opaque[0]; i++)
    if (slice_eq(scheme, slice_of(opaque[i]))) return "pages of this scheme have no origin";
  return NULL;
}

/* Browsers leave the scheme's own port out, so an origin that names it would match nobody. */
static const char *port_problem(const parts *p) {
  uint64_t number;
  if (p->port.len == 0) return NULL;
  au_slice digits = {p->port.ptr + 1, p->port.len - 1};
  if (!slice_digits(digits, 5, &number) || number == 0 || number > 65535 || digits.ptr[0] == '0')
    return "its port is none";
  bool own = (number == 443 && slice_eq(p->scheme, slice_of("https"))) ||
             (number == 80 && slice_eq(p->scheme, slice_of("http")));
  return own ? "browsers leave out the port that its scheme has anyway" : NULL;
}

/* Of a text in brackets. */
static const char *ipv6_problem(au_slice host) {
  char text[INET6_ADDRSTRLEN], shortest[INET6_ADDRSTRLEN];
  struct in6_addr address;
  au_slice inside = {host.ptr + 1, host.len - 2};
  if (host.len < 4 || host.ptr[host.len - 1] != ']' || inside.len >= sizeof text ||
      memchr(inside.ptr, '.', inside.len))
    return "its address is none that a browser writes";
  memcpy(text, inside.ptr, inside.len);
  text[inside.len] = '\0';
  if (inet_pton(AF_INET6, text, &address) != 1) return "its address is none";
  if (!inet_ntop(AF_INET6, &address, shortest, sizeof shortest)) return "its address is none";
  /* The dots that inet_ntop gives to some addresses are not a browser's. */
  if (strchr(shortest, '.') || strcmp(text, shortest) == 0) return NULL;
  return "browsers write an IPv6 address in its shortest form";
}

/* What ends in a number is an IPv4 address to a browser, and written as four numbers. */
static const char *ipv4_problem(au_slice host) {
  char text[INET_ADDRSTRLEN];
  struct in_addr address;
  size_t start = host.len;
  while (start > 0 && host.ptr[start - 1] != '.') start--;
  uint64_t number;
  if (!slice_digits((au_slice){host.ptr + start, host.len - start}, 19, &number)) return NULL;
  if (host.len < sizeof text) {
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, &address) == 1) return NULL;
  }
  return "browsers write an IPv4 address as four numbers, and it has no star";
}

static const char *host_problem(au_slice host) {
  static const char star[] = "a star stands for the first labels of a host, once and before a dot, "
                             "as in https://*.shop.example";
  if (host.len == 0) return "its host is missing";
  if (memchr(host.ptr, '/', host.len))
    return "an origin ends with its host or port: no path, and no slash at its end";
  if (host.ptr[0] == '[') return ipv6_problem(host);
  for (size_t i = 0; i < host.len; i++) {
    char c = host.ptr[i];
    if (c >= 'A' && c <= 'Z') return "browsers write an origin in small letters";
    if (c == '*' && (i > 0 || host.len < 3 || host.ptr[1] != '.')) return star;
    if (c != '*' && !is_name_char(c))
      return "its host has a character that none has; letters beyond ASCII are written in Punycode "
             "(xn--)";
  }
  const char *problem = ipv4_problem(host);
  if (problem) return problem;
  if (host.ptr[0] == '*') host = (au_slice){host.ptr + 2, host.len - 2};
  if (!is_name(host))
    return "its host has a label without letters; what is below a host is https://*.shop.example";
  return NULL;
}

static const char *item_problem(au_slice item) {
  static const char whole[] = "an origin is scheme://host or scheme://host:port, as in "
                              "https://shop.example or https://*.shop.example";
  parts p;
  if (item.len > ORIGIN_MAX) return "it is longer than any origin";
  if (slice_eq(item, slice_of("null"))) return "it is sent by pages that have no origin";
  if (!split(item, &p)) return whole;
  const char *problem = scheme_problem(p.scheme);
  /* A path may hold the last colon, and then its start is in the host. */
  if (!problem && memchr(p.port.ptr, '/', p.port.len))
    problem = "an origin ends with its host or port: no path, and no slash at its end";
  if (!problem) problem = host_problem(p.host);
  return problem ? problem : port_problem(&p);
}

/* ---- life ---------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
  return slice_compare(*(const au_slice *)a, *(const au_slice *)b);
}

static origins *create(size_t max_items, size_t bytes) {
  origins *list = calloc(1, sizeof *list + max_items * sizeof list->items[0]);
  if (!list) return NULL;
  list->text = malloc(bytes + 1);
  if (list->text) return list;
  free(list);
  return NULL;
}

static void add(origins *list, au_slice item, size_t *used) {
  char *at = list->text + *used;
  memcpy(at, item.ptr, item.len);
  *used += item.len;
  list->items[list->count++] = (au_slice){at, item.len};
  if (memchr(item.ptr, '*', item.len)) list->has_stars = true;
}

static void sort(origins *list) {
  if (list->count > 0) qsort(list->items, list->count, sizeof list->items[0], compare);
}

au_status origins_parse(const char *text, origins **out, char problem[ORIGINS_PROBLEM_SIZE]) {
  size_t commas = 0, used = 0;
  for (const char *c = text; *c; c++) commas += *c == ',';
  origins *list = create(commas + 1, strlen(text));
  if (!list) return AU_ENOMEM;
  au_slice rest = slice_of(text), item;
  const char *why = NULL;
  while (!why && slice_next(&rest, ',', &item)) {
    item = slice_trim(item);
    if (item.len == 0) continue;
    if (slice_eq(item, slice_of("*")))
      list->any = true;
    else if (!(why = item_problem(item)))
      add(list, item, &used);
  }
  if (why) {
    refusal_shown shown = refusal_show(item);
    snprintf(problem, ORIGINS_PROBLEM_SIZE, "\"%s\": %s", shown.text, why);
  } else if (!list->any && list->count == 0) {
    snprintf(problem, ORIGINS_PROBLEM_SIZE,
             "it is empty; * stands for any page, https://shop.example for those of one site");
  } else {
    sort(list);
    *out = list;
    return AU_OK;
  }
  origins_free(list);
  return AU_EINVAL;
}

au_status origins_unite(const origins *const *lists, size_t count, origins **out) {
  size_t items = 0, bytes = 0, used = 0;
  for (size_t i = 0; i < count; i++) {
    items += lists[i]->count;
    for (size_t at = 0; at < lists[i]->count; at++) bytes += lists[i]->items[at].len;
  }
  origins *all = create(items, bytes);
  if (!all) return AU_ENOMEM;
  for (size_t i = 0; i < count; i++) {
    all->any = all->any || lists[i]->any;
    for (size_t at = 0; at < lists[i]->count; at++) add(all, lists[i]->items[at], &used);
  }
  sort(all);
  *out = all;
  return AU_OK;
}

void origins_free(origins *list) {
  if (!list) return;
  free(list->text);
  free(list);
}

/* ---- questions --------------------------------------------------------------------- */

bool origins_allow_any(const origins *list) {
  return list->any;
}

void origins_print_sources(const origins *list, buffer *out) {
  if (list->any) buffer_append_text(out, "*");
  for (size_t i = 0; i < list->count && !list->any; i++) {
    if (i > 0) buffer_append_text(out, " ");
    buffer_append_slice(out, list->items[i]);
  }
}

static bool has(const origins *list, au_slice item) {
  return bsearch(&item, list->items, list->count, sizeof item, compare) != NULL;
}

/* Whether a pattern of the list has this origin: for each dot of the host, what is behind it. */
static bool has_pattern_of(const origins *list, au_slice origin) {
  char pattern[ORIGIN_MAX + sizeof "://*"];
  parts p;
  if (!split(origin, &p) || !is_name(p.host)) return false;
  memcpy(pattern, p.scheme.ptr, p.scheme.len);
  au_slice star = slice_of("://*");
  memcpy(pattern + p.scheme.len, star.ptr, star.len);
  char *behind = pattern + p.scheme.len + star.len;
  for (size_t i = 1; i + 1 < p.host.len; i++) {
    if (p.host.ptr[i] != '.') continue;
    size_t len = p.host.len - i + p.port.len; /* the port stands right behind the host */
    memcpy(behind, p.host.ptr + i, len);
    if (has(list, (au_slice){pattern, (size_t)(behind - pattern) + len})) return true;
  }
  return false;
}

bool origins_allow(const origins *list, au_slice origin) {
  if (list->any) return true;
  /* The text of a pattern is no origin. */
  if (origin.len == 0 || origin.len > ORIGIN_MAX || memchr(origin.ptr, '*', origin.len))
    return false;
  return has(list, origin) || (list->has_stars && has_pattern_of(list, origin));
}
