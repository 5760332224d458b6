-- Read a session.
--
-- KEYS: the row. ARGV: prefix.
-- Returns the row, nil where there is none, or something else than a row.

return refusal(ARGV[1]) or redis.call('MGET', KEYS[1])[1]
