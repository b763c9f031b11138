/* A minute or an hour of one customer in AU_RECORD_BYTES: 22 bits each for the lowest and the
 * highest count and for the average, 24 for the mean, 6 for the number of parts. Pure arithmetic.
 *
 * Counts below 524,288 are exact, larger ones to within 4 in a million. Mean and average are
 * multiples of 1/1024 up to 1,024 and 256; above that they are exact to within 1 and 4 in a
 * million. */
#ifndef SERVICES_HISTORY_RECORD_H
#define SERVICES_HISTORY_RECORD_H

#include <active_users/history.h>

enum { RECORD_PARTS_MAX = 63 };

/* What is known of a stretch of time. */
typedef struct record {
  uint32_t
      parts; /* samples of a minute, minutes of an hour, at most RECORD_PARTS_MAX; 0: nothing */
  uint32_t min, max;
  double mean, ema; /* the average at its end */
} record;

void record_pack(const record *r, unsigned char out[AU_RECORD_BYTES]);
record record_unpack(const unsigned char bytes[AU_RECORD_BYTES]);

/* Adds a part that follows `r`: `weight` parts with the mean of `part`. */
void record_add(record *r, const record *part, uint32_t weight);

#endif
