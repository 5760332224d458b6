-- What most scripts go on with: whole rows, the lists that sessions are in, and what the clock may end.

-- Read a row; return nil for anything else. What follows the numbers is cut out of `value` where it is needed.
local function read(value)
  local version, active, next_at, idle, cap, warn, lease, claimed, settled, ttl, check_at, mark, ended, recorded, doubted, group,
    key_size = numbers(value)
  if not version then
    return nil
  end
  return {
    version = version, active = active, next_at = next_at, idle = idle, cap = cap, warn = warn, lease = lease, claimed = claimed,
    settled = settled, ttl = ttl, check_at = check_at, mark = mark, ended = ended, recorded = recorded, doubted = doubted,
    group = group, key_size = key_size, value = value,
  }
end

-- Return the session key of a row.
local function key_of(row)
  return string.sub(row.value, HEAD + 1, HEAD + row.key_size)
end

-- Give a row another session key.
local function set_key(row, key)
  row.value = string.sub(row.value, 1, HEAD) .. key .. string.sub(row.value, HEAD + row.key_size + 1)
  row.key_size = #key
end

-- Return the value of a key and the row that it is; nil where there is none, or something else.
local function fetch(key)
  local value = value_of(key)
  local row = value and read(value)
  if row then
    return value, row
  end
end

local function packed(row)
  return struct.pack(FORMAT, row.version, row.active, row.next_at, row.idle, row.cap, row.warn, row.lease, row.claimed,
    row.settled, row.ttl, row.check_at, row.mark, row.ended, row.recorded, row.doubted, row.group, row.key_size)
    .. string.sub(row.value, HEAD + 1)
end

-- Where these numbers are in a row, by `FORMAT`; after the lease come what was claimed and what was settled.
local NEXT_AT, LEASE = 2 * 8, 6 * 8

-- Note in a row that its push is claimed.
local function claim(key, lease, version)
  redis.call('SETRANGE', key, LEASE, struct.pack('<dd', lease, version))
end

-- Keep a row; ttl is in seconds.
local function keep(key, row, ttl)
  local value = packed(row)
  redis.call('SET', key, value, 'PX', math.ceil(ttl * 1000))
  return value
end

-- Lua passes no more than 8,000 values to a command; an even number, as ZADD takes pairs.
local MAX_VALUES = 4000

-- Call a command on a list for each part of many values.
local function call_for_all(command, list, values)
  for at = 1, #values, MAX_VALUES do
    redis.call(command, list, unpack(values, at, math.min(at + MAX_VALUES - 1, #values)))
  end
end

-- Return the values of keys; false for each that has none, or another type.
local function values_of(keys)
  local values = {}
  for at = 1, #keys, MAX_VALUES do
    for _, value in ipairs(redis.call('MGET', unpack(keys, at, math.min(at + MAX_VALUES - 1, #keys)))) do
      values[#values + 1] = value
    end
  end
  return values
end

-- What goes into each list and out of it, collected: `flush` writes it by one command for each, however many sessions change.
local added, removed, lasting, sooner, ended = {}, {}, {}, {}, 0

-- Keep a list for at least as long as a session in it.
local function outlast(list, ttl)
  lasting[list] = math.max(ttl, lasting[list] or 0)
end

-- Put a session into a list; with a ttl, the list is kept for at least as long.
local function add(list, score, id, ttl)
  local entries = added[list]
  if not entries then
    entries = {}
    added[list] = entries
  end
  entries[#entries + 1] = score
  entries[#entries + 1] = id
  if ttl then
    outlast(list, ttl)
  end
end

-- Take a session out of a list.
local function remove(list, id)
  local ids = removed[list]
  if not ids then
    ids = {}
    removed[list] = ids
  end
  ids[#ids + 1] = id
end

-- Put a live session into its group, by its deadline.
local function rank(prefix, id, row, deadline)
  add(prefix .. 'live:' .. GROUPS[row.group], deadline, id, row.ttl)
end

-- Take a session out of all groups.
local function unrank(prefix, id)
  for _, name in ipairs(GROUPS) do
    remove(prefix .. 'live:' .. name, id)
  end
end

-- Set the moment at which a session is due.
local function put(prefix, kind, id, at, ttl)
  add(prefix .. 'due:' .. kind, at, id, ttl)
  sooner[kind] = math.min(at, sooner[kind] or at)
end

-- Write what was collected. Publish what is due before the first of its kind, until which timers sleep; the sender reads that from
-- the script's answer, and ignores messages with its own name.
local function flush(prefix, sender)
  for kind, at in pairs(sooner) do
    local first = redis.call('ZRANGE', prefix .. 'due:' .. kind, 0, 0, 'WITHSCORES')
    if not first[2] or at < tonumber(first[2]) then
      redis.call('PUBLISH', prefix .. 'sooner', string.format('%s %s %.17g', sender, kind, at))
    end
  end
  for list, ids in pairs(removed) do
    call_for_all('ZREM', list, ids)
  end
  for list, entries in pairs(added) do
    call_for_all('ZADD', list, entries)
  end
  for list, ttl in pairs(lasting) do
    outlive(list, ttl)
  end
  if ended > 0 then
    if type(redis.pcall('INCRBY', prefix .. 'ended', ended)) ~= 'number' then
      redis.call('SET', prefix .. 'ended', ended)
    end
    redis.call('PEXPIRE', prefix .. 'ended', 86400000)
  end
end

-- When a push is due: what is claimed waits for its lease, unless something was settled since it was claimed.
-- Returns nil where nothing ever is.
local function push_at(row, now)
  local leased = now < row.lease
  if leased and row.settled <= row.claimed then
    return row.lease
  end
  local at = row.next_at
  if at < 0 then
    at = nil
  end
  if row.settled > 0 then
    local again = leased and row.lease or now
    if not at or again < at then
      at = again
    end
  end
  return at
end

local function put_push(prefix, id, row, now)
  local at = push_at(row, now)
  if at then
    put(prefix, 'push', id, at, row.ttl)
  else
    remove(prefix .. 'due:push', id)
  end
  return at or -1
end

-- Whether a moment lies ahead, where no clock was wrong: no hold or lease here lasts longer than a minute.
local function is_ahead(moment, now)
  return now < moment and moment <= now + 60
end

-- Whether the clock may end nothing yet: the store lost data, and the records are still being resumed into it, or processes may
-- still have to report what they saw. Where none is at work on that any more, the facts decide.
local function is_holding_back(prefix, now)
  local key = prefix .. 'epoch'
  local epoch = redis.call('HMGET', key, 'created_at', 'resuming_until', 'settle_after')
  if tonumber(epoch[3]) then
    return is_ahead(tonumber(epoch[3]), now)
  end
  if not tonumber(epoch[1]) then
    -- The next process that renews its lease resumes the records.
    local at = string.format('%.17g', now)
    redis.call('HSET', key, 'created_at', at, 'resuming_until', at)
    redis.call('EXPIRE', key, 86400)
    return true
  end
  return is_ahead((tonumber(epoch[2]) or 0) + 30, now)
end
