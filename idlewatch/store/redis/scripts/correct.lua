-- Correct the time, unless another process has.
--
-- KEYS: the correction. ARGV: the correction that was read, the one to be, seconds to keep it.
-- Returns whether it did.

if (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) == tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return 1
end
return 0
