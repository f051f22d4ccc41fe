local length = tonumber(ARGV[1])
local ours = {}
for _, claim in ipairs(cjson.decode(ARGV[2])) do
  local member, fence = unpack(claim)
  if redis.call('HGET', claims, member) == fence then
    owe_at(member, text(now + length)) -- also if it was lost from the due set meanwhile
    table.insert(ours, member)
  end
end
return ours
