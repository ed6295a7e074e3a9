"""The leases of all workers in Redis: the steps of :mod:`gateway.edge.capacity` in Lua.

There are two keys. ``LEASES`` is a hash: ``l<id>`` → ``kbps asset edge`` for each lease,
``e<edge>`` → the kbit/s leased there, ``n`` → the number of leases, and ``g`` → the name of this
generation. ``ENDS`` is a sorted set of lease ids by the millisecond of their end, on Redis's own
clock.

The two keys are written together. When they disagree, Redis has evicted one of them
(``allkeys-lru``): both are deleted, and a new generation begins under another name. A worker that
sees another name writes its own leases back.
"""

from gateway.store.connection.protocol import Script

_CLOCK = b"local clock = redis.call('TIME')\n"

_COMMON = b"""
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local leases, ends = KEYS[1], KEYS[2]

-- found is HMGET n g. When the keys disagree or are missing, a new generation begins.
local function check(found, writes)
  if found[2] and redis.call('ZCARD', ends) == tonumber(found[1] or 0) then return found[2] end
  if not writes then return '' end
  redis.call('DEL', leases, ends)
  local generation = string.format('%.0f%06d', clock[1], clock[2])
  redis.call('HSET', leases, 'g', generation)
  return generation, true
end

local function open()
  return (check(redis.call('HMGET', leases, 'n', 'g'), true))
end

local function parse(text)
  local kbps, asset, edge = string.match(text or '', '^(%d+) (%S+) (.*)$')
  if not kbps then return nil end
  return {kbps = tonumber(kbps), asset = asset, edge = edge}
end

local function read(id)
  return parse(redis.call('HGET', leases, 'l' .. id))
end

local function serialise(kbps, asset, edge)
  return string.format('%.0f %s %s', kbps, asset, edge)
end

local function give_back(lease)
  local field = 'e' .. lease.edge
  if redis.call('HINCRBY', leases, field, -lease.kbps) == 0 then
    redis.call('HDEL', leases, field)
  end
end

local function release(id, lease)
  give_back(lease)
  redis.call('HINCRBY', leases, 'n', -1)
  redis.call('HDEL', leases, 'l' .. id)
  redis.call('ZREM', ends, id)
end

local function put(id, own, kbps, asset, edge, ends_at)
  if not own or own.edge ~= edge then
    if own then give_back(own) end
    redis.call('HINCRBY', leases, 'e' .. edge, kbps)
  elseif own.kbps ~= kbps then
    redis.call('HINCRBY', leases, 'e' .. edge, kbps - own.kbps)
  end
  if not own then redis.call('HINCRBY', leases, 'n', 1) end
  redis.call('HSET', leases, 'l' .. id, serialise(kbps, asset, edge))
  redis.call('ZADD', ends, string.format('%.0f', ends_at), id)
end

local function expire(limit)
  local ended = redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, limit)
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
local found = redis.call('HMGET', leases, unpack(fields))
local generation, new = check(found, takes)
if ARGV[8] ~= '' and ARGV[8] ~= generation then return {generation, 0, '', {}} end
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
return {generation, chosen, outcome, loads}
"""

# ARGV: ttl in ms, the most expired leases to remove, and the edges.
_LOADS = b"""
local generation = open()
local ended = expire(ARGV[2])
local loads = {}
for at = 3, #ARGV do
  loads[at - 2] = tonumber(redis.call('HGET', leases, 'e' .. ARGV[at]) or 0)
end
keep(ARGV[1])
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
return generation
"""


def scripts(clock: bytes = _CLOCK) -> tuple[Script, Script, Script]:
    """``place``, ``loads`` and ``restore``. ``clock`` is the Lua that sets ``clock`` as TIME does;
    tests pass a clock of their own."""
    return (
        Script("lease", clock + _COMMON + _PLACE),
        Script("lease_loads", clock + _COMMON + _LOADS),
        Script("lease_restore", clock + _COMMON + _RESTORE),
    )


PLACE, LOADS, RESTORE = scripts()
