/* Reads lists of addresses from the right. */
#include "forwarded.h"

#include <string.h>

#include "utils/buffer.h"

/* Takes the last part of a list off. A comma between quotes is none. */
static au_slice take_last(au_slice *list) {
  bool quoted = false;
  size_t at = list->len;
  while (at > 0 && (quoted || list->ptr[at - 1] != ',')) {
    at--;
    if (list->ptr[at] == '"') quoted = !quoted;
  }
  au_slice last = {list->ptr + at, list->len - at};
  list->len = at > 0 ? at - 1 : 0;
  return last;
}

/* `203.0.113.7`, or between quotes `[2001:db8::7]:51000`. No address needs a backslash. */
static bool parse_node(au_slice value, net_addr *out) {
  if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
    value = (au_slice){value.ptr + 1, value.len - 2};
  return net_parse_forwarded(value, out);
}

/* One element of Forwarded: pairs, by semicolons; exactly one of them is `for=`. */
static bool parse_element(au_slice element, net_addr *out) {
  bool found = false;
  au_slice pair;
  while (slice_next(&element, ';', &pair)) {
    pair = slice_trim(pair);
    const char *equals = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
    if (!equals) {
      if (pair.len > 0) return false;
      continue;
    }
    au_slice name = {pair.ptr, (size_t)(equals - pair.ptr)};
    if (!slice_eq_nocase(name, slice_of("for"))) continue;
    au_slice value = {equals + 1, pair.len - name.len - 1};
    if (found || !parse_node(value, out)) return false;
    found = true;
  }
  return found;
}

net_addr forwarded_client(net_addr peer, au_slice x_forwarded_for, au_slice forwarded,
                          const net_list *trusted) {
  bool is_x = x_forwarded_for.len > 0;
  au_slice list = is_x ? x_forwarded_for : forwarded;
  net_addr client = peer, addr;
  while (list.len > 0 && net_list_has(trusted, &client)) {
    au_slice part = take_last(&list);
    if (!(is_x ? net_parse_forwarded(part, &addr) : parse_element(part, &addr))) break;
    client = addr;
  }
  return client;
}
