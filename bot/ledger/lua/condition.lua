local often, most, counted = ARGV[1], ARGV[2], {unpack(ARGV, 3)}

local failing = {}
local found = redis.call('ZRANGE', failures, '+inf', often, 'BYSCORE', 'REV', 'LIMIT', 0, most, 'WITHSCORES')
for i = 1, #found, 2 do
  table.insert(failing, {found[i], redis.call('ZSCORE', due_in(found[i]), found[i]) or text(now), found[i + 1]})
end

local counts = {}
for i, name in ipairs(counted) do
  local found = redis.pcall('SCARD', index .. name)
  counts[i] = type(found) == 'number' and found or 0
end

local owed, first = 0, nil
for _, lane in ipairs(redis.call('SMEMBERS', lanes)) do
  owed = owed + redis.call('ZCARD', due .. lane)
  local at = redis.call('ZRANGE', due .. lane, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
  if at and (not first or tonumber(at) < tonumber(first)) then
    first = at
  end
end
return {
  text(now),
  redis.call('GET', beat) or '',
  owed,
  first or '',
  failing,
  redis.call('HGETALL', aside),
  counts,
  redis.call('LLEN', unlogged),
}
