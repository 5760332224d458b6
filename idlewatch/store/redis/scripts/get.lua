-- Read a session.
--
-- KEYS: the row. ARGV: prefix.
-- Returns the value of the key, which may be no row; nil where there is none.

return refusal(ARGV[1]) or redis.call('MGET', KEYS[1])[1]
