"""The leases of all workers in Redis: the steps of :mod:`gateway.edge.capacity` in Lua.

There are two keys. ``LEASES`` is a hash: ``l<id>`` → ``kbps asset edge`` for each lease,
``e<edge>`` → the kbit/s leased there, ``n`` → the number of leases, and ``g`` → the name of this
generation. ``ENDS`` is a sorted set of lease ids by the millisecond of their end, on Redis's own
clock.

The two keys are written together. When they disagree, Redis has evicted one of them
(``allkeys-lru``): both are deleted, and a new generation begins under another name. A worker that
sees another name writes its own leases back.

A new generation also begins when either key is of another type, or holds a number that cannot be
one of ours: no sum of rates is negative, or greater than its leases can make it at
``MAX_LEASE_KBPS`` each. A lease that ends later than any may is released.
"""

from gateway.edge.capacity import MAX_LEASE_KBPS
from gateway.store.connection.protocol import Script

_CLOCK = b"local clock = redis.call('TIME')\n"

_BOUNDS = b"local longest_ms, most_kbps = 31536000000, %d\n" % MAX_LEASE_KBPS

_COMMON = b"""
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local leases, ends = KEYS[1], KEYS[2]
local broken = false

-- A whole number from 0 to most, 0 for a missing one, else nil. Lua reads 'nan' and 'inf', too.
local function number(text, most)
  local found = tonumber(text or 0)
  if found and found >= 0 and found <= most and found % 1 == 0 then return found end
end

-- found is HMGET n g, followed by a lease and by loads. A new generation begins when the keys
-- disagree, are missing, or hold what is not ours.
local function check(found, writes, fields)
  local count = not found.err and number(found[1], 1e9)
  local good = count and found[2] and #found[2] <= 64 and redis.pcall('ZCARD', ends) == count
  for at = 4, good and fields or 0 do good = good and number(found[at], count * most_kbps) end
  if good then return found[2] end
  if not writes then return '', true end
  redis.call('DEL', leases, ends)
  local generation = string.format('%.0f%06d', clock[1], clock[2])
  redis.call('HSET', leases, 'g', generation)
  return generation, true
end

local function open()
  return (check(redis.pcall('HMGET', leases, 'n', 'g'), true, 2))
end

-- Call it last. What cannot be counted with is not ours: the next look begins a new generation.
local function close()
  if broken then redis.call('DEL', leases, ends) end
end

local function add(field, by)
  local sum = redis.pcall('HINCRBY', leases, field, string.format('%.0f', by))
  if type(sum) == 'number' and sum >= 0 then return sum end
  broken = true
end

local function parse(text)
  local kbps, asset, edge = string.match(text or '', '^(%d+) (%S+) (.*)$')
  kbps = kbps and number(kbps, most_kbps)
  if not kbps then return nil end
  return {kbps = kbps, asset = asset, edge = edge}
end

local function read(id)
  return parse(redis.call('HGET', leases, 'l' .. id))
end

local function serialise(kbps, asset, edge)
  return string.format('%.0f %s %s', kbps, asset, edge)
end

local function give_back(lease)
  local field = 'e' .. lease.edge
  if add(field, -lease.kbps) == 0 then redis.call('HDEL', leases, field) end
end

local function release(id, lease)
  give_back(lease)
  add('n', -1)
  redis.call('HDEL', leases, 'l' .. id)
  redis.call('ZREM', ends, id)
end

local function put(id, own, kbps, asset, edge, ends_at)
  if not own or own.edge ~= edge then
    if own then give_back(own) end
    add('e' .. edge, kbps)
  elseif own.kbps ~= kbps then
    add('e' .. edge, kbps - own.kbps)
  end
  if not own then add('n', 1) end
  redis.call('HSET', leases, 'l' .. id, serialise(kbps, asset, edge))
  redis.call('ZADD', ends, string.format('%.0f', ends_at), id)
end

local function expire(limit, from, to)
  local ended = redis.call(
    'ZRANGEBYSCORE', ends, from or '-inf', to or now, 'LIMIT', 0, limit
  )
  for _, id in ipairs(ended) do
    local lease = read(id)
    if lease then release(id, lease) else redis.call('ZREM', ends, id) end  -- check detects it
  end
  return #ended
end

local function keep(ttl_ms)
  redis.call('PEXPIRE', leases, 2 * ttl_ms)
  redis.call('PEXPIRE', ends, 2 * ttl_ms)
end
"""

