-- Take a part of the records that was offered, to resume it; of one that was taken, the lease may have lapsed.
--
-- KEYS: the epoch. ARGV: prefix, when the store was created, the process that offered them ('': the latest that did), now, seconds of
-- lease (0: take none), a part that was resumed ('': none).
-- Returns that process, the part ('': none), how many were offered, and how many of them are done; nothing where none were offered
-- in this store.

local epoch = redis.call('HMGET', KEYS[1], 'created_at', 'sharer')
local sharer = ARGV[3] ~= '' and ARGV[3] or epoch[2]
if not epoch[1] or tonumber(epoch[1]) ~= tonumber(ARGV[2]) or not sharer then
  return {}
end
local list, now, lease, done = ARGV[1] .. 'parts:' .. sharer, tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
if done ~= '' then
  redis.call('ZADD', list, 'XX', 'inf', done)
end
local part = ''
if lease > 0 then
  part = redis.call('ZRANGEBYSCORE', list, '-inf', ARGV[4], 'LIMIT', 0, 1)[1] or ''
  if part ~= '' then
    redis.call('ZADD', list, string.format('%.17g', now + lease), part)
  end
end
return {sharer, part, redis.call('ZCARD', list), redis.call('ZCOUNT', list, 'inf', 'inf')}
