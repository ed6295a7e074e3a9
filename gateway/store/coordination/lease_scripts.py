"""The leases of all workers, as Redis keeps them: the steps of :mod:`gateway.edge.capacity` in Lua.

Two keys. ``LEASES`` is a hash of ``l<id>`` → ``kbps asset edge`` for each lease, ``e<edge>`` → the
kbit/s leased there, ``n``, the number of leases, and ``g``, a name for this set of books. ``ENDS``
is a sorted set of lease ids by the millisecond at which they end, on Redis's own clock.

The two are written together. Where they disagree, Redis has dropped one of them for want of memory
(``allkeys-lru``): then the books are opened anew, under another name. A worker that sees another
name brings its own leases back.
"""

from gateway.store.connection.protocol import Script

_CLOCK = b"local clock = redis.call('TIME')\n"

_BOOKS = b"""
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local leases, ends = KEYS[1], KEYS[2]

-- found is HMGET n g. Books that do not agree, and new ones, are opened under a new name.
local function check(found, writes)
  if found[2] and redis.call('ZCARD', ends) == tonumber(found[1] or 0) then return found[2] end
  if not writes then return '' end
  redis.call('DEL', leases, ends)
  local name = string.format('%.0f%06d', clock[1], clock[2])
  redis.call('HSET', leases, 'g', name)
  return name, true
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

local function told(kbps, asset, edge)
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
  redis.call('HSET', leases, 'l' .. id, told(kbps, asset, edge))
  redis.call('ZADD', ends, string.format('%.0f', ends_at), id)
end

local function expire(limit)
  local ended = redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(ended) do
    local lease = read(id)
    if lease then release(id, lease) else redis.call('ZREM', ends, id) end  -- check finds out
  end
  return #ended
end

local function keep(ttl_ms)
  redis.call('PEXPIRE', leases, 2 * ttl_ms)
  redis.call('PEXPIRE', ends, 2 * ttl_ms)
end
"""

# ARGV: lease id, asset, kbit/s, ttl in ms, "1" to take or "0" to look, the number of the candidate
# that is held or "0", the candidates: "<edge> <capacity or -> <1 if it takes new ones> …", and the
# name of the books that the caller knows, or "": under others nobody is placed (0).
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
local name, new = check(found, takes)
if ARGV[8] ~= '' and ARGV[8] ~= name then return {name, 0, '', {}} end
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
    'l' .. id, told(kbps, asset, edge))
  redis.call('ZADD', ends, string.format('%.0f', now + ARGV[4]), id)
end
return {name, chosen, outcome, loads}
"""

# ARGV: ttl in ms, the most leases to clear away, and the edges.
_LOADS = b"""
local name = open()
local ended = expire(ARGV[2])
local loads = {}
for at = 3, #ARGV do
  loads[at - 2] = tonumber(redis.call('HGET', leases, 'e' .. ARGV[at]) or 0)
end
keep(ARGV[1])
return {name, ended, loads}
"""

# ARGV: ttl in ms, and for each lease: id, asset, kbit/s, edge, ms until it ends. A lease that is
# known under the same id and ends later is newer, and stays.
_RESTORE = b"""
local name = open()
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
