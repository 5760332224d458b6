-- Put off what the clock ends, or note how far the resuming of the records has come.
--
-- KEYS: the epoch. ARGV: 'reporting' (a process still reports), 'resuming' or 'resumed'; until when nothing is to be settled, for
-- 'resuming' until when this process is given to go on; when the store was created, as the process knows it.
-- Returns until when nothing may be settled ('': until it was resumed); nil where it is not the same store any more.

local what, moment = ARGV[1], ARGV[2]
local epoch = redis.call('HMGET', KEYS[1], 'created_at', 'settle_after')
if not epoch[1] or tonumber(epoch[1]) ~= tonumber(ARGV[3]) then
  return false
end
local settle_after = epoch[2]
if what == 'resuming' then
  redis.call('HSET', KEYS[1], 'resuming_until', moment)
elseif what == 'resumed' or settle_after then
  if not settle_after or tonumber(settle_after) < tonumber(moment) then
    settle_after = moment
    redis.call('HSET', KEYS[1], 'settle_after', settle_after)
  end
end
return settle_after or ''