# ARGV: lease id, asset, kbit/s, ttl in ms, "1" to take or "0" to look, the position of the
# candidate that the session holds or "0", the candidates: "<edge> <capacity or -> <1 if it takes
# new ones> …", and the generation that the caller knows, or "". In another generation the script
# places no session and returns 0.
_PLACE = b"""
local id, asset, kbps = ARGV[1], ARGV[2], tonumber(ARGV[3])
local takes, held = ARGV[5] == '1', tonumber(ARGV[6])

local edges, capacities, open_to, fields = {}, {}, {}, {'n', 'g', 'l' .. id}
local any = false
for edge, capacity, flag in string.gmatch(ARGV[7], '(%S+) (%S+) (%d)') do
  local at = #edges + 1
  edges[at], capacities[at], open_to[at] = edge, tonumber(capacity) or false, flag == '1'
  fields[at + 3] = 'e' .. edge
  any = any or open_to[at]
end
local found = redis.pcall('HMGET', leases, unpack(fields))
local generation, new = check(found, takes, #fields)
if ARGV[8] ~= '' and ARGV[8] ~= generation then return {generation, 0, '', {}} end
if new then found = {} end
if takes and (expire(64) > 0 or new) then found = redis.call('HMGET', leases, unpack(fields)) end
local own = parse(found[3])
local loads = {}
local kept = held > 0 and held or nil
for at, edge in ipairs(edges) do
  loads[at] = tonumber(found[at + 3] or 0)
  if own and own.edge == edge then
    loads[at] = loads[at] - own.kbps
    if held == 0 and own.asset == asset then kept = at end
  end
end

local chosen, outcome = kept, 'kept'
if not chosen then
  local least
  for at, capacity in ipairs(capacities) do
    if open_to[at] or not any then
      if not capacity or loads[at] + kbps <= capacity then
        chosen, outcome = at, at == 1 and 'first' or 'spilled'
        break
      end
      local use = (loads[at] + kbps) / math.max(1, capacity)
      if not least or use < least then chosen, outcome, least = at, 'over', use end
    end
  end
end
loads[chosen] = loads[chosen] + kbps
if takes then
  local edge, count = edges[chosen], tonumber(found[1] or 0)
  if own and own.edge ~= edge then give_back(own) end
  redis.call('HSET', leases,
    'n', string.format('%.0f', own and count or count + 1),
    'e' .. edge, string.format('%.0f', loads[chosen]),
    'l' .. id, serialise(kbps, asset, edge))
  redis.call('ZADD', ends, string.format('%.0f', now + ARGV[4]), id)
end
close()
return {generation, chosen, outcome, loads}
"""

# ARGV: ttl in ms, the most expired leases to remove, and the edges.
_LOADS = b"""
local generation = open()
expire(ARGV[2], string.format('(%.0f', now + longest_ms), '+inf')
local ended = expire(ARGV[2])
local count = number(redis.call('HGET', leases, 'n'), 1e9) or 0
local loads = {}
for at = 3, #ARGV do
  local load = number(redis.call('HGET', leases, 'e' .. ARGV[at]), count * most_kbps)
  broken = broken or not load
  loads[at - 2] = load or 0
end
keep(ARGV[1])
close()
return {generation, ended, loads}
"""

# ARGV: ttl in ms, and for each lease: id, asset, kbit/s, edge, ms until it ends. A lease that is
# stored under the same id and ends later is newer, and stays.
_RESTORE = b"""
local generation = open()
for at = 2, #ARGV, 5 do
  local id, left = ARGV[at], tonumber(ARGV[at + 4])
  local known = tonumber(redis.call('ZSCORE', ends, id) or 0)
  if known < now + left then
    put(id, read(id), tonumber(ARGV[at + 2]), ARGV[at + 1], ARGV[at + 3], now + left)
  end
end
keep(ARGV[1])
close()
return generation
"""


# ARGV: the edges. What is leased on each, as it was last counted. It writes nothing, so it works on
# a replica and on a full Redis; what is not ours counts as nothing.
_LEASED = b"""
local count = number(redis.pcall('HGET', leases, 'n'), 1e9) or 0
local loads = {}
for at, edge in ipairs(ARGV) do
  loads[at] = number(redis.pcall('HGET', leases, 'e' .. edge), count * most_kbps) or 0
end
return loads
"""


def scripts(clock: bytes = _CLOCK) -> tuple[Script, Script, Script]:
    """``place``, ``loads`` and ``restore``. ``clock`` is the Lua that sets ``clock`` as TIME does;
    tests pass a clock of their own."""
    common = clock + _BOUNDS + _COMMON
    return (
        Script("lease", common + _PLACE),
        Script("lease_loads", common + _LOADS),
        Script("lease_restore", common + _RESTORE),
    )


PLACE, LOADS, RESTORE = scripts()
LEASED = Script("lease_leased", _CLOCK + _BOUNDS + _COMMON + _LEASED)
