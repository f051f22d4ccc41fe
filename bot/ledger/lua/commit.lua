local frees, sent, sent_ms, copies = ARGV[1] == 'frees', op .. ARGV[2], ARGV[3], tonumber(ARGV[4])

local function count(name)
  local found = redis.pcall('SCARD', index .. name)
  return type(found) == 'number' and found or 0
end

local function objection(plan)
  for _, each in ipairs(plan.rests_on) do
    local name, version = unpack(each)
    if version_of(name) ~= version then
      return name .. ' has changed'
    end
  end
  for _, grant in ipairs(plan.needs) do
    if not lease_end(grant) then
      return 'lease of ' .. grant .. ' is gone'
    end
  end
  for _, grant in ipairs(plan.without) do
    if lease_end(grant) then
      return 'lease of ' .. grant .. ' is there'
    end
  end
  for _, each in ipairs(plan.members) do
    local name, ids = unpack(each)
    if count(name) ~= #ids then
      return 'index ' .. name .. ' has changed'
    end
    for _, id in ipairs(ids) do
      if redis.call('SISMEMBER', index .. name, id) == 0 then
        return 'index ' .. name .. ' has changed'
      end
    end
  end
  if plan.seal then
    local last = redis.call('XREVRANGE', seals, '+', '-', 'COUNT', 1)[1]
    if last and tonumber(string.match(last[1], '^%d+')) >= tonumber(plan.seal[1]) then
      return 'seal ' .. plan.seal[1] .. ' is there'
    end
  end
  if plan.drop then
    local found = redis.call('XRANGE', seals, plan.drop.seal, plan.drop.seal)[1]
    if not plan.seal or not found or found[2][2] ~= plan.drop.text then
      return 'seal ' .. plan.drop.seal .. ' is not as it was'
    end
  end
  if plan.done and redis.call('HGET', claims, plan.done.member) ~= plan.done.fence then
    return 'claim on ' .. plan.done.member .. ' is lost'
  end
end

-- ------------------------------------------------------------------------------------------- audit

local function log(entry)
  local said = redis.pcall('XADD', audit, '*', 'e', entry)
  return type(said) == 'table' and said.err or nil
end

-- one more fact, the last part of an entry
local function written_late(entry, at)
  local seconds = text((now - tonumber(at)) / 1000)
  local before = string.gsub(entry, '}}$', '')
  return before .. (string.sub(before, -1) == '{' and '' or ',') .. '"written_late_s":' .. seconds .. '}}'
end

-- what could not be written when it happened
local function catch_up()
  local entry = redis.pcall('LINDEX', unlogged, 0)
  while type(entry) == 'string' do
    local at, rest = string.match(entry, '^(%d+) (.*)$')
    local fault = log(written_late(rest, at))
    if fault then
      return fault
    end
    redis.call('LPOP', unlogged)
    entry = redis.call('LINDEX', unlogged, 0)
  end
end

local function audit_fault()
  local found = redis.call('TYPE', audit).ok
  if found ~= 'stream' and found ~= 'none' then
    return audit .. ' is a ' .. found
  end
  if not redis.acl_check_cmd('XADD', audit, '*', 'e', '{}') then
    return 'this user of Redis may not XADD ' .. audit
  end
end

local function drop_fault(drop)
  for _, each in ipairs({audit, seals}) do
    if drop and not redis.acl_check_cmd('XTRIM', each, 'MINID', '0-1') then
      return 'this user of Redis may not XTRIM ' .. each
    end
  end
end

local caught_up

-- What is taken back is taken back also where its entries cannot be written; they are kept until they can.
local function log_all(entries)
  local fault = #entries > 0 and not caught_up and catch_up() or nil
  caught_up = #entries > 0 and not fault
  for _, entry in ipairs(entries) do
    fault = fault or log(entry)
    if fault then
      redis.pcall('RPUSH', unlogged, text(now) .. ' ' .. entry)
    end
  end
  return fault
end

-- ------------------------------------------------------------------------------------------ writing

-- what stands in a place that is ours, and is of another type, goes out of the way
local function clear(key, version)
  if redis.call('EXISTS', key) == 1 then
    redis.call('RENAME', key, aside .. ':' .. version .. ':' .. key)
  end
end

local function put(name, version, document)
  local key = doc .. name
  if type(redis.pcall('HSET', key, 'v', version, 'd', document)) == 'table' then
    clear(key, version)
    redis.call('HSET', key, 'v', version, 'd', document)
  end
end

local function move_lease(grant, how, ends)
  local name = lease .. grant
  if how == 'drop' then
    redis.call('DEL', name)
    return
  end
  if how == 'start' then
    redis.call('SET', name, '1')
  end
  -- an end that is past deletes it
  if ends then
    redis.call('PEXPIREAT', name, ends)
  else
    redis.call('PERSIST', name)
  end
