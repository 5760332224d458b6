-- Keep sessions that go on from their records, each unless there is a row of it: what `change` does for a new row, for many.
--
-- KEYS: what is due for a push. ARGV: prefix, sender, and in MessagePack for each session: its id, its row, milliseconds to keep that,
-- when a push is due, the place of its group, its deadline, when it is to be checked.
-- Returns when the first push and check of the new ones are due (-1: none is new), and the places of those that have a row.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, sessions, keys = ARGV[1], cmsgpack.unpack(ARGV[3]), {}
for index, session in ipairs(sessions) do
  keys[index] = prefix .. 'watch:' .. session[1]
end
local ids, pushes, checks, ranks, known, longest, push_first, check_first = {}, {}, {}, {}, {}, 0, math.huge, math.huge
for index, value in ipairs(redis.call('MGET', unpack(keys))) do
  if value and numbers(value) then
    known[#known + 1] = index
  else
    local id, row, ttl, push_due, group, deadline, check_due = unpack(sessions[index])
    redis.call('SET', keys[index], row, 'PX', ttl)
    local ranked = ranks[group] or {}
    ranks[group] = ranked
    local place, next_rank = 2 * #ids, #ranked
    ids[#ids + 1] = id
    pushes[place + 1], pushes[place + 2] = push_due, id
    checks[place + 1], checks[place + 2] = check_due, id
    ranked[next_rank + 1], ranked[next_rank + 2] = deadline, id
    longest, push_first, check_first = math.max(longest, ttl), math.min(push_first, push_due), math.min(check_first, check_due)
  end
end
if #ids == 0 then
  return {'-1', '-1', unpack(known)}
end
local function join(list, entries)
  redis.call('ZADD', list, unpack(entries))
  outlive(list, longest / 1000)
end
-- A row that was evicted leaves its places behind.
for _, name in ipairs(GROUPS) do
  redis.call('ZREM', prefix .. 'live:' .. name, unpack(ids))
end
for group, entries in pairs(ranks) do
  join(prefix .. 'live:' .. GROUPS[group], entries)
end
sooner.push, sooner.check = push_first, check_first
flush(prefix, ARGV[2])
join(prefix .. 'due:push', pushes)
join(prefix .. 'due:check', checks)
return {string.format('%.17g', push_first), string.format('%.17g', check_first), unpack(known)}
