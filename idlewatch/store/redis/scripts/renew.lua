-- Register a process as live, and find out whether the store lost data.
--
-- KEYS: the processes, those being removed, when each was last seen, the epoch, the sessions it serves.
-- ARGV: process, now, seconds of lease, seconds for which one process is given to resume the records, seconds to keep these keys,
-- when the store was created as the process knows it ('': it does not), the number of renewals it has seen.
-- Returns whether the process was known (not where it is new, or its lease lapsed and its removal is not done), whether it is to
-- resume, when the store was created, until when nothing may be settled ('': until it was resumed), from when on writes may
-- be lost ('': all are), the number of renewals, and of processes whose tabs are to be taken back.

local process, now, lease, resume_lease, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local known_created_at, seen = tonumber(ARGV[6]), tonumber(ARGV[7])
local known = 0
if not redis.call('ZSCORE', KEYS[2], process) then
  known = redis.call('ZSCORE', KEYS[1], process) and 1 or 0
  redis.call('ZADD', KEYS[1], now + lease, process)
end
redis.call('ZADD', KEYS[3], now, process)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ttl)

local epoch = redis.call('HMGET', KEYS[4], 'created_at', 'resuming_until', 'settle_after', 'lost_from', 'lineage', 'renewals',
  'renewed_at')
local created_at, settle_after = tonumber(epoch[1]) and epoch[1], tonumber(epoch[3]) and epoch[3]
local resuming_until, lost_from = tonumber(epoch[2]) or now, tonumber(epoch[4]) and epoch[4] or ''
local renewals, here = tonumber(epoch[6]) or 0, lineage()
-- An older copy of the data, of a snapshot or a replica that lagged: it may lack what came last, or lacks renewals that were seen.
local is_copy = (here and epoch[5] and here ~= epoch[5])
  or (created_at and known_created_at and tonumber(created_at) <= known_created_at and renewals < seen)
if not created_at then
  created_at, resuming_until, settle_after, lost_from = ARGV[2], now, false, ''
  redis.call('DEL', KEYS[4])
elseif is_copy then
  if settle_after or lost_from == '' then
    lost_from = tonumber(epoch[7]) and epoch[7] or created_at
  end
  created_at, resuming_until, settle_after = ARGV[2], now, false
  redis.call('HDEL', KEYS[4], 'settle_after', 'sharer')
end
local resume = 0
if not settle_after and not is_ahead(resuming_until, now) then
  resume, resuming_until = 1, now + resume_lease
end
renewals = math.max(renewals, seen) + 1
redis.call('HSET', KEYS[4], 'created_at', created_at, 'resuming_until', string.format('%.17g', resuming_until),
  'lost_from', lost_from, 'renewals', renewals, 'renewed_at', ARGV[2])
if here then
  redis.call('HSET', KEYS[4], 'lineage', here)
end
for _, key in ipairs(KEYS) do
  redis.call('EXPIRE', key, ttl)
end
if settle_after and not is_ahead(tonumber(settle_after), now) then
  settle_after = ARGV[2]
end
local lapsed = redis.call('ZCOUNT', KEYS[1], '-inf', now) + redis.call('ZCOUNT', KEYS[2], '-inf', now)
return {known, resume, created_at, settle_after or '', lost_from, renewals, lapsed}
