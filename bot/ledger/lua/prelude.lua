local counter, lanes, due, generations, claims, failures, nudge, beat, aside, unlogged, audit, seals,
  schema, primary, doc, lease, index, op = unpack(KEYS)

-- Records of another shape are neither read nor written: what this process knows of them may be wrong.
local there = redis.pcall('GET', schema)
if type(there) ~= 'string' then
  there = nil
elseif there ~= ours and not (upgrading and (tonumber(there) or math.huge) < tonumber(ours)) then
  return redis.error_reply('SCHEMA ' .. there)
end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Lua writes large numbers as 1.7e+12
local function text(number)
  return string.format('%.0f', number)
end

-- the end of a live lease, -1 where it has none; nil where there is no live lease
local function lease_end(grant)
  local ends = redis.call('PEXPIRETIME', lease .. grant)
  if ends == -1 or ends > now then
    return ends
  end
end

-- what shares threads: one target's holds, or all of a kind
local function lane_of(member)
  return string.match(member, '^(.-)/') or string.match(member, '^[^:]*')
end

local function due_in(member)
  return due .. lane_of(member)
end

local known = {}

local function owe_at(member, at, how)
  local lane = lane_of(member)
  if not known[lane] then
    redis.call('SADD', lanes, lane)
    known[lane] = true
  end
  if how then
    redis.call('ZADD', due .. lane, how, at, member)
  else
    redis.call('ZADD', due .. lane, at, member)
  end
end

-- '0' where there is no document, or something else in its place
local function version_of(name)
  local found = redis.pcall('HGET', doc .. name, 'v')
  return type(found) == 'string' and string.match(found, '^%d+$') or '0'
end

-- What a script has written before it fails stays written. So it is asked first whether it can fail.
local function misplaced_one(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    return redis.error_reply('MISPLACED ' .. key .. ' is a ' .. found .. ' where a ' .. kind .. ' belongs')
  end
end

local function misplaced()
  local wanted = {
    [schema] = 'string', [counter] = 'string', [lanes] = 'set', [generations] = 'hash', [claims] = 'hash', [failures] = 'zset',
    [aside] = 'hash',
  }
  for key, kind in pairs(wanted) do
    local wrong = misplaced_one(key, kind)
    if wrong then
      return wrong
    end
  end
  local drawn = redis.call('GET', counter) or '0'
  if not string.match(drawn, '^%d+$') or #drawn > 16 then
    return redis.error_reply('MISPLACED ' .. counter .. ' is not a number of ours')
  end
end

local function forbidden()
  local wanted = {
    {'INCR', counter}, {'SET', lease, '1'}, {'PEXPIREAT', lease, '1'}, {'PERSIST', lease}, {'DEL', doc},
    {'HSET', doc, 'v', '1'}, {'HDEL', claims, 'm'}, {'SADD', index, 'g'}, {'SREM', index, 'g'},
    {'ZADD', due, '1', 'm'}, {'ZREM', due, 'm'}, {'SADD', lanes, 'l'}, {'ZINCRBY', failures, '1', 'm'}, {'RENAME', doc, doc},
    {'EXISTS', doc}, {'HEXISTS', claims, 'm'}, {'ZRANGE', due, '0', '0'}, {'ZSCORE', due, 'm'},
  }
  for _, each in ipairs(wanted) do
    if not redis.acl_check_cmd(unpack(each)) then
      return redis.error_reply('NOPERM this user of Redis may not ' .. each[1] .. ' ' .. each[2])
    end
  end
end

local drawn

-- One for each script that runs. None is drawn twice, not even after the counter was lost: it goes on from
-- the time in ms, and over time fewer than one is drawn in each.
local function draw()
  if not drawn then
    redis.call('SET', counter, text(now), 'NX')
    drawn = text(redis.call('INCR', counter))
  end
  return drawn
end

local soonest

-- What is claimed is due when the claim is closed or lapses. A claim says nothing of whether the due set has
-- the member: it may have been lost there, and whoever had the claim may be dead.
local function arm(member, at, generation)
  redis.call('HSET', generations, member, generation)
  if redis.call('HEXISTS', claims, member) == 1 then
    owe_at(member, text(now + claim_ms), 'LT')
  else
    owe_at(member, at, 'LT')
    soonest = math.min(soonest or math.huge, tonumber(at))
  end
end

-- Whether this primary is the one that was last compared with what had ended. A replica that is promoted has
-- another replication id, and so has a server that began again.
local function primary_id()
  local said = redis.pcall('INFO', 'replication')
  return type(said) == 'string' and string.match(said, 'master_replid:(%w+)') or ''
end

-- A worker keeps the first id as soon as it begins; until then there is nothing to compare.
local function compared()
  local id, last = primary_id(), redis.pcall('GET', primary)
  return id ~= '' and (not last or last == id)
end

-- a hint only
local function wake()
  redis.pcall('RPUSH', nudge, '1')
  redis.pcall('LTRIM', nudge, -16, -1)
end