end

local function enlist(name, grant, there, version)
  local key = index .. name
  local verb = there and 'SADD' or 'SREM'
  if type(redis.pcall(verb, key, grant)) == 'table' then
    clear(key, version)
    redis.call(verb, key, grant)
  end
end

-- ---------------------------------------------------------------------------------------------- due

local function close(done)
  local member = done.member
  local armed = (redis.call('HGET', generations, member) or '0') ~= done.generation
  redis.call('HDEL', claims, member)
  if done.failed then
    redis.call('ZINCRBY', failures, 1, member)
  else
    redis.call('ZREM', failures, member)
  end
  if armed then
    owe_at(member, text(now))
    soonest = now
  elseif done.next_at then
    owe_at(member, done.next_at)
  else
    redis.call('ZREM', due_in(member), member)
  end
  return not (armed or done.next_at)
end

local function forget(done)
  redis.call('HDEL', generations, done.member)
  if done.failed then
    redis.call('ZREM', failures, done.member)
  end
end

local function owe(plan, version)
  local over = plan.done and close(plan.done)
  for _, each in ipairs(plan.due) do
    arm(each[1], each[2], version)
    over = over and each[1] ~= plan.done.member
  end
  if over then
    forget(plan.done)
  end
end

local function commit(plan)
  if plan.copied and copies > 0 and not compared() then
    return {'uncompared', '0', primary_id()}
  end
  local done_before = plan.op and redis.pcall('GET', op .. plan.op)
  if type(done_before) == 'string' then
    -- WAIT waits for what its own connection wrote last
    if plan.copied then
      redis.call('PEXPIREAT', op .. plan.op, text(now + plan.op_ms))
    end
    return {'again', '0', done_before}
  end
  local conflict = objection(plan)
  if conflict then
    return {'conflict', '0', conflict}
  end
  local must_log = plan.drop or #plan.audit > 0 and not frees
  local unwritable = must_log and audit_fault() or drop_fault(plan.drop)
  if unwritable then
    return {'unlogged', '0', unwritable}
  end

  -- Redis refuses a number below one that was ever there
  if plan.seal then
    redis.call('XADD', seals, plan.seal[1] .. '-0', 's', plan.seal[2])
  end
  if plan.drop then
    redis.call('XTRIM', audit, 'MINID', plan.drop.entries)
    redis.call('XTRIM', seals, 'MINID', plan.drop.seals)
  end
  local fault = log_all(plan.audit)
  local version = draw()
  for _, each in ipairs(plan.put) do
    put(each[1], version, each[2])
  end
  for _, name in ipairs(plan.delete) do
    redis.call('DEL', doc .. name)
  end
  for _, each in ipairs(plan.ensure) do
    if version_of(each[1]) == '0' then
      put(each[1], version, each[2])
    end
  end
  for _, each in ipairs(plan.leases) do
    move_lease(each[1], each[2], each[3])
  end
  for _, each in ipairs(plan.index) do
    enlist(each[1], each[2], each[3], version)
  end
  owe(plan, version)
  if plan.op then
    redis.call('SET', op .. plan.op, plan.answer, 'PX', plan.op_ms)
  end
  return {'done', version, fault or ''}
end

local looked_at = {}

local function misplaced_lane(member)
  local key = due_in(member)
  if not looked_at[key] then
    looked_at[key] = true
    return misplaced_one(key, 'zset')
  end
end

local function misplaced_lanes(plan)
  local wrong = plan.done and misplaced_lane(plan.done.member)
  for _, each in ipairs(plan.due) do
    wrong = wrong or misplaced_lane(each[1])
  end
  return wrong
end

-- What has the same name was sent again, because its answer was lost.
local function answered()
  local answers = redis.pcall('GET', sent)
  if type(answers) == 'string' then
    redis.call('PEXPIRE', sent, sent_ms) -- WAIT waits for what its own connection wrote last
    return cjson.decode(answers)
  end
end

local plans = {}
local wrong = misplaced() or forbidden()
for i = 5, #ARGV do
  plans[i - 4] = cjson.decode(ARGV[i])
  wrong = wrong or misplaced_lanes(plans[i - 4])
end
if wrong then
  return wrong
end
local answers = answered()
if answers then
  return answers
end
answers = {text(now), copies > 0 and primary_id() or ''}
if not there then
  redis.call('SET', schema, ours)
end
for _, plan in ipairs(plans) do
  table.insert(answers, commit(plan))
end
if drawn then
  redis.call('SET', sent, cjson.encode(answers), 'PX', sent_ms)
end
-- whoever waits looks again soon in any case
if soonest and soonest < now + 2000 then
  wake()
end
return answers
