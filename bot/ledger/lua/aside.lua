local kind = ARGV[1] .. ':'
local wrong = misplaced()
if wrong then
  return wrong
end

-- whatever is owed under the name of an index that the grant stands in, is owed now
local function look_again(grant)
  local generation = draw()
  for _, lane in ipairs(redis.call('SMEMBERS', lanes)) do
    for _, member in ipairs(redis.call('ZRANGE', due .. lane, 0, -1)) do
      if redis.pcall('SISMEMBER', index .. member, grant) == 1 then
        arm(member, text(now), generation)
      end
    end
  end
end

local function keep(name, version, fault)
  local found = redis.pcall('HGET', doc .. name, 'd') or ''
  if type(found) == 'table' or version_of(name) ~= version then
    return 0
  end
  local field = name .. '@' .. (version == '0' and redis.sha1hex(found) or version)
  local kept = redis.call('HSETNX', aside, field, text(now) .. '\n' .. fault .. '\n' .. found)
  if kept == 1 and string.sub(name, 1, #kind) == kind then
    look_again(string.sub(name, #kind + 1))
  end
  return kept
end

local kept = 0
for i = 2, #ARGV, 3 do
  kept = kept + keep(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
if soonest then
  wake()
end
return kept
