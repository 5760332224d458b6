-- Return the time that all processes go by.
--
-- KEYS: the correction, when each process was last seen. ARGV: process, seconds to keep the correction.
-- Returns now, the correction, and when another process gave its last sign of life ('': there is none).

local time = redis.call('TIME')
local correction = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
redis.call('EXPIRE', KEYS[1], ARGV[2])
local others = ''
local seen = redis.call('ZREVRANGE', KEYS[2], 0, 1, 'WITHSCORES')
for index = 1, #seen, 2 do
  if seen[index] ~= ARGV[1] and others == '' then
    others = seen[index + 1]
  end
end
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000 + correction
return {string.format('%.17g', now), string.format('%.17g', correction), others}
