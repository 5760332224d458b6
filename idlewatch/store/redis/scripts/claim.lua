-- Lease what is due, the earliest first.
--
-- KEYS: the list. ARGV: prefix, kind, now, limit, seconds of lease.
-- Returns id and row of each, in turn; '' in the place of a row that can't be read, which is off the list then. No push while the
-- clock may end nothing.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local list, prefix, kind = KEYS[1], ARGV[1], ARGV[2]
local now, limit, lease = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local claimed = {}

local function is_due(id, row)
  if kind == 'push' then
    local at = push_at(row, now)
    if at and at <= now then
      return true
    elseif at then
      redis.call('ZADD', list, at, id)
    else
      redis.call('ZREM', list, id)
    end
    return false
  end
  local is_open
  if kind == 'record' then
    is_open = row.ended == 1 and row.recorded == 0
  else
    is_open = row.ended == 0
  end
  if not is_open then
    redis.call('ZREM', list, id)
  end
  return is_open
end

if kind == 'push' and is_holding_back(prefix, now) then
  return claimed
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', list, '-inf', ARGV[3], 'LIMIT', 0, limit)) do
  local key = prefix .. 'watch:' .. id
  local value, row, is_unreadable = fetch(key)
  if not row then
    redis.call('ZREM', list, id)
    unrank(prefix, id, 0)
    if is_unreadable then
      claimed[#claimed + 1] = id
      claimed[#claimed + 1] = ''
    end
  elseif is_due(id, row) then
    if kind == 'push' then
      row.lease, row.claimed = now + lease, row.version
      value = packed(row)
      redis.call('SET', key, value, 'KEEPTTL')
    end
    redis.call('ZADD', list, now + lease, id)
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = value
  end
end
return claimed
