-- Note the key that a Django session has now; the facts, and their version, stay.
--
-- KEYS: the row. ARGV: session key.

local _, row = fetch(KEYS[1])
if row then
  set_key(row, ARGV[1])
  redis.call('SET', KEYS[1], packed(row), 'KEEPTTL')
end
