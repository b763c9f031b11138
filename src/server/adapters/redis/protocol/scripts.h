/* The Lua that Redis runs for what must happen in one piece. Sent as text with EVAL:
 * Redis caches it by its hash, and SCRIPT FLUSH or a failover changes nothing. */
#ifndef ADAPTERS_REDIS_SCRIPTS_H
#define ADAPTERS_REDIS_SCRIPTS_H

/* Sessions that one run of REDIS_SCRIPT_TRIM takes at most. */
enum { REDIS_TRIM_MAX = 500 };

/* What REDIS_SCRIPT_LEAVE answers. */
enum {
  REDIS_LEAVE_OTHER = 0,   /* another tab holds it: nothing changed */
  REDIS_LEAVE_ENDED = 1,   /* it was live and is gone now */
  REDIS_LEAVE_GONE = 2,    /* there was no such session */
  REDIS_LEAVE_DROPPED = 3, /* the key was gone, the index still counted it */
};

/* `until` below: a session that was renewed after that time of Redis's clock is left alone;
 * "" when it does not matter. `held`: when the tab had the session last while Redis was lost;
 * a holder in Redis that has not renewed it since was taken over. "": none. */

/* KEYS presence, index, left; ARGV session, tab, until, when it left, TTL in ms, held. Ends a
 * session if the tab holds it, and notes that for a TTL: a daemon that was cut off meanwhile may
 * come to replay it. */
extern const char REDIS_SCRIPT_LEAVE[];
/* KEYS presence, index, left; ARGV session, now, TTL in ms. Ends a session whoever holds it, and
 * notes that as a leave: 1 if there was one, else 0. */
extern const char REDIS_SCRIPT_EXPEL[];
/* KEYS presence, index; ARGV session, tab, until, grace in ms, deadline, held. Brings both ends
 * of a session forward if the tab holds it and it would live longer: 1, else 0. */
extern const char REDIS_SCRIPT_SHORTEN[];
/* KEYS presence, index, left; ARGV session, value, left in ms, deadline, tab, until, over, and
 * what makes a score of the deadline (index_score.h).
 * Writes a session again unless it was renewed there after `over`, or at about the same time
 * (not before `until`) and lives longer, or this tab has left after `until`, or any tab that had
 * it later has, after `over`: 1, else 0. Of a leave and a touch of a tab at about the same time
 * the leave wins; of two tabs the touch. */
extern const char REDIS_SCRIPT_REPLAY[];
/* KEYS ema, tick; ARGV ema, time of its tick. Sets both unless a younger tick is there: 1,
 * else 0. */
extern const char REDIS_SCRIPT_RESTORE[];
/* KEYS index; ARGV now, REDIS_TRIM_MAX. Takes ended sessions off, people first; how many. */
extern const char REDIS_SCRIPT_TRIM[];

/* KEYS lease, customers; ARGV name, lease in ms, last tick, skip, max. Takes the lease or
 * keeps it, and lists who is due; an integer when another name holds it: ms until it ends. What
 * is too long to be an id is taken off, and "" is listed instead. */
extern const char REDIS_SCRIPT_DUE[];

/* What REDIS_SCRIPT_SAVE and REDIS_SCRIPT_EVICT answer. */
enum {
  REDIS_TICK_PASSED = 0, /* there was another tick since: nothing changed */
  REDIS_TICK_DONE = 1,
  REDIS_TICK_LIVE = 2, /* EVICT: a session is live, nothing changed */
};

/* KEYS ema, tick; ARGV the last tick as sampled ("0": none), this one, the average. */
extern const char REDIS_SCRIPT_SAVE[];
/* KEYS ema, tick, index; ARGV the last tick as sampled, now. Drops all three of a customer
 * that has no live session, of people or bots: one that is pending comes back with its next sign
 * of life. */
extern const char REDIS_SCRIPT_EVICT[];

/* KEYS index or customers; ARGV cursor, count. Takes members off a page of ZSCAN that are too long
 * to be ids; how many. They need not be sent for that, neither way. */
extern const char REDIS_SCRIPT_CLEAN[];

/* KEYS spent in this minute, in the one before; ARGV TTL in ms, then pairs of a budget and what was
 * spent of it. Answers with both totals of each, one behind the other. */
extern const char REDIS_SCRIPT_SPENT[];

/* KEYS visible, pages; ARGV daemon, TTL in ms, now, totals, rows. Sets what a daemon shares of
 * a customer, with the time; empty totals take it away: 1. */
extern const char REDIS_SCRIPT_SHARE_PAGES[];

/* KEYS presence, index; ARGV session. Takes a session off whose key is gone: 1, else 0. */
extern const char REDIS_SCRIPT_DROP[];

/* KEYS minutes, hours, peak; ARGV place and bytes of the minute, of the hour, TTLs of the three
 * keys in seconds, peak, peak of the day, day ("0": the peaks are as they were). Keeps the records,
 * and the higher peaks: 1. */
extern const char REDIS_SCRIPT_HISTORY[];

#endif
