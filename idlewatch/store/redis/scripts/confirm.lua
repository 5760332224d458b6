-- Note that what was claimed is done.
--
-- KEYS: the row. ARGV: prefix, sender, watch, now, kind, version claimed or settled, seconds to keep a recorded end; for a
-- check, when it is due again and whether it is doubted.
-- Returns when it is due again (-1: never).

local prefix, sender, id, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local kind, version = ARGV[5], tonumber(ARGV[6])
local value = redis.call('GET', KEYS[1])
if not value then
  redis.call('ZREM', prefix .. 'due:' .. kind, id)
  unrank(prefix, id, 0)
  return '-1'
end
local row = read(value)
local at = -1
if kind == 'push' then
  if version >= row.claimed then
    row.lease = 0
  end
  if row.settled > 0 and version >= row.settled then
    row.settled = 0
  end
  redis.call('SET', KEYS[1], packed(row), 'KEEPTTL')
  at = put_push(prefix, sender, id, row, now)
elseif kind == 'record' then
  redis.call('ZREM', prefix .. 'due:record', id)
  if row.recorded == 0 then
    row.recorded, row.ttl = 1, tonumber(ARGV[7])
    keep(KEYS[1], row, row.ttl)
  end
elseif row.ended == 0 then
  if ARGV[8] then
    row.check_at, row.doubted = tonumber(ARGV[8]), tonumber(ARGV[9])
  end
  redis.call('SET', KEYS[1], packed(row), 'KEEPTTL')
  at = row.check_at
  put(prefix, sender, 'check', id, at, row.ttl)
end
return string.format('%.17g', at)
