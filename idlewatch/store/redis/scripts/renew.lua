-- Register a process as live.
--
-- KEYS: the processes, those being removed, when each was last seen, the epoch, the sessions it serves.
-- ARGV: process, now, seconds of lease, seconds for which one process is given to resume the records into a new store,
-- seconds to keep these keys.
-- Returns whether the process was known (not where it is new, or its lease lapsed and its removal is not done), whether
-- it is to resume, and since when the store is what it is.

local process, now, lease, patience, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local known = 0
if not redis.call('ZSCORE', KEYS[2], process) then
  known = redis.call('ZSCORE', KEYS[1], process) and 1 or 0
  redis.call('ZADD', KEYS[1], now + lease, process)
end
redis.call('ZADD', KEYS[3], now, process)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ttl)

local epoch = redis.call('HMGET', KEYS[4], 'created_at', 'until', 'resumed')
local created_at, resume = epoch[1], 0
if not tonumber(created_at) then
  created_at, resume = ARGV[2], 1
  -- A process that resumed the store that was lost may have marked it here meanwhile.
  redis.call('DEL', KEYS[4])
  redis.call('HSET', KEYS[4], 'created_at', created_at)
elseif not epoch[3] and (tonumber(epoch[2]) or 0) <= now then
  resume = 1
end
if resume == 1 then
  redis.call('HSET', KEYS[4], 'until', now + patience)
end
for _, key in ipairs(KEYS) do
  redis.call('EXPIRE', key, ttl)
end
return {known, resume, created_at}
