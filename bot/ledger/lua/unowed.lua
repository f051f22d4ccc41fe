local missing = {}
for _, member in ipairs(cjson.decode(ARGV[1])) do
  local lane = lane_of(member)
  if redis.call('SISMEMBER', lanes, lane) == 0 or not redis.call('ZSCORE', due .. lane, member) then
    table.insert(missing, member)
  end
end
return missing
