-- Settle verdicts: each is a compare-and-set by itself; see `change`.
--
-- KEYS: the rows. ARGV: prefix, sender, now, and for each row: watch id, version claimed, the new row without lease, its deadline,
-- how many processes serve its tabs no more, their names.
-- Returns when the first push and the first record are due (-1: none is), then for each whether it was done.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, sender, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
local answer, first, reservations, unserved = {'', ''}, {push = -1, record = -1}, {}, {}
local at = 4
for index in ipairs(KEYS) do
  reservations[index] = prefix .. 'turn:' .. ARGV[at]
  at = at + 5 + tonumber(ARGV[at + 4])
end
local values = redis.call('MGET', unpack(KEYS))
reservations = redis.call('MGET', unpack(reservations))
at = 4
for index, key in ipairs(KEYS) do
  local id, processes = ARGV[at], tonumber(ARGV[at + 4])
  local done, _, due =
    change(prefix, now, 'settle', key, values[index], reservations[index], id, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  answer[index + 2] = done and 1 or 0
  if done then
    for place = at + 5, at + 4 + processes do
      local ids = unserved[ARGV[place]] or {}
      ids[#ids + 1] = id
      unserved[ARGV[place]] = ids
    end
  end
  for kind, earliest in pairs(first) do
    if due[kind] >= 0 and (earliest < 0 or due[kind] < earliest) then
      first[kind] = due[kind]
    end
  end
  at = at + 5 + processes
end
for process, ids in pairs(unserved) do
  redis.call('SREM', prefix .. 'served:' .. process, unpack(ids))
end
flush(prefix, sender)
answer[1], answer[2] = string.format('%.17g', first.push), string.format('%.17g', first.record)
return answer
