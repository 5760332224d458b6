-- Credit activity to one session; see `credit`.
--
-- KEYS: the row. ARGV: prefix, watch id, now, moment of the activity.
-- Returns the row, nil where there is none.

return refusal(ARGV[1]) or (credit(ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])))
