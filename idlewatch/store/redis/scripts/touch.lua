-- Credit activity to one session; see `credit`.
--
-- KEYS: the row. ARGV: prefix, watch id, now and the moment of the activity as numbers of eight bytes.
-- Returns what the row begins with now ('' where it stays), and the row as it was; nil where there is none.

local refused = refusal(ARGV[1])
if refused then
  return refused
end
local value = value_of(KEYS[1])
local is_done, start = credit(KEYS[1], value, ARGV[2], struct.unpack('<dd', ARGV[3]))
rank_moved(ARGV[1])
return is_done ~= nil and {start or '', value} or nil
