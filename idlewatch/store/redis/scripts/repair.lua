-- Put sessions back on the lists from which they are missing: Redis may have evicted a whole list.
--
-- KEYS: the rows. ARGV: prefix, sender, now, and for each row: watch id, version read, its deadline.
-- Returns how many were put back.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, sender, now = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function is_missing(list, id)
  return not redis.call('ZSCORE', prefix .. list, id)
end

local function repair(id, row, deadline)
  local is_repaired = false
  if push_at(row, now) and is_missing('due:push', id) then
    put_push(prefix, id, row, now)
    is_repaired = true
  end
  if row.ended == 0 and is_missing('due:check', id) then
    put(prefix, 'check', id, math.max(row.check_at, now), row.ttl)
    is_repaired = true
  end
  if row.ended == 1 and row.recorded == 0 and is_missing('due:record', id) then
    put(prefix, 'record', id, now, row.ttl)
    is_repaired = true
  end
  if row.group > 0 and is_missing('live:' .. GROUPS[row.group], id) then
    rank(prefix, id, row, deadline)
    is_repaired = true
  end
  return is_repaired
end

local repaired = 0
for index, key in ipairs(KEYS) do
  local place = 4 + (index - 1) * 3
  local _, row = fetch(key)
  if row and row.version == tonumber(ARGV[place + 1]) and repair(ARGV[place], row, tonumber(ARGV[place + 2])) then
    repaired = repaired + 1
  end
end
flush(prefix, sender)
return repaired
