local function objection(plan)
  for _, each in ipairs(plan.rests_on) do
    local name, version = unpack(each)
    if (redis.call('HGET', doc .. name, 'v') or '0') ~= version then
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
    if redis.call('SCARD', index .. name) ~= #ids then
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
  if plan.done and redis.call('HGET', claims, plan.done.member) ~= plan.done.fence then
    return 'claim on ' .. plan.done.member .. ' is lost'
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

local soonest = math.huge

local function close(done)
  local member = done.member
  redis.call('HDEL', claims, member)
  if done.failed then
    redis.call('ZINCRBY', failures, 1, member)
  else
    redis.call('ZREM', failures, member)
  end
  if (redis.call('HGET', generations, member) or '0') ~= done.generation then
    redis.call('ZADD', due, text(now), member)
    soonest = now
  elseif done.next_at then
    redis.call('ZADD', due, done.next_at, member)
  else
    redis.call('ZREM', due, member)
  end
end

local function arm(member, at, generation)
  redis.call('HSET', generations, member, generation)
  -- what is claimed is due when the claim is closed or lapses
  if redis.call('HEXISTS', claims, member) == 0 then
    redis.call('ZADD', due, 'LT', at, member)
    soonest = math.min(soonest, tonumber(at))
  end
end

local function forget_unless_due(member)
  if not redis.call('ZSCORE', due, member) then
    redis.call('HDEL', generations, member)
    redis.call('ZREM', failures, member)
  end
end

local function commit(plan)
  local done_before = redis.call('GET', op .. plan.op)
  if done_before then
    return {'again', '0', done_before}
  end
  local conflict = objection(plan)
  if conflict then
    return {'conflict', '0', conflict}
  end

  -- before all else that is written: Redis refuses a number below one that was ever there
  if plan.seal then
    redis.call('XADD', seals, plan.seal[1] .. '-0', 's', plan.seal[2])
  end
  local version = text(redis.call('INCR', counter))
  for _, each in ipairs(plan.put) do
    redis.call('HSET', doc .. each[1], 'v', version, 'd', each[2])
  end
  for _, name in ipairs(plan.delete) do
    redis.call('DEL', doc .. name)
  end
  for _, each in ipairs(plan.ensure) do
    if redis.call('EXISTS', doc .. each[1]) == 0 then
      redis.call('HSET', doc .. each[1], 'v', version, 'd', each[2])
    end
  end
  for _, each in ipairs(plan.leases) do
    move_lease(each[1], each[2], each[3])
  end
  for _, each in ipairs(plan.index) do
    redis.call(each[3] and 'SADD' or 'SREM', index .. each[1], each[2])
  end

  local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
  if plan.done then
    close(plan.done)
  end
  for _, each in ipairs(plan.due) do
    arm(each[1], each[2], version)
  end
  if plan.done then
    forget_unless_due(plan.done.member)
  end
  if soonest <= now or soonest < (tonumber(first) or math.huge) then
    redis.call('RPUSH', nudge, '1')
    redis.call('LTRIM', nudge, -16, -1)
  end

  for _, entry in ipairs(plan.audit) do
    redis.call('XADD', audit, '*', 'e', entry)
  end
  redis.call('SET', op .. plan.op, plan.answer, 'PX', plan.op_ms)
  return {'done', version, ''}
end

local answers = {text(now)}
for i = 1, #ARGV do
  soonest = math.huge
  table.insert(answers, commit(cjson.decode(ARGV[i])))
end
return answers
