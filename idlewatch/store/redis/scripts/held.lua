-- Find out whether the clock may end nothing yet.
--
-- KEYS: the epoch. ARGV: prefix, now.
-- Returns whether it is so.

return is_held(ARGV[1], tonumber(ARGV[2])) and 1 or 0
