/* Turns a sample of the store into the metrics that clients receive. */
#ifndef SERVICES_METRICS_H
#define SERVICES_METRICS_H

#include <active_users/store.h>

#include "utils/time.h"

/* Metrics as of now, with the average of the last tick; before the first one it reads as the
 * count. The id is borrowed. */
static inline au_metrics metrics_of(const au_clock *clock, au_slice customer_id,
                                    const au_sample *sample) {
  return (au_metrics){
      .customer_id = customer_id,
      .timestamp_ms = clock_wall_ms(clock),
      .count = sample->count,
      .bots = sample->bots,
      .ema = sample->has_ema ? sample->ema : sample->count,
      .stale = sample->stale,
  };
}

#endif
