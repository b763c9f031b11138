/* A whole server, by way of an HTTP connection: routes, admin paths, presence, upgrades. The first
 * byte says how the stream is cut; the lowest bit of the second, whether it comes from a trusted
 * proxy. The rest is the stream. */
#include "client.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static client c;
  static const char version[] = "HTTP/1.1 ";
  fuzz_input in = {data, size};
  uint8_t how = fuzz_byte(&in);
  client_open(&c, (fuzz_byte(&in) & 1) != 0);
  client_send(&c, how, in.at, in.left);
  if (c.heard_len > 0) {
    must(c.heard_len > sizeof version + 3 && memcmp(c.heard, version, sizeof version - 1) == 0);
    int status = atoi(c.heard + sizeof version - 1);
    must(status >= 100 && status <= 505 && status != 500);
  }
  client_close(&c);
  return 0;
}
