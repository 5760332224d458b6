-- Note the key that a Django session has now; the facts, and their version, stay.
--
-- KEYS: the row. ARGV: session key.

local value = redis.call('GET', KEYS[1])
if value then
  local row = read(value)
  row.key = ARGV[1]
  redis.call('SET', KEYS[1], packed(row), 'KEEPTTL')
end
