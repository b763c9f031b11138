/* Origins: the first line is the setting, the second what a browser sends. What is allowed by a
 * list stands in it, or is below a host of it. */
#include "fuzz.h"

#include "transports/access/origins.h"
#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  char *text = fuzz_text(&in), *rest = text;
  const char *setting = fuzz_cut(&rest, '\n');
  char *plain = fuzz_copy(setting, strlen(setting) + 1);
  au_slice origin = slice_of(rest ? rest : "");
  char problem[ORIGINS_PROBLEM_SIZE] = "";
  origins *list, *both;
  au_status status = origins_parse(plain, &list, problem);
  must(status == AU_OK || (status == AU_EINVAL && problem[0] != '\0'));
  if (status == AU_OK) {
    bool allowed = origins_allow(list, origin);
    must(!allowed || strchr(plain, '*') || (origin.len > 0 && strstr(plain, origin.ptr)));
    must(!origins_allow_any(list) || allowed || origin.len == 0);
    const origins *lists[] = {list, list};
    must(origins_unite(lists, 2, &both) == AU_OK);
    must(origins_allow(both, origin) == allowed);
    origins_free(both);
    origins_free(list);
  }
  free(plain);
  free(text);
  return 0;
}
