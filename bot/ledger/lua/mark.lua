-- Something that replicas can confirm, and everything before it. Answers which primary that is.
redis.call('SET', op .. 'mark', text(now), 'PX', 60000)
return primary_id()
