local HOUR = 3600000

-- The places in the groups of those that were credited, collected: `rank_moved` writes them by one command for each group.
local moved, longest, is_new_hour = {}, 0, false

-- Credit activity to a session of which it moves nothing but the next moment; `value` is that of its key, false where there is none.
--
-- The moment in the queue stays: it is not later than the row's, and `claim` puts right what has moved when it comes up.
-- Returns whether that is all, nil where there is no row, and what the row begins with then, nil where it stays: any other session
-- is left alone, as Python decides what activity means there.
local function credit(key, value, id, now, moment)
  if not value then
    return nil
  end
  local version, active, next_at, idle, cap, warn, _, _, _, ttl, _, _, _, _, _, group = numbers(value)
  if not version then
    return nil
  end
  if idle < 0 or now >= next_at then
    return false
  end
  if moment <= active then
    return true
  end
  local hour = math.floor(version / HOUR)
  version = math.max(version + 1, math.floor(now * 1000))
  local deadline = math.min(moment + idle, cap)
  -- What a row begins with; see `FORMAT`.
  local start = struct.pack('<ddd', version, moment, deadline - warn)
  redis.call('SETRANGE', key, 0, start)
  local places = moved[group] or {}
  moved[group] = places
  places[#places + 1] = deadline
  places[#places + 1] = id
  longest = math.max(longest, ttl)
  if math.floor(version / HOUR) > hour then
    -- A row and a list outlive their sessions by a day: once an hour is enough.
    outlive(key, ttl)
    is_new_hour = true
  end
  return true, start
end

-- Write the collected places.
local function rank_moved(prefix)
  for group, places in pairs(moved) do
    local list = prefix .. 'live:' .. GROUPS[group]
    if redis.call('ZADD', list, unpack(places)) > 0 or is_new_hour then
      outlive(list, longest)
    end
  end
  if is_new_hour then
    outlive(prefix .. 'due:push', longest)
    outlive(prefix .. 'due:check', longest)
  end
end
