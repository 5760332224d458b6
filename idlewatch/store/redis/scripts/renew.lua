-- Note that a process lives, and tell the time.
--
-- KEYS: the processes, those being buried. ARGV: prefix, process, now, seconds of lease.
-- Returns whether it was known: not where it is new, or was taken for dead, for as long as it is being buried.

local now, lease = tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('ZSCORE', KEYS[2], ARGV[2]) then
  return 0
end
local known = redis.call('ZSCORE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[1], now + lease, ARGV[2])
redis.call('PEXPIRE', KEYS[1], 86400000)
return known and 1 or 0
