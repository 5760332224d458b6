-- Keep a sample of how many sessions are live, unless there is a recent one.
--
-- KEYS: the samples, the number of ends since the latest, the groups. ARGV: now, seconds between samples, seconds to keep one.
-- A sample is four numbers: when, active, warned, ended; its score is when.
-- Returns it; nil where there was one.

local now, every, keep = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
-- The clock was set back: samples of the future must not hold up those that follow.
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.17g', now + every), '+inf')
local latest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if latest[2] and now < tonumber(latest[2]) + every then
  return nil
end
local sizes = {}
for index = 3, #KEYS do
  sizes[#sizes + 1] = redis.call('ZCARD', KEYS[index])
end
local ended = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
redis.call('DEL', KEYS[2])
local sample = struct.pack('<dddd', now, sizes[3] + sizes[4], sizes[1] + sizes[2], ended)
redis.call('ZADD', KEYS[1], ARGV[1], sample)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.17g', now - keep))
redis.call('PEXPIRE', KEYS[1], math.ceil(keep * 1000))
return sample
