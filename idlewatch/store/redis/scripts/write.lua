-- Replace the facts of one session; see `change`.
--
-- KEYS: the row. ARGV: prefix, sender, watch id, now, mode, version read, the new row without lease, its deadline, the token of a
-- reservation or '', and for each process whose tabs change: its name, 'in' or 'out'.
-- Returns 0 where there is no row; else whether it was done, the row, when push, record and check are due, and whether it was held
-- back.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, sender, id, now, new = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[7]
local reservation = redis.call('GET', prefix .. 'turn:' .. id)
local done, value, due, is_held_back =
  change(prefix, now, ARGV[5], KEYS[1], fetch(KEYS[1]), reservation, id, ARGV[6], new, ARGV[8], ARGV[9])
if not value then
  return {0}
end
flush(prefix, sender)
if done then
  for index = 10, #ARGV, 2 do
    if ARGV[index + 1] == 'in' then
      serve(prefix, ARGV[index], id, read(value).ttl)
    else
      unserve(prefix, ARGV[index], id)
    end
  end
end
return {done and 1 or 0, value, {string.format('%.17g', due.push), string.format('%.17g', due.record),
  string.format('%.17g', due.check)}, is_held_back and 1 or 0}
