-- What is there has a lower number: from here on processes that know only that one do nothing.
redis.call('SET', schema, ours)
return there or ''
