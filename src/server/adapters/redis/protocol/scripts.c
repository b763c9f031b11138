/* Lua texts.
 *
 * Values of presence keys may come from other programs: at most 16 KiB of one are read, decoding
 * is guarded, and a value that cannot be read has no holder. The index is changed before the key,
 * so that an index of the wrong type stops a script before it did half its work. */
#include "scripts.h"

/* A value that Redis refuses to read ends the script: its holder is not known then.
 *
 * Sets `held` to whether the tab ARGV[2] holds the session of KEYS[1], and has not renewed
 * it since ARGV[3]; or took it over from whoever holds it there, who has not renewed it since
 * ARGV[6]. And `since` to when the tab had it last, which may be "". */
#define HELD_BY_TAB                                                                  \
  "local v = redis.pcall('GETRANGE', KEYS[1], 0, 16384) "                            \
  "if type(v) == 'table' and not string.find(v.err, 'WRONGTYPE') then return v end " \
  "if v == '' and redis.call('EXISTS', KEYS[1]) == 0 then v = false end "            \
  "local held, since = false, ARGV[6] "                                              \
  "if type(v) == 'string' and #v <= 16384 then "                                     \
  "  local ok, d = pcall(cjson.decode, v) "                                          \
  "  if ok and type(d) == 'table' then "                                             \
  "    local at = tonumber(d.updatedAt) "                                            \
  "    if d.tabId == ARGV[2] then "                                                  \
  "      held = ARGV[3] == '' or (at or 0) <= tonumber(ARGV[3]) "                    \
  "      since = at or since "                                                       \
  "    else "                                                                        \
  "      held = at ~= nil and at <= (tonumber(ARGV[6]) or -1) "                      \
  "    end "                                                                         \
  "  end "                                                                           \
  "end "

const char REDIS_SCRIPT_LEAVE[] = HELD_BY_TAB
    "if v and not held then return 0 end "
    "local counted = redis.call('ZREM', KEYS[2], ARGV[1]) "
    "redis.call('DEL', KEYS[1]) "
    /* Nothing is noted of an unknown customer, unless its data may have been lost. */
    "if ARGV[3] == '' and not v and counted == 0 and redis.call('EXISTS', KEYS[2]) == 0 then "
    "  return 2 "
    "end "
    /* Last, and whatever becomes of it: leaving needs no memory. The newest 10,000
     * of a TTL, so that none of it takes long. */
    "redis.pcall('ZADD', KEYS[3], 'GT', ARGV[4], ARGV[1] .. ':' .. ARGV[2]) "
    /* Also buries writes of any tab older than this tab's last renewal; a newer one means that its
     * tab took the session over. */
    "if since ~= '' then redis.pcall('ZADD', KEYS[3], 'GT', since, ARGV[1]) end "
    "redis.pcall('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[4] - ARGV[5]) "
    "redis.pcall('ZREMRANGEBYRANK', KEYS[3], 0, -10001) "
    "redis.pcall('PEXPIRE', KEYS[3], ARGV[5]) "
    "if held then return 1 end "
    "return 2 + counted";

const char REDIS_SCRIPT_EXPEL[] =
    "local v = redis.pcall('GETRANGE', KEYS[1], 0, 16384) "
    "local counted = redis.call('ZREM', KEYS[2], ARGV[1]) "
    "local had = redis.call('DEL', KEYS[1]) "
    "if type(v) == 'string' and #v <= 16384 then "
    "  local ok, d = pcall(cjson.decode, v) "
    "  if ok and type(d) == 'table' and type(d.tabId) == 'string' then "
    "    redis.pcall('ZADD', KEYS[3], 'GT', ARGV[2], ARGV[1] .. ':' .. d.tabId) "
    "  end "
    "end "
    "redis.pcall('ZADD', KEYS[3], 'GT', ARGV[2], ARGV[1]) "
    "redis.pcall('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[2] - ARGV[3]) "
    "redis.pcall('ZREMRANGEBYRANK', KEYS[3], 0, -10001) "
    "redis.pcall('PEXPIRE', KEYS[3], ARGV[3]) "
    "return (had > 0 or counted > 0) and 1 or 0";

