-- What a capable operator would write instead of the gateway: device by regex (nginx's map), place
-- by GeoIP2, speed by thresholds, the nearest of ten edges, the decision kept in Redis, the playlist
-- made as text.
local redis = require "nginx.redis"

local md5, re_match, var, header, escape = ngx.md5, ngx.re.match, ngx.var, ngx.header, ngx.escape_uri
local sin, cos, asin, sqrt, rad, huge = math.sin, math.cos, math.asin, math.sqrt, math.rad, math.huge
local format, concat, tonumber = string.format, table.concat, tonumber

local EDGES = {
    {"us-east-1", 38.95, -77.45}, {"us-west-2", 45.84, -119.70}, {"sa-east-1", -23.55, -46.63},
    {"eu-west-1", 53.35, -6.26}, {"eu-central-1", 50.11, 8.68}, {"af-south-1", -33.93, 18.42},
    {"ap-south-1", 19.08, 72.88}, {"ap-southeast-1", 1.35, 103.82},
    {"ap-northeast-1", 35.68, 139.69}, {"ap-southeast-2", -33.87, 151.21},
}
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

local function profile_of(device, country, kbps)
    if device == "phone" then
        if not kbps or kbps >= 3000 then return "mobile_4g" end
        return kbps < 1000 and "mobile_2g" or "mobile_3g"
    end
    if SPARSE[country] then return (kbps and kbps > 5000) and "wifi" or "mobile_4g" end
    return (kbps and kbps > 20000) and "fiber" or "wifi"
end

local function speed_of()
    local given = tonumber(var.arg_speed)
    if given then return given end
    local report = var.http_cmcd_request
    if not report then
        report = var.arg_cmcd
        if not report then return nil end
        report = ngx.unescape_uri(report)
    end
    local found = re_match(report, "(?:^|,)mtp=([0-9]+)", "jo")
    return found and tonumber(found[1])
end

local function nearest(latitude, longitude)
    if not latitude then return EDGES[1][1] end
    local north, east = rad(latitude), rad(longitude)
    local cosine, best, least = cos(north), nil, huge
    for index = 1, #EDGES do
        local edge = EDGES[index]
        local up, over = sin((edge.north - north) / 2), sin((edge.east - east) / 2)
        local away = asin(sqrt(up * up + cosine * edge.cosine * over * over))
        if away < least then best, least = edge[1], away end
    end
    return best
end

-- The rung to start on stands first: the highest within 80 % of the speed.
local function playlist(asset, profile, kbps, edge)
    local top, first = PROFILES[profile], 1
    local within = (kbps or 900) * 800
    for index = 1, top do
        if RUNGS[index][2] <= within then first = index end
    end
    local lines = {"#EXTM3U", "#EXT-X-VERSION:3"}
    local function add(rung)
        lines[#lines + 1] = format(
            '#EXT-X-STREAM-INF:BANDWIDTH=%d,RESOLUTION=%dx%d,CODECS="%s",FRAME-RATE=30.000',
            rung[2], rung[3], rung[4], rung[5])
        lines[#lines + 1] = format(
            "https://%s.cdn.example.com/%s/%s/playlist.m3u8", edge, asset, rung[1])
    end
    add(RUNGS[first])
    for index = 1, top do
        if index ~= first then add(RUNGS[index]) end
    end
    lines[#lines + 1] = ""
    return concat(lines, "\n"), top
end

local function answer(socket)
    local asset, device, country = var.asset, var.device, var.country
    local kbps = speed_of()
    local profile = profile_of(device, country, kbps)
    local edge = nearest(tonumber(var.latitude), tonumber(var.longitude))
    local band = kbps and (kbps * 0.8 >= 8000 and 5 or kbps * 0.8 >= 2500 and 4
        or kbps * 0.8 >= 1200 and 3 or kbps * 0.8 >= 500 and 2 or 1) or 0
    local key = concat({"d", asset, profile, band, edge}, "|")

    local store, body, cache = redis:new(), nil, "hit"
    store:set_timeout(20)
    local reached = store:connect(socket)
    if reached then body = store:get(key) end
    if not body or body == ngx.null then
        body, cache = playlist(asset, profile, kbps, edge), reached and "miss" or "off"
        if reached then store:setex(key, 30, body) end
    end
    if reached then store:set_keepalive(60000, 64) end

    local tag = format('"%s"', md5(body))
    header["Cache-Control"] = "private, max-age=5"
    header["ETag"] = tag
    header["Access-Control-Allow-Origin"] = "*"
    header["Timing-Allow-Origin"] = "*"
    header["X-Request-ID"] = var.http_x_request_id or var.request_id
    header["Gateway-Decision"] = format(
        'profile=%s, device=%s, country="%s", edge="%s", rungs=%d, cache=%s',
        profile, device, country, edge, PROFILES[profile], cache)
    if var.http_if_none_match == tag then
        ngx.status = 304
        return
    end
    ngx.print(body)
end

return {answer = answer}
