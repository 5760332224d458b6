-- Read sessions.
--
-- KEYS: the rows. ARGV: prefix.
-- Returns the value of each key, which may be no row; nil where there is none.

return refusal(ARGV[1]) or redis.call('MGET', unpack(KEYS))
