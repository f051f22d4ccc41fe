local kind = ARGV[1] .. ':'

local function read(wanted)
  local seen, documents, leases = {}, {}, {}

  local function add(name)
    if seen[name] then
      return
    end
    seen[name] = true
    local found = redis.call('HMGET', doc .. name, 'v', 'd')
    table.insert(documents, {name, found[1] or '0', found[2] or ''})
    if string.sub(name, 1, #kind) == kind then
      local grant = string.sub(name, #kind + 1)
      local ends = lease_end(grant)
      if ends then
        table.insert(leases, {grant, text(ends)})
      end
    end
  end

  for _, name in ipairs(wanted.keys) do
    add(name)
  end
  for _, name in ipairs(wanted.follow) do
    local members = redis.call('SMEMBERS', index .. name)
    table.sort(members)
    for _, grant in ipairs(members) do
      add(kind .. grant)
    end
  end
  return {documents, leases}
end

local answers = {text(now)}
for i = 2, #ARGV do
  table.insert(answers, read(cjson.decode(ARGV[i])))
end
return answers
