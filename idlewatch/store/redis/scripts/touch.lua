-- Credit activity to a session of which it moves nothing but the next moment.
--
-- KEYS: the row. ARGV: prefix, watch id, now, moment of the activity.
-- Returns the row, nil where there is none. Any other session is left alone: Python decides what activity means there.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, id, now, moment = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local value, row = fetch(KEYS[1])
if not row then
  return nil
end
if row.idle >= 0 and now < row.next_at and moment > row.active then
  row.active = moment
  row.version = math.max(row.version + 1, math.floor(now * 1000))
  local deadline = math.min(moment + row.idle, row.cap)
  row.next_at = deadline - row.warn
  value = keep(KEYS[1], row, row.ttl)
  -- It moves later: no timer has to be woken.
  redis.call('ZADD', prefix .. 'due:push', push_at(row, now), id)
  rank(prefix, id, row, deadline)
  for _, kind in ipairs({'push', 'check'}) do
    outlive(prefix .. 'due:' .. kind, row.ttl)
  end
end
return value
