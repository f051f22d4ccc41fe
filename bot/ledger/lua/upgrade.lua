-- What is there has a lower number: from here on processes that know only that one do nothing.
if not there or tonumber(there) < tonumber(ours) then
  redis.call('SET', schema, ours)
end
return there or ''
