-- With an id, and if that is still the primary's: it is compared from here on. Answers the id that was compared
-- last, and the primary's.
local id = primary_id()
if id ~= '' and ARGV[1] == id then
  redis.call('SET', primary, id)
end
local last = redis.pcall('GET', primary)
return {type(last) == 'string' and last or '', id}
