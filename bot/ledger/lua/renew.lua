local length = tonumber(ARGV[1])
local ours = {}
for _, claim in ipairs(cjson.decode(ARGV[2])) do
  local member, fence = unpack(claim)
  if redis.call('HGET', claims, member) == fence then
    redis.call('ZADD', due_in(member), 'XX', text(now + length), member)
    table.insert(ours, member)
  end
end
return ours
