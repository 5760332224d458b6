-- Count the sessions of each group at one moment.
--
-- KEYS: the groups.

local sizes = {}
for index, group in ipairs(KEYS) do
  sizes[index] = redis.call('ZCARD', group)
end
return sizes
