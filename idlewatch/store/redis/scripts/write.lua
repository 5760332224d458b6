-- Replace the facts of sessions: each is a compare-and-set by itself; see `change`.
--
-- KEYS: the rows. ARGV: prefix, sender, mode, and for each row: watch id, now, version read, the new row without lease, its deadline,
-- the token of a reservation or '', of how many processes it changes whether they have tabs of it open, and for each of these its
-- name, then 'in' or 'out'.
-- Returns when the first push, record and check are due (-1: none is), then for each whether it was done (-1: it was held back), and
-- the row (nil: there is none; '': it is the new one).

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, sender, mode, width = ARGV[1], ARGV[2], ARGV[3], 7
local places, reservations, at = {}, {}, 4
for index in ipairs(KEYS) do
  places[index], reservations[index] = at, prefix .. 'turn:' .. ARGV[at]
  at = at + width + 2 * tonumber(ARGV[at + 6])
end
local values = redis.call('MGET', unpack(KEYS))
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
for index, key in ipairs(KEYS) do
  local place = places[index]
  local id, now, new = ARGV[place], tonumber(ARGV[place + 1]), ARGV[place + 3]
  local done, value, due, is_held_back = change(prefix, now, mode, key, values[index], reservations[index], id, ARGV[place + 2], new,
    ARGV[place + 4], ARGV[place + 5])
  if done then
    for name = place + width, place + width - 1 + 2 * tonumber(ARGV[place + 6]), 2 do
      note_served(ARGV[name + 1] == 'in' and 'SADD' or 'SREM', ARGV[name], id, read(new).ttl)
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
