/* The sentence for each status. Knows nothing of HTTP codes or of who reads it. */
#include <active_users/types.h>

const char *au_status_text(au_status status) {
  static const char *const texts[] = {
      [AU_OK] = "ok",
      [AU_EINVAL] = "the input is not valid",
      [AU_ENOMEM] = "out of memory",
      [AU_EBUSY] = "too many operations in flight",
      [AU_EFULL] = "a table is full",
      [AU_ESTORE] = "the store is not available",
      [AU_ETIMEDOUT] = "the store did not answer in time",
      [AU_ECANCELED] = "the server is stopping",
      [AU_ELISTEN] = "an address could not be bound",
      [AU_ECONFLICT] = "another daemon did it first",
      [AU_ELIMIT] = "the address has too many sessions",
  };
  size_t at = (size_t)status;
  if (at >= sizeof texts / sizeof texts[0] || !texts[at]) return "an unknown status";
  return texts[at];
}
