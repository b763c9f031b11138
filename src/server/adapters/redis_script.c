/* Lua texts. Must not know who sends them.
 *
 * Values of presence keys may come from other programs: GET and decode are guarded, and
 * what cannot be read is held by nobody. The index is changed before the key, so that an
 * index of the wrong type stops a script before it did half its work. */
#include "redis_script.h"

/* Sets `held` to whether the tab ARGV[2] holds the session of KEYS[1], and has not renewed
 * it since ARGV[3]; or took it over from whoever holds it there, who has not renewed it since
 * ARGV[6]. And `since` to when the tab had it last, which may be "". */
#define HELD_BY_TAB                                               \
  "local v = redis.pcall('GET', KEYS[1]) "                        \
  "local held, since = false, ARGV[6] "                           \
  "if type(v) == 'string' then "                                  \
  "  local ok, d = pcall(cjson.decode, v) "                       \
  "  if ok and type(d) == 'table' then "                          \
  "    local at = tonumber(d.updatedAt) "                         \
  "    if d.tabId == ARGV[2] then "                               \
  "      held = ARGV[3] == '' or (at or 0) <= tonumber(ARGV[3]) " \
  "      since = at or since "                                    \
  "    else "                                                     \
  "      held = at ~= nil and at <= (tonumber(ARGV[6]) or -1) "   \
  "    end "                                                      \
  "  end "                                                        \
  "end "

const char REDIS_SCRIPT_LEAVE[] = HELD_BY_TAB
    "if v and not held then return 0 end "
    "local counted = redis.call('ZREM', KEYS[2], ARGV[1]) "
    "redis.call('DEL', KEYS[1]) "
    /* Of a customer that nobody knows nothing is noted, unless it may have been lost. */
    "if ARGV[3] == '' and not v and counted == 0 and redis.call('EXISTS', KEYS[2]) == 0 then "
    "  return 2 "
    "end "
    /* Last, and whatever becomes of it: leaving needs no memory. The newest 10,000
     * of a TTL, so that none of it takes long. */
    "redis.pcall('ZADD', KEYS[3], 'GT', ARGV[4], ARGV[1] .. ':' .. ARGV[2]) "
    /* What any tab did before this one had the session last is over as well; what one did
     * since then it did when it took it over. */
    "if since ~= '' then redis.pcall('ZADD', KEYS[3], 'GT', since, ARGV[1]) end "
    "redis.pcall('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[4] - ARGV[5]) "
    "redis.pcall('ZREMRANGEBYRANK', KEYS[3], 0, -10001) "
    "redis.pcall('PEXPIRE', KEYS[3], ARGV[5]) "
    "if held then return 1 end "
    "return 2 + counted";

const char REDIS_SCRIPT_SHORTEN[] =
    HELD_BY_TAB "if not held then return 0 end "
                "local ttl = redis.call('PTTL', KEYS[1]) "
                "if ttl >= 0 and ttl <= tonumber(ARGV[4]) then return 0 end "
                "redis.call('ZADD', KEYS[2], 'XX', 'LT', ARGV[5], ARGV[1]) "
                "redis.call('PEXPIRE', KEYS[1], ARGV[4]) "
                "return 1";

/* A session that is there may be missing in the index: its ZADD was cut off. */
const char REDIS_SCRIPT_REPLAY[] =
    "local left = redis.pcall('ZSCORE', KEYS[3], ARGV[1] .. ':' .. ARGV[5]) "
    "if type(left) == 'string' and tonumber(left) > tonumber(ARGV[6]) then return 0 end "
    "local over = redis.pcall('ZSCORE', KEYS[3], ARGV[1]) "
    "if type(over) == 'string' and tonumber(over) > tonumber(ARGV[7]) then return 0 end "
    "redis.call('ZADD', KEYS[2], 'GT', ARGV[4], ARGV[1]) "
    "if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then return 0 end "
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) "
    "return 1";

const char REDIS_SCRIPT_RESTORE[] = "local ticked = redis.pcall('GET', KEYS[2]) "
                                    "if type(ticked) == 'string' and (tonumber(ticked) or 0) >= "
                                    "tonumber(ARGV[2]) then return 0 end "
                                    "redis.call('SET', KEYS[1], ARGV[1]) "
                                    "redis.call('SET', KEYS[2], ARGV[2]) "
                                    "return 1";

const char REDIS_SCRIPT_TRIM[] =
    "local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2]) "
    "if #ended > 0 then redis.call('ZREM', KEYS[1], unpack(ended)) end "
    "return #ended";

/* A lease of an odd type, or one that would never end, is nobody's. */
const char REDIS_SCRIPT_DUE[] =
    "local holder = redis.pcall('GET', KEYS[1]) "
    "if type(holder) == 'string' and holder ~= ARGV[1] then "
    "  local left = redis.call('PTTL', KEYS[1]) "
    "  if left > 0 then return left end "
    "end "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) "
    "return redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[3], 'LIMIT', ARGV[4], ARGV[5])";

/* Compare and set: of all that sampled the same tick, one makes the next. What is no time
 * counts as none, here as in a sample. */
#define UNLESS_PASSED                                           \
  "local tick = redis.pcall('GET', KEYS[2]) "                   \
  "if type(tick) ~= 'string' or #tick > 15 or "                 \
  "   not string.find(tick, '^[1-9]%d*$') then tick = '0' end " \
  "if tick ~= ARGV[1] then return 0 end "

const char REDIS_SCRIPT_SAVE[] = UNLESS_PASSED "redis.call('SET', KEYS[2], ARGV[2]) "
                                               "redis.call('SET', KEYS[1], ARGV[3]) "
                                               "return 1";

const char REDIS_SCRIPT_FORGET[] =
    UNLESS_PASSED "if redis.call('ZCOUNT', KEYS[3], '(' .. ARGV[2], '+inf') > 0 then return 2 end "
                  "redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3]) "
                  "return 1";

const char REDIS_SCRIPT_DROP[] = "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end "
                                 "return redis.call('ZREM', KEYS[2], ARGV[1])";
