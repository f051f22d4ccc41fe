local limit, share, length = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local load = cjson.decode(ARGV[4])
local kinds = cjson.decode(ARGV[5])
local any_kind = next(kinds) == nil
local named = ARGV[6] and cjson.decode(ARGV[6])

local wrong = misplaced()
if wrong then
  return wrong
end

-- a sign of life of the workers, which ask for whatever is due
local beaten = tonumber(redis.pcall('GET', beat) or 0) or 0
if any_kind and not named and now - beaten >= 1000 then
  redis.call('SET', beat, text(now))
end

local function lane_of(member)
  return string.match(member, '^(.-)/') or string.match(member, '^[^:]*')
end

local taken, waiting = {}, nil

local function pick(owed)
  for i = 1, #owed, 2 do
    local lane = lane_of(owed[i])
    local busy = load[lane] or 0
    if busy < share and (any_kind or kinds[string.match(owed[i], '^[^:]*')]) then
      if #taken == limit then
        waiting = owed[i + 1]
        break
      end
      load[lane] = busy + 1
      table.insert(taken, {owed[i], owed[i + 1]})
    end
  end
end

local function pick_any()
  local offset, page = 0, limit + 16
  repeat
    local owed = redis.call('ZRANGE', due, '-inf', text(now), 'BYSCORE', 'LIMIT', offset, page, 'WITHSCORES')
    pick(owed)
    local last = #owed < 2 * page
    offset, page = offset + page, page * 4
  until waiting or last
end

local function pick_named()
  local owed = {}
  for _, member in ipairs(named) do
    local at = redis.call('ZSCORE', due, member)
    if at and tonumber(at) <= now then
      table.insert(owed, member)
      table.insert(owed, at)
    end
  end
  pick(owed)
end

if named then
  pick_named()
else
  pick_any()
end

local fence = #taken > 0 and draw()
local answer = {}
for _, each in ipairs(taken) do
  local member, owed_at = unpack(each)
  local taken_over = redis.call('HEXISTS', claims, member)
  redis.call('HSET', claims, member, fence)
  redis.call('ZADD', due, text(now + length), member)
  local generation = redis.call('HGET', generations, member) or '0'
  local failed = redis.call('ZSCORE', failures, member) or '0'
  table.insert(answer, {member, generation, fence, owed_at, failed, taken_over})
end

local later = redis.call('ZRANGE', due, '(' .. text(now), '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
return {text(now), answer, waiting or later[2] or ''}
