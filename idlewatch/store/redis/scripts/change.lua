local held_back

-- As `is_holding_back`, asked once for all sessions of a script.
local function clock_is_held_back(prefix, now)
  if held_back == nil then
    held_back = is_holding_back(prefix, now)
  end
  return held_back
end

-- Replace the facts that Python read by new ones: a compare-and-set on the version ('' where there was no row). It fails too
-- where another writer has reserved the session; `token` is that of this one. `value` is the row as it is, `reservation` that of
-- the session (false: there is none). What it changes in the lists is left to `flush`.
--
-- Modes: 'write'; 'settle', after which a push is to be confirmed; 'rekey', which has a new session key; 'end', which was asked for:
-- the others end a session by the clock, and not while that is held back.
-- Returns whether it was done, the row as it is now (nil: there is none; '': it is the new one), when push, record and check are due
-- (-1: not changed, or never), and whether it was held back.
local function change(prefix, now, mode, key, value, reservation, id, version, new, deadline, token)
  local due = {push = -1, record = -1, check = -1}
  local old = value and read(value)
  if not old and version ~= '' then
    return false, nil, due
  end
  local row = read(new)
  local is_reserved = reservation and reservation ~= token
  local is_overtaken = old and (is_reserved or version == '' or version ~= old.version)
  if is_overtaken and row.mark == old.mark then
    -- It was done, and the answer got lost on its way: the same is asked again on a new connection.
    due.push = push_at(old, now) or -1
    if old.ended == 0 then
      due.check = old.check_at
    elseif old.recorded == 0 then
      due.record = now
    end
    return true, value, due
  end
  local is_end_by_clock = old and old.ended == 0 and row.ended == 1 and mode ~= 'end'
  local is_held_back = not is_overtaken and is_end_by_clock and clock_is_held_back(prefix, now)
  if is_overtaken or is_held_back then
    if mode == 'settle' and version >= old.claimed then
      -- It changed since it was claimed, or is to be settled later: it is due as it is now.
      old.lease = 0
      keep(key, old, old.ttl)
      due.push = put_push(prefix, id, old, now)
    end
    return false, value, due, is_held_back
  end

  local is_new = true
  if old then
    row.lease, row.claimed, row.settled, row.recorded = old.lease, old.claimed, old.settled, old.recorded
    row.check_at, row.doubted = old.check_at, old.doubted
    if old.recorded == 1 then
      row.ttl = old.ttl
    end
    if mode ~= 'rekey' and row.key ~= old.key then
      row.key, is_new = old.key, false
    end
  else
    row.claimed = row.version
  end
  if mode == 'settle' then
    row.settled = row.version
  end
  if reservation == token then
    redis.call('DEL', prefix .. 'turn:' .. id)
  end
  value = keep(key, row, row.ttl)
  due.push = put_push(prefix, id, row, now)
  if not old or old.group ~= row.group then
    -- Also where there was no row: one that was evicted leaves its place behind.
    unrank(prefix, id, row.group)
  end
  if row.group > 0 then
    rank(prefix, id, row, deadline)
  end
  if row.ended == 1 then
    remove(prefix .. 'due:check', id)
    if old and old.ended == 0 then
      ended = ended + 1
    end
    if not old or old.ended == 0 then
      due.record = now
      put(prefix, 'record', id, now, row.ttl)
    end
  elseif not old then
    due.check = row.check_at
    put(prefix, 'check', id, row.check_at, row.ttl)
  end
  return true, is_new and '' or value, due
end
