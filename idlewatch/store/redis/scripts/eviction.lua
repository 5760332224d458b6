-- Find out whether Redis may evict keys.
--
-- Returns the policy by which it does, '' where it does not, or where the user of this connection may not ask.

local info = redis.pcall('INFO', 'memory')
if type(info) ~= 'string' or (tonumber(string.match(info, 'maxmemory:(%d+)')) or 0) == 0 then
  return ''
end
local policy = string.match(info, 'maxmemory_policy:([%w-]+)') or 'noeviction'
return policy ~= 'noeviction' and policy or ''
