/* Whether a session counts: decided at each sign of life, from what came before it. */
#ifndef ADAPTERS_VISITOR_H
#define ADAPTERS_VISITOR_H

#include <active_users/types.h>

/* Sets what the session of `beat` counts as from now on. A bot is one at once, and so is no longer
 * one a person, who then waits for a second sign of life like anybody who is new.
 *
 * before          the live session as it was stored; NULL: there was none
 * since_ms        from its last sign of life to this one
 * count_after_ms  as in au_config */
static inline void visitor_judge(au_beat *beat, const au_beat *before, int64_t since_ms,
                                 int64_t count_after_ms) {
  au_visitor was = before ? before->visitor : AU_VISITOR_BOT;
  bool waits = count_after_ms > 0 && was != AU_VISITOR_PERSON;
  beat->pending_ms = 0;
  if (beat->visitor == AU_VISITOR_BOT) return;
  if (waits && was == AU_VISITOR_PENDING) beat->pending_ms = before->pending_ms + since_ms;
  beat->visitor =
      waits && beat->pending_ms < count_after_ms ? AU_VISITOR_PENDING : AU_VISITOR_PERSON;
  if (beat->visitor == AU_VISITOR_PERSON) beat->pending_ms = 0;
}

#endif
