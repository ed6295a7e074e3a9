"""What several scripts have in common. Redis's own clock decides, so hosts' clocks need not agree;
a time further ahead than its writer may set is no time."""

NOW = b"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
"""``now``: milliseconds since 1970."""

OWN = b"""
local garbage = 0
-- Delete a key of another type, which is not ours, and count it.
local function own(key, kind)
  local found = redis.call('TYPE', key).ok
  if found == kind or found == 'none' then return end
  redis.call('DEL', key)
  garbage = garbage + 1
end
"""
