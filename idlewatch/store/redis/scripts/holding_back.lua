-- Find out whether the clock may end nothing yet.
--
-- KEYS: the epoch. ARGV: prefix, now.
-- Returns 1 if so, else 0.

return is_holding_back(ARGV[1], tonumber(ARGV[2])) and 1 or 0
