local kind, copies = ARGV[1] .. ':', tonumber(ARGV[2])

local function read(wanted)
  local seen, documents, leases, faults = {}, {}, {}, {}

  -- what is of another type is nothing that we have written
  local function readable(found, key)
    if type(found) == 'table' and found.err then
      table.insert(faults, key .. ': ' .. found.err)
      return nil
    end
    return found
  end

  local function add(name)
    if seen[name] then
      return
    end
    seen[name] = true
    local found = readable(redis.pcall('HMGET', doc .. name, 'v', 'd'), doc .. name) or {}
    local version = found[1] and string.match(found[1], '^%d+$')
    table.insert(documents, {name, version or '0', found[2] or ''})
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
    local members = readable(redis.pcall('SMEMBERS', index .. name), index .. name) or {}
    table.sort(members)
    for _, grant in ipairs(members) do
      add(kind .. grant)
    end
  end
  return {documents, leases, faults}
end

local answers = {text(now), copies > 0 and primary_id() or '', (copies == 0 or compared()) and 1 or 0}
for i = 3, #ARGV do
  table.insert(answers, read(cjson.decode(ARGV[i])))
end
return answers
