#!lua
-- Commits one batch. The line above declares a script that writes, so that Redis refuses even an
-- empty batch where it refuses writes: on a replica, out of memory, on a disk error.
--
-- KEYS: 1 the count, 2 the remembered keys: a sorted set, by the count of each.
-- ARGV: 1 the least count there must be, 2 keys counted until here are forgotten, 3 the most keys,
--       4 the most keys forgotten at once, 5 the channel for news,
--       then alternating: how many increments without a key come first, and a key; at the end, how
--       many increments without a key come last.
-- Returns the count before, the count after, and the count of each key.

local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
if not stored then
  return redis.error_reply('NOCOUNT the value of ' .. KEYS[1] .. ' is no number')
end

local count = math.max(stored, tonumber(ARGV[1]))
local forget_until = tonumber(ARGV[2])
local answer = {stored, 0}
local fresh = {}
local added = {}

for i = 6, #ARGV - 1, 2 do
  count = count + tonumber(ARGV[i])
  local key = ARGV[i + 1]
  local seen = fresh[key]
  if not seen then
    seen = tonumber(redis.call('ZSCORE', KEYS[2], key) or '0')
    if seen <= forget_until then
      count = count + 1
      seen = count
      fresh[key] = count
      added[#added + 1] = count
      added[#added + 1] = key
    end
  end
  answer[#answer + 1] = seen
end
count = count + tonumber(ARGV[#ARGV])
answer[2] = count

-- In pieces, because Lua's stack is small.
for i = 1, #added, 1000 do
  redis.call('ZADD', KEYS[2], unpack(added, i, math.min(i + 999, #added)))
end

local old = redis.call('ZCOUNT', KEYS[2], '-inf', ARGV[2])
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3])
local gone = math.min(math.max(old, excess), tonumber(ARGV[4]))
if gone > 0 then
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, gone - 1)
end

if count > stored then
  redis.call('SET', KEYS[1], count)
  redis.call('PUBLISH', ARGV[5], count)
end
return answer
