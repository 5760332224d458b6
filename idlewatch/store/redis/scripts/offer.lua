-- Offer parts of the records, for all processes to resume.
--
-- KEYS: the epoch. ARGV: prefix, when the store was created, the process that offers them, 1 if these are its first, seconds to keep
-- them, the parts.
-- Returns nothing; it does nothing where it is not the same store any more.

local created_at = redis.call('HGET', KEYS[1], 'created_at')
if not created_at or tonumber(created_at) ~= tonumber(ARGV[2]) then
  return false
end
local list = ARGV[1] .. 'parts:' .. ARGV[3]
redis.call('HSET', KEYS[1], 'sharer', ARGV[3])
if ARGV[4] == '1' then
  redis.call('DEL', list)
end
for place = 6, #ARGV do
  redis.call('ZADD', list, 'NX', 0, ARGV[place])
end
redis.call('EXPIRE', list, ARGV[5])
return false
