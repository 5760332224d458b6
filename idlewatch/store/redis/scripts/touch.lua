-- Credit activity to a session of which it moves nothing but the next moment.
--
-- KEYS: the row. ARGV: prefix, watch id, now, moment of the activity.
-- Returns the row, nil where there is none. Any other session is left alone: Python decides what activity means there.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local HOUR = 3600000
local prefix, id, now, moment = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local value, row = fetch(KEYS[1])
if not row then
  return nil
end
if row.idle >= 0 and now < row.next_at and moment > row.active then
  local before = row.version
  row.active = moment
  row.version = math.max(row.version + 1, math.floor(now * 1000))
  local deadline = math.min(moment + row.idle, row.cap)
  row.next_at = deadline - row.warn
  value = keep(KEYS[1], row, row.ttl)
  local push, group = prefix .. 'due:push', prefix .. 'live:' .. GROUPS[row.group]
  -- It moves later: no timer has to be woken.
  local added = redis.call('ZADD', push, push_at(row, now), id) + redis.call('ZADD', group, deadline, id)
  if added > 0 or math.floor(row.version / HOUR) > math.floor(before / HOUR) then
    -- A list outlives its sessions by a day: once an hour is enough.
    for _, list in ipairs({push, group, prefix .. 'due:check'}) do
      outlive(list, row.ttl)
    end
  end
end
return value
