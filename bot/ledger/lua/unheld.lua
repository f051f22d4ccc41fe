local unheld = {}
for _, hold in ipairs(cjson.decode(ARGV[1])) do
  if redis.call('EXISTS', index .. 'hold:' .. hold) == 0 then table.insert(unheld, hold) end
end
return unheld
