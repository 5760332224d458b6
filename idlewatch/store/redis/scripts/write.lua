-- Replace the facts of sessions: each is a compare-and-set by itself; see `change`.
--
-- KEYS: what is due for a push. ARGV: prefix, sender, mode, and in MessagePack, which takes less than an argument each, for each session:
-- its id, now, version read, its deadline, the token of a reservation or '', and for each process of which it changes whether it has
-- tabs of it open: its name, then 'in' or 'out'. Then the new rows, without lease.
-- Returns when the first push, record and check are due (-1: none is), then for each whether it was done (-1: it was held back), and
-- the row (nil: there is none; '': it is the new one).

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, sender, mode, writes = ARGV[1], ARGV[2], ARGV[3], cmsgpack.unpack(ARGV[4])
local keys, reservations = {}, {}
for index, write in ipairs(writes) do
  keys[index], reservations[index] = prefix .. 'watch:' .. write[1], prefix .. 'turn:' .. write[1]
end
local values = redis.call('MGET', unpack(keys))
reservations = redis.call('MGET', unpack(reservations))

local served = {SADD = {}, SREM = {}}
local function note_served(command, process, id, ttl)
  local list = prefix .. 'served:' .. process
  local ids = served[command][list] or {}
  ids[#ids + 1] = id
  served[command][list] = ids
  if command == 'SADD' then
    outlast(list, ttl)
  end
end

-- Return the earlier of two moments; -1 is none.
local function earlier(one, other)
  return (one < 0 or other >= 0 and other < one) and other or one
end

local push_first, record_first, check_first, answer = -1, -1, -1, {}
for index, key in ipairs(keys) do
  local id, now, version, deadline, token, names = unpack(writes[index])
  local new = ARGV[4 + index]
  local done, value, push_due, record_due, check_due =
    change(prefix, now, mode, key, values[index], reservations[index], id, version, new, deadline, token)
  if done == 1 then
    for name = 1, #names, 2 do
      note_served(names[name + 1] == 'in' and 'SADD' or 'SREM', names[name], id, read(new).ttl)
    end
  end
  push_first, record_first = earlier(push_first, push_due), earlier(record_first, record_due)
  check_first = earlier(check_first, check_due)
  answer[2 * index - 1], answer[2 * index] = done, value or false
end
for command, lists in pairs(served) do
  for list, ids in pairs(lists) do
    redis.call(command, list, unpack(ids))
  end
end
flush(prefix, sender)
return {
  string.format('%.17g', push_first), string.format('%.17g', record_first), string.format('%.17g', check_first), unpack(answer),
}