const char REDIS_SCRIPT_SHORTEN[] =
    HELD_BY_TAB "if not held then return 0 end "
                "local ttl = redis.call('PTTL', KEYS[1]) "
                "if ttl >= 0 and ttl <= tonumber(ARGV[4]) then return 0 end "
                "local score = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or '') "
                "if score then "
                "  local base = score >= 0 and 0 or score >= -1e15 and -1e15 or -2e15 "
                "  redis.call('ZADD', KEYS[2], 'XX', 'LT', ARGV[5] + base, ARGV[1]) "
                "end "
                "redis.call('PEXPIRE', KEYS[1], ARGV[4]) "
                "return 1";

/* The later renewal wins, with its deadline: it may have been shortened since. Of two at about the
 * same time, and beside a value of another program, the later deadline does. A session that is
 * there may be missing in the index: its ZADD was cut off. */
const char REDIS_SCRIPT_REPLAY[] =
    "local left = redis.pcall('ZSCORE', KEYS[3], ARGV[1] .. ':' .. ARGV[5]) "
    "if type(left) == 'string' and tonumber(left) > tonumber(ARGV[6]) then return 0 end "
    "local over = redis.pcall('ZSCORE', KEYS[3], ARGV[1]) "
    "if type(over) == 'string' and tonumber(over) > tonumber(ARGV[7]) then return 0 end "
    "local v, at, base = redis.pcall('GETRANGE', KEYS[1], 0, 16384), nil, 0 "
    "if type(v) == 'string' then "
    "  local ok, d = pcall(cjson.decode, v) "
    "  if ok and type(d) == 'table' then "
    "    at = tonumber(d.updatedAt) "
    "    base = d.bot == true and -1e15 or tonumber(d.pendingSince) and -2e15 or 0 "
    "  end "
    "end "
    "local ttl = redis.call('PTTL', KEYS[1]) "
    "if at and at > tonumber(ARGV[7]) then "
    "  if ttl > 0 then "
    "    redis.call('ZADD', KEYS[2], 'NX', ARGV[4] - ARGV[3] + ttl + base, ARGV[1]) "
    "  end "
    "  return 0 "
    "end "
    "if at and at < tonumber(ARGV[6]) then "
    "  redis.call('ZADD', KEYS[2], ARGV[4] + ARGV[8], ARGV[1]) "
    "else "
    "  redis.call('ZADD', KEYS[2], 'GT', ARGV[4] + ARGV[8], ARGV[1]) "
    "  if ttl > tonumber(ARGV[3]) then return 0 end "
    "end "
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) "
    "return 1";

const char REDIS_SCRIPT_RESTORE[] = "local ticked = redis.pcall('GETRANGE', KEYS[2], 0, 15) "
                                    "if type(ticked) == 'string' and (tonumber(ticked) or 0) >= "
                                    "tonumber(ARGV[2]) then return 0 end "
                                    "redis.call('SET', KEYS[1], ARGV[1]) "
                                    "redis.call('SET', KEYS[2], ARGV[2]) "
                                    "return 1";

/* Of each kind of visitor; what is below all of them is none, and has ended too. */
const char REDIS_SCRIPT_TRIM[] =
    "local left = tonumber(ARGV[2]) "
    "for kind, from in ipairs({'0', '-1000000000000000', '-inf'}) do "
    "  local now = ARGV[1] - (kind - 1) * 1e15 "
    "  local ended = math.min(redis.call('ZCOUNT', KEYS[1], from, now), left) "
    "  if ended > 0 then "
    "    local first = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. from) "
    "    redis.call('ZREMRANGEBYRANK', KEYS[1], first, first + ended - 1) "
    "  end "
    "  left = left - ended "
    "end "
    "return ARGV[2] - left";

