-- Lease what is due, the earliest first.
--
-- KEYS: the list. ARGV: prefix, kind, now, limit, seconds of lease.
-- Returns when the first of the list is due after that (false: none is), and until when the clock may end nothing (false: that is not
-- known yet), then a list: id and row of each, in turn; '' in the place of a row that can't be read, which is off the list then. No push while
-- the clock may end nothing.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local list, prefix, kind = KEYS[1], ARGV[1], ARGV[2]
local now, limit, lease = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local claimed = {}
-- Seconds: where activity had moved all that came up, what comes up within them is put right as well, so that no timer wakes for each.
local AHEAD = 10

local function is_due(id, row)
  if kind == 'push' then
    local at = push_at(row, now)
    if at and at <= now then
      return true
    elseif at then
      add(list, at, id)
    else
      remove(list, id)
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
    remove(list, id)
  end
  return is_open
end

-- Claim what is due of the places in a range of moments, and put right the others; return how many places there were.
local function claim_between(from, to)
  local ids, keys = redis.call('ZRANGEBYSCORE', list, from, to, 'LIMIT', 0, limit), {}
  if #ids == 0 then
    return 0
  end
  for index, id in ipairs(ids) do
    keys[index] = prefix .. 'watch:' .. id
  end
  for index, value in ipairs(values_of(keys)) do
    local id, row = ids[index], value and read(value)
    if not row then
      remove(list, id)
      unrank(prefix, id)
      -- MGET has nothing of a key of another type.
      if redis.call('EXISTS', keys[index]) == 1 then
        claimed[#claimed + 1] = id
        claimed[#claimed + 1] = ''
      end
    elseif is_due(id, row) then
      if kind == 'push' then
        claim(keys[index], now + lease, row.version)
      end
      add(list, now + lease, id)
      claimed[#claimed + 1] = id
      claimed[#claimed + 1] = value
    end
  end
  return #ids
end

if kind ~= 'push' or not is_holding_back(prefix, now) then
  local count = claim_between('-inf', ARGV[3])
  if kind == 'push' and #claimed == 0 and count > 0 and count < limit then
    claim_between('(' .. ARGV[3], string.format('%.17g', now + AHEAD))
  end
  flush(prefix)
end
local first = redis.call('ZRANGE', list, 0, 0, 'WITHSCORES')
return {first[2] or false, redis.call('HGET', prefix .. 'epoch', 'settle_after'), claimed}
