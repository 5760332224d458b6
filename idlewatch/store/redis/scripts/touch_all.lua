-- Credit activity to many sessions of a process; see `credit`.
--
-- KEYS: the sessions of which the process has a tab open. ARGV: prefix, for each now and the moment of the activity as numbers of
-- eight bytes, then the watch ids.
-- Returns the places, from 0 on, of those that need more than that, or of which the process is not known to have a tab.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, moments, left = ARGV[1], ARGV[2], {}
local served = redis.call('SMISMEMBER', KEYS[1], unpack(ARGV, 3))
local at = 1
for place, is_served in ipairs(served) do
  local now, moment
  now, moment, at = struct.unpack('<dd', moments, at)
  local _, is_done = credit(prefix, ARGV[place + 2], now, moment)
  if not is_done or is_served == 0 then
    left[#left + 1] = place - 1
  end
end
return left
