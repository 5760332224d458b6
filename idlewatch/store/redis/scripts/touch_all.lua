-- Credit activity to many sessions of a process; see `credit`.
--
-- KEYS: the sessions of which the process has a tab open. ARGV: prefix, for each now and the moment of the activity as numbers of
-- eight bytes, then the watch ids.
-- Returns the places, from 0 on, of those that need more than that, or of which the process is not known to have a tab.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, moments, keys, left = ARGV[1], ARGV[2], {}, {}
for index = 3, #ARGV do
  keys[index - 2] = prefix .. 'watch:' .. ARGV[index]
end
local served, values = redis.call('SMISMEMBER', KEYS[1], unpack(ARGV, 3)), {}
for index, value in ipairs(redis.call('MGET', unpack(keys))) do
  values[keys[index]] = value
end
local at = 1
for place, key in ipairs(keys) do
  local now, moment
  now, moment, at = struct.unpack('<dd', moments, at)
  local is_done = credit(key, values[key] or value_of(key), ARGV[place + 2], now, moment)
  -- Another touch of the same session reads it again.
  values[key] = nil
  if not is_done or served[place] == 0 then
    left[#left + 1] = place - 1
  end
end
rank_moved(prefix)
return left
