-- Remove a row that Python can't read, unless it has changed meanwhile.
--
-- KEYS: the row. ARGV: prefix, watch id, the row that was read.

local prefix, id = ARGV[1], ARGV[2]
if redis.call('GET', KEYS[1]) == ARGV[3] then
  redis.call('DEL', KEYS[1])
  unrank(prefix, id)
  for _, kind in ipairs({'push', 'record', 'check'}) do
    remove(prefix .. 'due:' .. kind, id)
  end
  flush(prefix)
end
