local limit, share, length = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local load = cjson.decode(ARGV[4])
local kinds, besides = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])
local any_kind = next(kinds) == nil
local rooms, served = cjson.decode(ARGV[7]), cjson.decode(ARGV[8])
local named = ARGV[9] and cjson.decode(ARGV[9])

local wrong = misplaced()
if wrong then
  return wrong
end

-- a sign of life of the workers, which ask for whatever is due; one from the future is of a clock set back
local beaten = tonumber(redis.pcall('GET', beat) or 0) or 0
if not named and (now - beaten >= 1000 or beaten > now) then
  redis.call('SET', beat, text(now))
end

local taken, waiting, later = {}, nil, nil

local room_of, others = {}, {own = 0, shared = math.huge}
for _, each in ipairs(rooms) do
  if next(each.kinds) == nil then
    others = each
  end
  for kind in pairs(each.kinds) do
    room_of[kind] = each
  end
end

local function room_for(lane)
  return room_of[string.match(lane, '^[^:]*')] or others
end

local rank = {}
for i, lane in ipairs(served) do
  rank[lane] = i
end

local function in_order(one, other)
  local first, second = rank[one.lane] or 0, rank[other.lane] or 0
  if first ~= second then
    return first < second
  end
  if one.at ~= other.at then
    return one.at < other.at
  end
  return one.member < other.member
end

local function take(each, room)
  if room.own > 0 then
    room.own = room.own - 1
  else
    room.shared, limit = room.shared - 1, limit - 1
  end
  load[each.lane] = (load[each.lane] or 0) + 1
  table.insert(taken, each)
end

-- those for which their lane or their kind has no room do not count
local function pick(owed)
  for _, each in ipairs(owed) do
    local room = room_for(each.lane)
    if (load[each.lane] or 0) < share and room.own + room.shared > 0 then
      if room.own > 0 or limit > 0 then
        take(each, room)
      else
        waiting = math.min(waiting or each.at, each.at)
      end
    end
  end
end

local function owed_in(lane, most)
  local rows = redis.call('ZRANGE', due .. lane, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  local found = {}
  for i = 1, #rows, 2 do
    table.insert(found, {member = rows[i], at = tonumber(rows[i + 1]), lane = lane})
  end
  return found
end

-- the oldest first, whatever lane they are in
local function pick_any()
  local owed = {}
  for _, lane in ipairs(redis.call('SMEMBERS', lanes)) do
    local room = share - (load[lane] or 0)
    local kind = string.match(lane, '^[^:]*')
    if room > 0 and (any_kind or kinds[kind]) and not besides[kind] then
      for _, each in ipairs(owed_in(lane, math.min(room, room_for(lane).own + limit + 1))) do
        table.insert(owed, each)
      end
    end
  end
  table.sort(owed, in_order)
  pick(owed)
end

local function pick_named()
  local owed = {}
  for _, member in ipairs(named) do
    local at = tonumber(redis.call('ZSCORE', due_in(member), member))
    if at and at <= now then
      table.insert(owed, {member = member, at = at, lane = lane_of(member)})
    end
  end
  pick(owed)
end

local function look_ahead()
  for _, lane in ipairs(redis.call('SMEMBERS', lanes)) do
    local key = due .. lane
    local at = redis.call('ZRANGE', key, '(' .. text(now), '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
    if at and (not later or tonumber(at) < tonumber(later)) then
      later = at
    end
    if not at and redis.call('EXISTS', key) == 0 then
      redis.call('SREM', lanes, lane)
    end
  end
end

for _, lane in ipairs(redis.call('SMEMBERS', lanes)) do
  wrong = wrong or misplaced_one(due .. lane, 'zset')
end
if wrong then
  return wrong
end

if named then
  pick_named()
else
  pick_any()
end

local at_once = 1000
local answer = {}

local function claim(some, fence)
  local members, marks, moved = {}, {}, {}
  for i, each in ipairs(some) do
    members[i] = each.member
    marks[2 * i - 1], marks[2 * i] = each.member, fence
    local rows = moved[each.lane] or {}
    rows[#rows + 1], rows[#rows + 2] = text(now + length), each.member
    moved[each.lane] = rows
  end
  local held = redis.call('HMGET', claims, unpack(members))
  local drawn_for = redis.call('HMGET', generations, unpack(members))
  local failed = redis.call('ZMSCORE', failures, unpack(members))
  redis.call('HSET', claims, unpack(marks))
  for lane, rows in pairs(moved) do
    redis.call('ZADD', due .. lane, unpack(rows))
  end
  for i, each in ipairs(some) do
    local taken_over = held[i] and 1 or 0
    table.insert(answer, {each.member, drawn_for[i] or '0', fence, text(each.at), failed[i] or '0', taken_over})
  end
end

for first = 1, #taken, at_once do
  claim({unpack(taken, first, math.min(first + at_once - 1, #taken))}, draw())
end

look_ahead()
return {text(now), answer, waiting and text(waiting) or later or ''}
