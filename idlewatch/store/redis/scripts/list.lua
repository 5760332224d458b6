-- List live sessions: the groups of one phase in their common order, then those of the next.
--
-- KEYS: the groups, phase by phase. ARGV: prefix, groups to a phase (1 or 2), offset, limit, 1 to reverse the list.
-- Returns how many there are, then id and row of each in turn.

local prefix, width, offset, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local is_reversed = ARGV[5] == '1'

-- Compare ids as Redis orders them: by their bytes, whatever the locale says.
local function precedes(one, other)
  for index = 1, math.min(#one, #other) do
    local a, b = string.byte(one, index), string.byte(other, index)
    if a ~= b then
      return a < b
    end
  end
  return #one < #other
end

-- Read up to `count` places from `rank` on, each an id and its deadline.
local function places(group, rank, count)
  local found = {}
  if count > 0 then
    local flat = redis.call('ZRANGE', group, rank, rank + count - 1, 'WITHSCORES')
    for index = 1, #flat, 2 do
      found[#found + 1] = {id = flat[index], deadline = tonumber(flat[index + 1])}
    end
  end
  return found
end

local function is_before(one, other)
  return one.deadline < other.deadline or one.deadline == other.deadline and precedes(one.id, other.id)
end

-- Find how many of the first `rank` of both groups are of the one: by halves, so that nothing before them is read.
local function split(one, other, rank)
  local low = math.max(0, rank - redis.call('ZCARD', other))
  local high = math.min(rank, redis.call('ZCARD', one))
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(places(one, middle, 1)[1], places(other, rank - 1 - middle, 1)[1]) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- Append the ids from rank `start` to before `stop` in the common order of one or two groups.
local function append(ids, one, other, start, stop)
  local skipped = other and split(one, other, start) or start
  local mine = places(one, skipped, stop - start)
  local others = other and places(other, start - skipped, stop - start) or {}
  local a, b = 1, 1
  for _ = start, stop - 1 do
    if mine[a] and (not others[b] or is_before(mine[a], others[b])) then
      ids[#ids + 1], a = mine[a].id, a + 1
    else
      ids[#ids + 1], b = others[b].id, b + 1
    end
  end
end

local total, sizes = 0, {}
for index, group in ipairs(KEYS) do
  sizes[index] = redis.call('ZCARD', group)
  total = total + sizes[index]
end
local start, stop = offset, offset + limit
if is_reversed then
  start, stop = total - offset - limit, total - offset
end
local ids = {}
for index = 1, #KEYS, width do
  local size = sizes[index] + (width == 2 and sizes[index + 1] or 0)
  local from, to = math.max(start, 0), math.min(stop, size)
  if from < to then
    append(ids, KEYS[index], width == 2 and KEYS[index + 1], from, to)
  end
  start, stop = start - size, stop - size
end

local answer = {total}
for index = 1, #ids do
  local id = ids[is_reversed and #ids + 1 - index or index]
  local row = fetch(prefix .. 'watch:' .. id)
  if row then
    answer[#answer + 1] = id
    answer[#answer + 1] = row
  else
    -- It was evicted, or can't be read.
    unrank(prefix, id)
    answer[1] = answer[1] - 1
  end
end
flush(prefix)
return answer