/* A lease of an odd type, or without an end, counts as none. */
const char REDIS_SCRIPT_DUE[] =
    "local holder = redis.pcall('GETRANGE', KEYS[1], 0, 31) "
    "if type(holder) == 'string' and holder ~= ARGV[1] then "
    "  local left = redis.call('PTTL', KEYS[1]) "
    "  if left > 0 then return left end "
    "end "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) "
    "local due = "
    "  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[3], 'LIMIT', ARGV[4], ARGV[5]) "
    "for i, id in ipairs(due) do "
    "  if #id > 128 then "
    "    redis.call('ZREM', KEYS[2], id) "
    "    due[i] = '' "
    "  end "
    "end "
    "return due";

/* Compare and set: of all that sampled the same tick, one makes the next. What is no time
 * counts as none, here as in a sample. */
#define UNLESS_PASSED                                           \
  "local tick = redis.pcall('GETRANGE', KEYS[2], 0, 15) "       \
  "if type(tick) ~= 'string' or #tick > 15 or "                 \
  "   not string.find(tick, '^[1-9]%d*$') then tick = '0' end " \
  "if tick ~= ARGV[1] then return 0 end "

const char REDIS_SCRIPT_SAVE[] = UNLESS_PASSED "redis.call('SET', KEYS[2], ARGV[2]) "
                                               "redis.call('SET', KEYS[1], ARGV[3]) "
                                               "return 1";

const char REDIS_SCRIPT_EVICT[] =
    UNLESS_PASSED "local bots = string.format('(%.0f', ARGV[2] - 1e15) "
                  "if redis.call('ZCOUNT', KEYS[3], '(' .. ARGV[2], '+inf') > 0 "
                  "or redis.call('ZCOUNT', KEYS[3], bots, '(0') > 0 then return 2 end "
                  "redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3]) "
                  "return 1";

const char REDIS_SCRIPT_CLEAN[] =
    "local page, removed = redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])[2], 0 "
    "for i = 1, #page, 2 do "
    "  if #page[i] > 128 then removed = removed + redis.call('ZREM', KEYS[1], page[i]) end "
    "end "
    "return removed";

const char REDIS_SCRIPT_SPENT[] =
    "local totals = {} "
    "for i = 2, #ARGV, 2 do "
    "  totals[i - 1] = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) "
    "  totals[i] = tonumber(redis.call('HGET', KEYS[2], ARGV[i])) or 0 "
    "end "
    "redis.call('PEXPIRE', KEYS[1], ARGV[1]) "
    "return totals";

const char REDIS_SCRIPT_SHARE_PAGES[] =
    "for i = 1, 2 do "
    "  if ARGV[4] == '' then redis.call('HDEL', KEYS[i], ARGV[1]) "
    "  else "
    "    redis.call('HSET', KEYS[i], ARGV[1], ARGV[3] .. '\\n' .. ARGV[3 + i]) "
    "    redis.call('PEXPIRE', KEYS[i], ARGV[2]) "
    "  end "
    "end "
    "return 1";

const char REDIS_SCRIPT_DROP[] = "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end "
                                 "return redis.call('ZREM', KEYS[2], ARGV[1])";

/* Keys of history get their TTL when they begin. A peak that is none counts as absent. */
const char REDIS_SCRIPT_HISTORY[] =
    "for i = 1, 2 do "
    "  redis.call('SETRANGE', KEYS[i], ARGV[2 * i - 1], ARGV[2 * i]) "
    "  if redis.call('TTL', KEYS[i]) < 0 then redis.call('EXPIRE', KEYS[i], ARGV[4 + i]) end "
    "end "
    "if ARGV[10] == '0' then return 1 end "
    "local ever, today, day = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]) "
    "local kept = redis.pcall('GETRANGE', KEYS[3], 0, 63) "
    "local e, t, d "
    "if type(kept) == 'string' then e, t, d = string.match(kept, '^(%d+) (%d+) (%d+)$') end "
    "if e then "
    "  ever = math.max(ever, tonumber(e)) "
    "  if tonumber(d) == day then today = math.max(today, tonumber(t)) end "
    "  if tonumber(d) > day then today, day = tonumber(t), tonumber(d) end "
    "end "
    "redis.call('SET', KEYS[3], string.format('%d %d %d', ever, today, day), 'EX', ARGV[7]) "
    "return 1";
