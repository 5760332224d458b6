-- Credit activity to one session; see `credit`.
--
-- KEYS: the row. ARGV: prefix, watch id, now and the moment of the activity as numbers of eight bytes.
-- Returns the row, nil where there is none.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local row = credit(KEYS[1], value_of(KEYS[1]), ARGV[2], struct.unpack('<dd', ARGV[3]))
rank_moved(ARGV[1])
return row
