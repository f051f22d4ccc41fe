local counter, due, generations, claims, failures, nudge, beat, aside, audit, seals, doc, lease, index, op = unpack(KEYS)

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Lua writes large numbers as 1.7e+12
local function text(number)
  return string.format('%.0f', number)
end

-- the end of a live lease, -1 where it has none; nil where there is no live lease
local function lease_end(grant)
  local ends = redis.call('PEXPIRETIME', lease .. grant)
  if ends == -1 or ends > now then
    return ends
  end
end
