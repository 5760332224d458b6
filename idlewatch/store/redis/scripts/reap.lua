-- Find the processes whose lease lapsed, and lease their removal.
--
-- KEYS: the processes, those being removed. ARGV: now, seconds of lease, prefix.
-- Returns them; none while the clock may end nothing, since taking tabs back judges their sessions. A process that comes back before
-- its removal is done has to report its tabs again.

local now, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
if is_holding_back(ARGV[3], now) then
  return {}
end
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  dead[#dead + 1] = process
end
for _, process in ipairs(dead) do
  redis.call('ZREM', KEYS[1], process)
  redis.call('ZADD', KEYS[2], now + lease, process)
end
if #dead > 0 then
  redis.call('PEXPIRE', KEYS[2], 86400000)
end
return dead
