"""The leases of all workers, as Redis keeps them: the steps of :mod:`gateway.edge.capacity` in Lua.

Two keys. ``LEASES`` is a hash of ``l<id>`` → ``kbps asset edge`` for each lease, ``e<edge>`` → the
kbit/s leased there, ``n``, the number of leases, and ``g``, a name for this set of books. ``ENDS``
is a sorted set of lease ids by the millisecond at which they end, on Redis's own clock.

The two are written together. Where they disagree, Redis has dropped one of them for want of memory
(``allkeys-lru``): then the books are opened anew, under another name. A worker that sees another
name brings its own leases back.
"""

from gateway.store.protocol import Script

_CLOCK = b"local clock = redis.call('TIME')\n"

_BOOKS = b"""
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local leases, ends = KEYS[1], KEYS[2]

local function open(writes)
  local found = redis.call('HMGET', leases, 'n', 'g')
  local agree = redis.call('ZCARD', ends) == tonumber(found[1] or 0)
  if agree and found[2] then return found[2] end
  if not writes then return '' end
  redis.call('DEL', leases, ends)
  local name = string.format('%.0f%06d', clock[1], clock[2])
  redis.call('HSET', leases, 'g', name)
  return name
end

local function read(id)
  local text = redis.call('HGET', leases, 'l' .. id)
  if not text then return nil end
  local kbps, asset, edge = string.match(text, '^(%d+) (%S+) (.*)$')
  return {kbps = tonumber(kbps), asset = asset, edge = edge}
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
  redis.call('HSET', leases, 'l' .. id, string.format('%.0f %s %s', kbps, asset, edge))
  redis.call('ZADD', ends, string.format('%.0f', ends_at), id)
end

local function expire(limit)
  local ended = redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(ended) do release(id, read(id)) end
  return #ended
end

local function keep(ttl_ms)
  redis.call('PEXPIRE', leases, 2 * ttl_ms)
  redis.call('PEXPIRE', ends, 2 * ttl_ms)
end
"""

# ARGV: lease id, asset, kbit/s, ttl in ms, "1" to take or "0" to look, the number of the candidate
# that is held or "0", and the candidates: "<edge> <capacity or -> <1 if it takes new ones> …".
_PLACE = b"""
local id, asset, kbps = ARGV[1], ARGV[2], tonumber(ARGV[3])
local takes, held = ARGV[5] == '1', tonumber(ARGV[6])
local name = open(takes)
if takes then expire(64) end

local edges, capacities, open_to, fields = {}, {}, {}, {}
local any = false
for edge, capacity, flag in string.gmatch(ARGV[7], '(%S+) (%S+) (%d)') do
  local at = #edges + 1
  edges[at], capacities[at], open_to[at] = edge, tonumber(capacity) or false, flag == '1'
  fields[at] = 'e' .. edge
  any = any or open_to[at]
end
local loads = redis.call('HMGET', leases, unpack(fields))
local own = read(id)
local kept = held > 0 and held or nil
for at, edge in ipairs(edges) do
  loads[at] = tonumber(loads[at] or 0)
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
  put(id, own, kbps, asset, edges[chosen], now + ARGV[4])
  keep(ARGV[4])
end
return {name, chosen, outcome, loads}
"""

# ARGV: the most leases to clear away, and the edges.
_LOADS = b"""
local name = open(true)
local ended = expire(ARGV[1])
local loads = {}
for at = 2, #ARGV do
  loads[at - 1] = tonumber(redis.call('HGET', leases, 'e' .. ARGV[at]) or 0)
end
return {name, ended, loads}
"""

# ARGV: ttl in ms, and for each lease: id, asset, kbit/s, edge, ms until it ends. A lease that is
# known under the same id and ends later is newer, and stays.
_RESTORE = b"""
local name = open(true)
for at = 2, #ARGV, 5 do
  local id, left = ARGV[at], tonumber(ARGV[at + 4])
  local known = tonumber(redis.call('ZSCORE', ends, id) or 0)
  if known < now + left then
    put(id, read(id), tonumber(ARGV[at + 2]), ARGV[at + 1], ARGV[at + 3], now + left)
  end
end
keep(ARGV[1])
return name
"""


def scripts(clock: bytes = _CLOCK) -> tuple[Script, Script, Script]:
    """``place``, ``loads`` and ``restore``. ``clock`` is the Lua that sets ``clock`` as TIME does:
    tests have a clock of their own."""
    return (
        Script("lease", clock + _BOOKS + _PLACE),
        Script("lease_loads", clock + _BOOKS + _LOADS),
        Script("lease_restore", clock + _BOOKS + _RESTORE),
    )


PLACE, LOADS, RESTORE = scripts()
