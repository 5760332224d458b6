-- What every script begins with: how a row is read, and whether this server may answer.
--
-- A row is seventeen numbers, then the session key, then the facts, which only Python reads. Times are epoch seconds.
-- Every key of a store has the same hash tag, so that a script may name the row of each session it finds.

local FORMAT = '<ddddddddddddBBBBH'
local HEAD = 12 * 8 + 4 + 2
-- As `GROUPS` in Python; a row names its group by the place here.
local GROUPS = {'warned:connected', 'warned:unconnected', 'active:connected', 'active:unconnected'}

-- Return the numbers of a row; nothing for anything else, so that what is broken stops no script that other sessions need.
local function numbers(value)
  if #value < HEAD then
    return nil
  end
  local version, active, next_at, idle, cap, warn, lease, claimed, settled, ttl, check_at, mark, ended, recorded, doubted, group,
    key_size = struct.unpack(FORMAT, value)
  local sum = version + active + next_at + idle + cap + warn + lease + claimed + settled + ttl + check_at + mark
  -- Of what is no number, or infinite, the difference is no number.
  if sum - sum ~= 0 or ttl <= 0 or group > #GROUPS or HEAD + key_size > #value then
    return nil
  end
  return version, active, next_at, idle, cap, warn, lease, claimed, settled, ttl, check_at, mark, ended, recorded, doubted, group,
    key_size
end

-- Return the value of a key; false where there is none or another type.
local function value_of(key)
  local value = redis.pcall('GET', key)
  if type(value) == 'table' then
    if not string.find(value.err, 'WRONGTYPE', 1, true) then
      -- An error that does not concern this key alone: raise it.
      redis.call('GET', key)
    end
    return false
  end
  return value
end

-- Keep a key for at least as long as a session in it.
local function outlive(list, ttl)
  local milliseconds = math.ceil(ttl * 1000)
  if redis.call('PTTL', list) < milliseconds then
    redis.call('PEXPIRE', list, milliseconds)
  end
end

-- Return the replication id of the data, which changes at each restart and failover; nil where the user of this connection may not
-- ask (Redis' access control counts INFO as dangerous).
local function lineage()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or nil
end

-- Return the error with which a server that took another's place refuses calls, until a process renews its lease here: it may
-- lack the latest writes. Return nil where there was no failover.
local function refusal(prefix)
  local known = redis.pcall('HGET', prefix .. 'epoch', 'lineage')
  if type(known) ~= 'string' then
    return nil
  end
  -- To find it is less work than to cut it out: nearly always it is there.
  local info = redis.pcall('INFO', 'replication')
  if type(info) == 'string' and string.find(info, 'master_replid:' .. known .. '\r', 1, true) then
    return nil
  end
  if known ~= (lineage() or known) then
    return redis.error_reply('FAILEDOVER this server may lack the latest writes of the one before')
  end
end
