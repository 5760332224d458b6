-- Put new facts in the place of those that Python read: a compare-and-set on the version.
--
-- KEYS: the row. ARGV: prefix, sender, watch, now, mode, version read ('' where there was no row), the new row without lease,
-- its deadline, and for each process whose tabs change: its name, 'in' or 'out'.
-- Modes: 'write'; 'settle', after which a push is to be confirmed; 'rekey', which has a new session key.
-- Returns whether it was done, the row that stands, and when push, record and check are due (-1: not changed, or never).

local prefix, sender, id, now, mode, version = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local value = redis.call('GET', KEYS[1])
if not value and version ~= '' then
  return {0}
end
local old = value and read(value)
local due = {push = -1, record = -1, check = -1}

local function answer(done)
  return {done, value, {string.format('%.17g', due.push), string.format('%.17g', due.record),
    string.format('%.17g', due.check)}}
end

local row = read(ARGV[7])
if old and (version == '' or tonumber(version) ~= old.version) then
  if row.mark == old.mark then
    -- It was done, and the answer got lost on its way: the same is asked again on a new connection.
    due.push = push_at(old, now) or -1
    if old.ended == 0 then
      due.check = old.check_at
    elseif old.recorded == 0 then
      due.record = now
    end
    return answer(1)
  end
  if mode == 'settle' and tonumber(version) >= old.claimed then
    -- It changed since it was claimed: it is due as it stands now.
    old.lease = 0
    keep(KEYS[1], old, old.ttl)
    due.push = put_push(prefix, sender, id, old, now)
  end
  return answer(0)
end

if old then
  row.lease, row.claimed, row.settled, row.recorded = old.lease, old.claimed, old.settled, old.recorded
  row.check_at, row.doubted = old.check_at, old.doubted
  if old.recorded == 1 then
    row.ttl = old.ttl
  end
  if mode ~= 'rekey' then
    row.key = old.key
  end
else
  row.claimed = row.version
end
if mode == 'settle' then
  row.settled = row.version
end
value = keep(KEYS[1], row, row.ttl)
due.push = put_push(prefix, sender, id, row, now)
if not old or old.group ~= row.group then
  -- Also where there was no row: one that was evicted leaves its place behind.
  unrank(prefix, id, row.group)
end
if row.group > 0 then
  rank(prefix, id, row, ARGV[8])
end
if row.ended == 1 then
  redis.call('ZREM', prefix .. 'due:check', id)
  if old and old.ended == 0 then
    redis.call('INCR', prefix .. 'ended')
    redis.call('PEXPIRE', prefix .. 'ended', 86400000)
  end
  if not old or old.ended == 0 then
    due.record = now
    put(prefix, sender, 'record', id, now, row.ttl)
  end
elseif not old then
  due.check = row.check_at
  put(prefix, sender, 'check', id, row.check_at, row.ttl)
end
for index = 9, #ARGV, 2 do
  local served = prefix .. 'served:' .. ARGV[index]
  if ARGV[index + 1] == 'in' then
    redis.call('SADD', served, id)
    outlive(served, row.ttl)
  else
    redis.call('SREM', served, id)
  end
end
return answer(1)
