local HOUR = 3600000

-- Credit activity to a session of which it moves nothing but the next moment.
--
-- Returns the row as it is then, nil where there is none, and whether that is all: any other session is left alone, as Python
-- decides what activity means there.
local function credit(prefix, id, now, moment)
  local key = prefix .. 'watch:' .. id
  local value, row = fetch(key)
  if not row or row.idle < 0 or now >= row.next_at then
    return value, false
  end
  if moment <= row.active then
    return value, true
  end
  local before = row.version
  row.active = moment
  row.version = math.max(row.version + 1, math.floor(now * 1000))
  local deadline = math.min(moment + row.idle, row.cap)
  row.next_at = deadline - row.warn
  -- What a row begins with; see `FORMAT`.
  local moved = struct.pack('<ddd', row.version, row.active, row.next_at)
  redis.call('SETRANGE', key, 0, moved)
  local push, group = prefix .. 'due:push', prefix .. 'live:' .. GROUPS[row.group]
  -- It moves later: no timer has to be woken.
  local added = redis.call('ZADD', push, push_at(row, now), id) + redis.call('ZADD', group, deadline, id)
  if added > 0 or math.floor(row.version / HOUR) > math.floor(before / HOUR) then
    -- A row and a list outlive their sessions by a day: once an hour is enough.
    for _, each in ipairs({key, push, group, prefix .. 'due:check'}) do
      outlive(each, row.ttl)
    end
  end
  return moved .. string.sub(value, #moved + 1), true
end
