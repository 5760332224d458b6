-- Credit activity to one session; see `credit`.
--
-- KEYS: the row. ARGV: prefix, watch id, now and the moment of the activity as numbers of eight bytes.
-- Returns the row, nil where there is none.

local now, moment = struct.unpack('<dd', ARGV[3])
return refusal(ARGV[1]) or (credit(ARGV[1], ARGV[2], now, moment))
