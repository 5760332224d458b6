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
-- Returns whether it was done (-1: it was held back), the row as it is now (nil: there is none; '': it is the new one), and when push,
-- record and check are due (-1: not changed, or never).
local function change(prefix, now, mode, key, value, reservation, id, version, new, deadline, token)
  local old = value and read(value)
  if not old and version ~= '' then
    return 0, nil, -1, -1, -1
  end
  local row = read(new)
  local is_reserved = reservation and reservation ~= token
  local is_overtaken = old and (is_reserved or version == '' or version ~= old.version)
  if is_overtaken and row.mark == old.mark then
    -- It was done, and the answer got lost on its way: the same is asked again on a new connection.
    local is_unrecorded = old.ended == 1 and old.recorded == 0
    return 1, value, push_at(old, now) or -1, is_unrecorded and now or -1, old.ended == 0 and old.check_at or -1
  end
  local is_end_by_clock = old and old.ended == 0 and row.ended == 1 and mode ~= 'end'
  local is_held_back = not is_overtaken and is_end_by_clock and clock_is_held_back(prefix, now)
  if is_overtaken or is_held_back then
    local push_due = -1
    if mode == 'settle' and version >= old.claimed then
      -- It changed since it was claimed, or is to be settled later: it is due as it is now.
      old.lease = 0
      keep(key, old, old.ttl)
      push_due = put_push(prefix, id, old, now)
    end
    return is_held_back and -1 or 0, value, push_due, -1, -1
  end

  local is_new = true
  if old then
    row.lease, row.claimed, row.settled, row.recorded = old.lease, old.claimed, old.settled, old.recorded
    row.check_at, row.doubted = old.check_at, old.doubted
    if old.recorded == 1 then
      row.ttl = old.ttl
    end
    if mode ~= 'rekey' and key_of(row) ~= key_of(old) then
      set_key(row, key_of(old))
      is_new = false
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
  local push_due, record_due, check_due = put_push(prefix, id, row, now), -1, -1
  if not old then
    -- A row that was evicted leaves its place behind.
    unrank(prefix, id)
  elseif old.group ~= row.group and old.group > 0 then
    remove(prefix .. 'live:' .. GROUPS[old.group], id)
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
      record_due = now
      put(prefix, 'record', id, now, row.ttl)
    end
  elseif not old then
    check_due = row.check_at
    put(prefix, 'check', id, row.check_at, row.ttl)
  end
  return 1, is_new and '' or value, push_due, record_due, check_due
end
