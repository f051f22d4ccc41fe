-- Something that replicas can confirm, and everything before it.
redis.call('SET', op .. 'mark', text(now), 'PX', 60000)
return 1
