/* Turns a loop until something is true. */
#ifndef RUN_UNTIL_H
#define RUN_UNTIL_H

#include <uv.h>

/* Fails the test when it is not true within `patience_ms`; something of the loop must wake it. */
#define RUN_LOOP_UNTIL(loop, patience_ms, condition)                                          \
  do {                                                                                        \
    uint64_t begin_ = uv_hrtime();                                                            \
    while (!(condition)) {                                                                    \
      uv_run((loop), UV_RUN_ONCE);                                                            \
      if (uv_hrtime() - begin_ > (patience_ms)*1000000ull) fail_msg("never: %s", #condition); \
    }                                                                                         \
  } while (0)

#endif
