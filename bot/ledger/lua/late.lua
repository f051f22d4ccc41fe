-- what is owed later than it ever is, by kind; and what is claimed though it is not due when a claim lapses
local longest = cjson.decode(ARGV[1])
local most = 1000

local late = {}
for _, lane in ipairs(redis.call('SMEMBERS', lanes)) do
  local within = longest[string.match(lane, '^[^:]*')]
  if within then
    local after = '(' .. text(now + tonumber(within))
    local found = redis.call('ZRANGE', due .. lane, after, '+inf', 'BYSCORE', 'LIMIT', 0, most)
    for _, member in ipairs(found) do
      table.insert(late, member)
    end
  end
end

-- two servers' clocks may be somewhat apart
for _, member in ipairs(redis.call('HKEYS', claims)) do
  local at = tonumber(redis.call('ZSCORE', due_in(member), member) or math.huge)
  if at > now + claim_ms + 5000 then
    table.insert(late, member)
  end
end
return late
