-- Note that what was claimed is done.
--
-- KEYS: the list. ARGV: prefix, sender, now, kind, seconds to keep a recorded end, and in MessagePack for each session: its id, version
-- claimed or settled; for a push also when it is due again ('': it is due as the row has it); for a check when it is due again and
-- whether it is doubted.
-- Returns when the first of them is due again (-1: none is).

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local prefix, sender, now, kind = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local function confirm(key, value, id, version, next_at, doubted)
  local row = value and read(value)
  if not row then
    remove(prefix .. 'due:' .. kind, id)
    unrank(prefix, id)
    return -1
  end
  if kind == 'push' then
    if version >= row.claimed then
      row.lease = 0
    end
    if row.settled > 0 and version >= row.settled then
      row.settled = 0
    end
    if version == row.version and next_at ~= '' and next_at ~= row.next_at then
      -- It was due by the verdict of the latest write; by now its tabs show the right thing, so that nothing is settled.
      row.next_at = next_at
      redis.call('SETRANGE', key, NEXT_AT, struct.pack('<d', next_at))
    end
    redis.call('SETRANGE', key, LEASE, struct.pack('<ddd', row.lease, row.claimed, row.settled))
    return put_push(prefix, id, row, now)
  elseif kind == 'record' then
    remove(prefix .. 'due:record', id)
    if row.recorded == 0 then
      row.recorded, row.ttl = 1, tonumber(ARGV[5])
      keep(key, row, row.ttl)
    end
  elseif row.ended == 0 and next_at >= row.check_at then
    -- Otherwise it was checked later, by another claimant.
    row.check_at, row.doubted = next_at, doubted
    redis.call('SET', key, packed(row), 'KEEPTTL')
    put(prefix, 'check', id, row.check_at, row.ttl)
    return row.check_at
  end
  return -1
end

local sessions, keys, first = cmsgpack.unpack(ARGV[6]), {}, -1
for index, session in ipairs(sessions) do
  keys[index] = prefix .. 'watch:' .. session[1]
end
for index, value in ipairs(redis.call('MGET', unpack(keys))) do
  local at = confirm(keys[index], value, unpack(sessions[index]))
  if at >= 0 and (first < 0 or at < first) then
    first = at
  end
end
flush(prefix, sender)
return string.format('%.17g', first)
