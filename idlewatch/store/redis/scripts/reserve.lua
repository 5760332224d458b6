-- Reserve a session for a writer that lost too many races: until it has written, or for a moment, no other does.
--
-- KEYS: the row, its reservation. ARGV: token of the writer, milliseconds.
-- Returns whether it is reserved, then the row (nothing: there is none).

if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {0}
end
local value, row = fetch(KEYS[1])
if not row then
  return {1}
end
-- Activity would change the version; so it is left to Python, whose write finds the reservation.
row.idle = -1
value = packed(row)
redis.call('SET', KEYS[1], value, 'KEEPTTL')
return {1, value}
