-- What a capable operator would write instead of the gateway: device by regex (nginx's map), place
-- by GeoIP2, speed by thresholds, the nearest of ten edges, what is known of a session and the
-- decision kept in Redis, the playlist made as text.
local redis = require "nginx.redis"

local md5, re_match, unescape = ngx.md5, ngx.re.match, ngx.unescape_uri
local var, header, null = ngx.var, ngx.header, ngx.null
local sin, cos, rad, huge = math.sin, math.cos, math.rad, math.huge
local format, concat, tonumber = string.format, table.concat, tonumber

local EDGES = require "edges"  -- {id, latitude, longitude}
for _, edge in ipairs(EDGES) do
    edge.north, edge.east = rad(edge[2]), rad(edge[3])
    edge.cosine = cos(edge.north)
end

local RUNGS = {
    {"240p", 200000, 426, 240, "avc1.4d4015,mp4a.40.2"},
    {"360p", 500000, 640, 360, "avc1.4d401e,mp4a.40.2"},
    {"720p", 1200000, 1280, 720, "avc1.4d401f,mp4a.40.2"},
    {"1080p", 2500000, 1920, 1080, "avc1.640028,mp4a.40.2"},
    {"4k", 8000000, 3840, 2160, "avc1.640033,mp4a.40.2"},
}
local PROFILES = {mobile_2g = 1, mobile_3g = 2, mobile_4g = 3, wifi = 4, fiber = 5}
local SPARSE = {IN = true, BD = true, PK = true}
local DECISION_S, SESSION_S = 30, 3600

for _, rung in ipairs(RUNGS) do
    rung.head = format(
        '#EXT-X-STREAM-INF:BANDWIDTH=%d,RESOLUTION=%dx%d,CODECS="%s",FRAME-RATE=30.000\nhttps://',
        rung[2], rung[3], rung[4], rung[5])
    rung.tail = "/" .. rung[1] .. "/playlist.m3u8\n"
end

local function profile_of(device, country, kbps)
    if device == "phone" then
        if not kbps or kbps >= 3000 then return "mobile_4g" end
        return kbps < 1000 and "mobile_2g" or "mobile_3g"
    end
    if SPARSE[country] then return (kbps and kbps > 5000) and "wifi" or "mobile_4g" end
    return (kbps and kbps > 20000) and "fiber" or "wifi"
end

-- The speed that the request states in kbit/s, and the name of its session; nil for what it does not.
local function report()
    local kbps, session = tonumber(var.arg_speed), var.arg_session
    local query = var.arg_cmcd
    local request, playing = var.http_cmcd_request, var.http_cmcd_session
    if query then
        query = unescape(query)
        request, playing = request or query, playing or query
    end
    if request and not kbps then
        local found = re_match(request, "(?:^|,)mtp=([0-9]+)", "jo")
        kbps = found and tonumber(found[1])
    end
    if playing and not session then
        local found = re_match(playing, '(?:^|,)sid="([^"]*)"', "jo")
        session = found and found[1]
    end
    return kbps, session
end

-- By haversine: the sine's square grows with the distance, so it need not be turned into one.
local function nearest(latitude, longitude)
    if not latitude then return EDGES[1][1] end
    local north, east = rad(latitude), rad(longitude)
    local cosine, best, least = cos(north), nil, huge
    for index = 1, #EDGES do
        local edge = EDGES[index]
        local up, over = sin((edge.north - north) / 2), sin((edge.east - east) / 2)
        local away = up * up + cosine * edge.cosine * over * over
        if away < least then best, least = edge[1], away end
    end
    return best
end

-- The rung to start on: the highest within 80 % of the speed, or within a guess where there is none.
local function start_of(kbps, profile, top)
    local most = kbps and kbps * 800 or (profile == "mobile_4g" and 730000 or 2000000)
    for index = top, 2, -1 do
        if RUNGS[index][2] <= most then return index end
    end
    return 1
end

-- The rung to start on stands first.
local function playlist(asset, top, start, edge)
    local place = edge .. ".cdn.example.com/" .. asset
    local first = RUNGS[start]
    local parts, count = {"#EXTM3U\n", first.head, place, first.tail}, 4
    for index = 1, top do
        if index ~= start then
            local rung = RUNGS[index]
            parts[count + 1], parts[count + 2], parts[count + 3] = rung.head, place, rung.tail
            count = count + 3
        end
    end
    return concat(parts)
end

-- What Redis knows: the session's speed where the request states none, and the playlist.
local function answer(socket)
    local device, country = var.device, var.country
    local kbps, session = report()
    local store = redis:new()
    store:set_timeout(20)
    local reached = store:connect(socket)
    local stated = kbps

    if reached and session and not stated then
        local kept = store:get("s:" .. session)
        if kept and kept ~= null then kbps = tonumber(kept) end
    end

    local asset, profile = var.asset, profile_of(device, country, kbps)
    local top = PROFILES[profile]
    local start = start_of(kbps, profile, top)
    local edge = nearest(tonumber(var.latitude), tonumber(var.longitude))
    local key = concat({"d", asset, top, start, edge}, "|")

    local body, cache = nil, "off"
    if reached then
        if session and stated then  -- both in one round trip
            store:init_pipeline(2)
            store:setex("s:" .. session, SESSION_S, stated)
            store:get(key)
            local replies = store:commit_pipeline()
            body = replies and replies[2]
        else
            body = store:get(key)
        end
        cache = "hit"
    end
    if not body or body == null then
        body = playlist(asset, top, start, edge)
        if reached then
            cache = "miss"
            store:setex(key, DECISION_S, body)
        end
    end
    if reached then store:set_keepalive(60000, 64) end

    local tag = '"' .. md5(body) .. '"'
    header["ETag"] = tag
    header["X-Request-ID"] = var.http_x_request_id or var.request_id
    header["Gateway-Decision"] = concat({
        "profile=", profile, ", device=", device, ', country="', country, '", edge="', edge,
        '", rungs=', top, ", cache=", cache})
    if var.http_if_none_match == tag then
        ngx.status = 304
        return
    end
    header.content_length = #body  -- no chunks, and gzip takes a window of that size
    ngx.print(body)
end

return {answer = answer}
