/* Prints the Date header. */
#include "http_date.h"

#include <string.h>
#include <time.h>

const char *http_date_line(http_date *d, int64_t wall_ms) {
  static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int64_t second = wall_ms / 1000;
  if (second == d->second) return d->line;
  time_t t = (time_t)second;
  struct tm tm;
  gmtime_r(&t, &tm);
  if (strftime(d->line, sizeof d->line, "Date: ---, %d --- %Y %H:%M:%S GMT\r\n", &tm) == 0)
    return "";
  memcpy(d->line + 6, days[tm.tm_wday], 3); /* names by hand: strftime's depend on the locale */
  memcpy(d->line + 14, months[tm.tm_mon], 3);
  d->second = second;
  return d->line;
}
