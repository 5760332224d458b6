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

local first, answer = {push = -1, record = -1, check = -1}, {}
for index, key in ipairs(keys) do
  local id, now, version, deadline, token, names = unpack(writes[index])
  local new = ARGV[4 + index]
  local done, value, due, is_held_back =
    change(prefix, now, mode, key, values[index], reservations[index], id, version, new, deadline, token)
  if done then
    for name = 1, #names, 2 do
      note_served(names[name + 1] == 'in' and 'SADD' or 'SREM', names[name], id, read(new).ttl)
    end
  end
  for kind, earliest in pairs(first) do
    if due[kind] >= 0 and (earliest < 0 or due[kind] < earliest) then
      first[kind] = due[kind]
    end
  end
  answer[#answer + 1] = done and 1 or is_held_back and -1 or 0
  answer[#answer + 1] = value or false
end
for command, lists in pairs(served) do
  for list, ids in pairs(lists) do
    redis.call(command, list, unpack(ids))
  end
end
flush(prefix, sender)
return {string.format('%.17g', first.push), string.format('%.17g', first.record), string.format('%.17g', first.check), unpack(answer)}
