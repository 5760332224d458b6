local HOUR = 3600000

-- Credit activity to a session of which it moves nothing but the next moment.
--
-- Returns the row as it is then, nil where there is none, and whether that is all: any other session is left alone, as Python
-- decides what activity means there.
local function credit(prefix, id, now, moment)
  local key = prefix .. 'watch:' .. id
  local value = value_of(key)
  if not value then
    return nil, false
  end
  local version, active, next_at, idle, cap, warn, lease, claimed, settled, ttl, _, _, _, _, _, group = numbers(value)
  if not version then
    return nil, false
  end
  if idle < 0 or now >= next_at then
    return value, false
  end
  if moment <= active then
    return value, true
  end
  local hour = math.floor(version / HOUR)
  active, version = moment, math.max(version + 1, math.floor(now * 1000))
  local deadline = math.min(active + idle, cap)
  next_at = deadline - warn
  local at = next_at
  if settled > 0 or now < lease then
    at = push_at({next_at = next_at, lease = lease, claimed = claimed, settled = settled}, now)
  end
  -- What a row begins with; see `FORMAT`.
  local moved = struct.pack('<ddd', version, active, next_at)
  redis.call('SETRANGE', key, 0, moved)
  local push, live = prefix .. 'due:push', prefix .. 'live:' .. GROUPS[group]
  -- It moves later: no timer has to be woken.
  local added = redis.call('ZADD', push, at, id) + redis.call('ZADD', live, deadline, id)
  if added > 0 or math.floor(version / HOUR) > hour then
    -- A row and a list outlive their sessions by a day: once an hour is enough.
    for _, each in ipairs({key, push, live, prefix .. 'due:check'}) do
      outlive(each, ttl)
    end
  end
  return moved .. string.sub(value, #moved + 1), true
end
