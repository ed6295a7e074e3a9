"""All problems of a file are reported at once, with key, value and what is allowed."""

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problem import ConfigError, ConfigProblem, nearest, shown, written

SERVER_KEYS = (
    "host, port, workers, shutdown_grace_s, head_timeout_s, body_timeout_s, idle_timeout_s, "
    "write_timeout_s, trusted_proxies, forwarded_headers, public_url, cors_origins, "
    "cors_allow_headers, compress_min_bytes, manifest_max_age_s, show_reasons, decisions_on, "
    "allowed_hosts, tls"
)
SECTIONS = (
    "server, admin, store, geo, source, origin, origins, limits, rate, throughput, prior, probe, "
    "capacity, log, access_log, steering, dash, cmcd, keys, tokens, events, sessions, otlp, dns, "
    "registry, policy, profiles, rules, start, edges, health, ladder, devices"
)
PROFILE_KEYS = (
    "max_bitrate_kbps, max_height, max_frame_rate, codecs, video_range, start_bitrate_kbps, "
    "min_rungs, headroom, device_limits"
)
HEALTH_KEYS = "path, interval_ms, timeout_ms, fall, rise, slow_ms, slow_start_s, live_stale_factor"
EDGE_KEYS = (
    "id, url, latitude, longitude, countries, continents, weight, fallback, capacity_mbps, "
    "health_url, health_playlist, drain, dns, signing"
)
DEVICES = "phone, tablet, desktop, tv, console, headset, speaker, car, bot, unknown"
PROFILES = "mobile_2g, mobile_3g, mobile_4g, wifi, fiber"
NAME = "a letter, then up to 63 letters, digits, or any of _ . -"
ID = "a letter or digit, then up to 63 letters, digits, or any of _ . -"
URL = "an absolute http(s) URL, such as https://cdn.example.com/videos/"
STORE = "embedded, memory, or a URL that starts with redis://, rediss:// or unix://"
SCHEME = "(hidden) does not start with redis://, rediss:// or unix://"
KBPS = "whole kbit/s from 1 to 10000000"
PORT = "a whole number from 0 (any free port) to 65535"
WINDOW = "from-to as HH:MM-HH:MM, such as 22:00-06:00"
PATTERN = "a regular expression of 1 to 512 characters without look-around or back-references"
SECRET = "a secret of 1 to 4096 printable ASCII characters, without spaces"
CIDR = "an IPv4 or IPv6 network, such as 10.0.0.0/8"
EXAMPLES = (
    'edges: are the shipped examples, which have no media; source.kind is "{}"; '
    "allowed: your own [[edges]]"
)
RULE = '[[rules]]\nwhen = {{ {} }}\nprofile = "wifi"\n'
EDGE = '[[edges]]\nid = "a"\nfallback = true\n{}\n'
GOOD_EDGE = EDGE.format('url = "https://a.example/"')


def problems(toml: str, folder: Path, **environ: str) -> list[str]:
    """The lines of the error for ``toml``."""
    path = folder / "g.toml"
    path.write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return str(caught.value).splitlines()


SCALARS = [
    ("server.port", "70000", f"70000 is above 65535; allowed: {PORT}"),
    ("server.port", "-1", f"-1 is below 0; allowed: {PORT}"),
    ("server.port", '"8080"', f'"8080" is text; allowed: {PORT}'),
    ("server.port", "true", f"true is a boolean; allowed: {PORT}"),
    ("server.port", "80.5", f"80.5 is not a whole number; allowed: {PORT}"),
    ("server.port", "1979-05-27", f'"1979-05-27" is a date or a time; allowed: {PORT}'),
    ("server.workers", "0", "0 is below 1; allowed: a whole number from 1 to 256"),
    (
        "server.host",
        '"a host"',
        '"a host" is not a host; allowed: a host name or an IP address, such as 0.0.0.0',
    ),
    (
        "server.public_url",
        '"play.example"',
        f'"play.example" is not an absolute URL; allowed: {URL}',
    ),
    ("server.public_url", '"https://"', f'"https://" is not an absolute URL; allowed: {URL}'),
    (
        "server.public_url",
        '"https://a:0/"',
        f'"https://a:0/" has a port that is not a number from 1 to 65535; allowed: {URL}',
    ),
    (
        "server.public_url",
        '"https://a:x/"',
        f'"https://a:x/" has a port that is not a number from 1 to 65535; allowed: {URL}',
    ),
    (
        "server.public_url",
        '"https://a:99999/"',
        f'"https://a:99999/" has a port that is not a number from 1 to 65535; allowed: {URL}',
    ),
    (
        "server.public_url",
        '"https://2001:db8::1/"',
        f'"https://2001:db8::1/" has an IPv6 address without brackets; allowed: {URL}',
    ),
    (
        "server.public_url",
        '"https://[2001:db8::1/"',
        f'"https://[2001:db8::1/" has brackets without an IPv6 address; allowed: {URL}',
    ),
    (
        "store.session_ttl_s",
        "3600000000",
        "3600000000 is above 31536000; allowed: whole seconds from 1 to 31536000",
    ),
    (
        "profiles.wifi",
        "[{ max_height = 360 }]",
        (
            '[{"max_height": 360}] is a list; its header needs single brackets, as in [server]; '
            "allowed: a table"
        ),
    ),
    (
        "server.public_url",
        '"https://a/?b"',
        f'"https://a/?***" must not have a query or a fragment; allowed: {URL}',
    ),
    (
        "server.public_url",
        '"https://me:pw@a/"',
        f'"https://***@a/" must not have a user name or password; allowed: {URL}',
    ),
    (
        "server.public_url",
        "'https://a/\"b'",
        f'"https://a/\\"b" has a character that is not allowed in a URL; allowed: {URL}',
    ),
    (
        "server.trusted_proxies",
        '"10.0.0.0/8"',
        f'"10.0.0.0/8" is text; allowed: a list; each item: {CIDR}',
    ),
    ("server.trusted_proxies", '["x"]', f'[0]: "x" is not a network; allowed: {CIDR}'),
    (
        "server.trusted_proxies",
        '["::1", "10.0.0.1/8"]',
        f'[1]: "10.0.0.1/8" has host bits set; write 10.0.0.0/8; allowed: {CIDR}',
    ),
    (
        "server.cors_origins",
        '["https://a/b"]',
        (
            '[0]: "https://a/b" is not an origin; '
            'allowed: "*" or an origin, such as https://www.example.com'
        ),
    ),
    ("store.url", '"rediss:/h"', f"{SCHEME}; allowed: {STORE}"),
    (
        "store.url",
        '"redis://\\u0007"',
        f"(hidden) has a space or a control character; allowed: {STORE}",
    ),
    (
        "store.url",
        '"redis+cluster://h"',
        f"(hidden) names a cluster or sentinels, which are not supported; allowed: {STORE}",
    ),
    (
        "log.level",
        '"Inof"',
        (
            '"Inof" is not one of the allowed values; '
            'allowed: debug, info, warning, error (did you mean "info"?)'
        ),
    ),
    ("log.level", "1", "1 is a number; allowed: debug, info, warning, error"),
    (
        "policy.time_zone",
        '"Europe/Olso"',
        (
            '"Europe/Olso" is not a known time zone; '
            "allowed: a name of the IANA database, such as Europe/Oslo"
        ),
    ),
    (
        "policy.time_zone",
        '"../etc"',
        (
            '"../etc" is not a known time zone; '
            "allowed: a name of the IANA database, such as Europe/Oslo"
        ),
    ),
    (
        "policy.default_profile",
        '"wify"',
        f'"wify" is not the name of a profile; allowed: {PROFILES} (did you mean "wifi"?)',
    ),
    ("profiles.wifi.max_bitrate_kbps", "0", f"0 is below 1; allowed: {KBPS}"),
    (
        "profiles.wifi.headroom",
        "1.5",
        "1.5 is above 1; allowed: a share above 0 and up to 1, such as 0.8",
    ),
    (
        "profiles.wifi.max_frame_rate",
        "nan",
        "NaN is not a finite number; allowed: frames per second, above 0 and up to 1000",
    ),
    (
        "profiles.wifi.codecs",
        '["h264"]',
        '[0]: "h264" is not one of the allowed values; allowed: avc, hevc, av1, vp9, dolby-vision',
    ),
    (
        "profiles.wifi.codecs",
        "[]",
        (
            "[] is empty; "
            "allowed: a list with at least one item; each item: avc, hevc, av1, vp9, dolby-vision"
        ),
    ),
    (
        "source.hls",
        '"a/master.m3u8"',
        (
            '"a/master.m3u8" does not contain {asset}; '
            "allowed: a relative path that contains {asset}, such as {asset}/master.m3u8"
        ),
    ),
    (
        "source.dash",
        '"../{asset}.mpd"',
        (
            '"../{asset}.mpd" is not a relative path; '
            "allowed: a relative path that contains {asset}, such as {asset}/master.m3u8"
        ),
    ),
    (
        "source.hls",
        '"/{asset}"',
        (
            '"/{asset}" is not a relative path; '
            "allowed: a relative path that contains {asset}, such as {asset}/master.m3u8"
        ),
    ),
    (
        "ladder.path",
        '"{asset}/{name}"',
        (
            '"{asset}/{name}" is not a relative path; '
            "allowed: a relative path that contains {name}, such as {name}/playlist.m3u8"
        ),
    ),
    ("source.kind", '"directory"', None),
    ("source.kind", '"origin"', None),
    (
        "store.url",
        '"redis://h:notaport/0"',
        f"(hidden) has a port that is not a number from 1 to 65535; allowed: {STORE}",
    ),
    ("store.url", '"redis:/:S3cr3tPw@h"', f"{SCHEME}; allowed: {STORE}"),
    ("store.url", '["redis://:S3cr3tPw@h"]', f"(hidden) is a list; allowed: {STORE}"),
    ("store", '"redis:S3cr3tPw@h"', "(hidden) is text; allowed: a table"),
    ("origin", '"S3cr3tPw"', "(hidden) is text; allowed: a table"),
    ("origins", '["S3cr3tPw"]', "[0]: (hidden) is text; allowed: a table"),
    ("origins", '"S3cr3tPw"', "(hidden) is text; allowed: a list; each item: a table"),
    ("origin.bearer_token", "5", f"(hidden) is a number; allowed: {SECRET}"),
    (
        "server.public_url",
        '"https:/me:S3cr3tPw@a/"',
        f'"https:***@a/" is not an absolute URL; allowed: {URL}',
    ),
    (
        "server.public_url",
        '"https://a/?token=S3cr3tPw"',
        f'"https://a/?***" must not have a query or a fragment; allowed: {URL}',
    ),
    ("server", "[]", "[] is a list; allowed: a table"),
    ("log.level", "[]", "[] is a list; allowed: debug, info, warning, error"),
    (
        "log.level",
        '""',
        '"" is not one of the allowed values; allowed: debug, info, warning, error',
    ),
    (
        "server.host",
        '""',
        '"" is not a host; allowed: a host name or an IP address, such as 0.0.0.0',
    ),
    ("server.port", "{}", f"{{}} is a table; allowed: {PORT}"),
    ("server.port", "[]", f"[] is a list; allowed: {PORT}"),
    (
        "edges",
        "{ id = 'a' }",
        (
            "(hidden) is a single table; its header needs double brackets, as in [[edges]]; "
            "allowed: a list with at least one item; each item: a table"
        ),
    ),
    ("edges", "[]", "[] is empty; allowed: a list with at least one item; each item: a table"),
]


@pytest.mark.parametrize(("key", "value", "expected"), [row for row in SCALARS if row[2]])
def test_a_bad_value_is_told_with_what_is_allowed(
    tmp_path: Path, key: str, value: str, expected: str
) -> None:
    """Each type of value: out of bounds, of another type, or malformed."""
    colon = "" if expected.startswith("[") and expected[1].isdigit() else ": "
    assert [f"g.toml: {key}{colon}{expected}"] == problems(f"{key} = {value}", tmp_path)


LONG = "s" * 32
SIGNING = "a secret of 32 to 4096 printable ASCII characters, without spaces"

TABLES = [
    (
        "an unknown key, its neighbours, and the nearest",
        "[server]\nprot = 1",
        [f'server.prot: is not a known key; allowed: {SERVER_KEYS} (did you mean "port"?)'],
    ),
    (
        "an unknown key is never shown with its value",
        '[store]\npassword = "secret"',
        [
            (
                "store.password: is not a known key; "
                "allowed: url, timeout_ms, decision_ttl_s, session_ttl_s"
            )
        ],
    ),
    (
        "keys of other tables, one of them above all tables",
        (
            'port = 1\nhealth.public_url = ""\nhealth.enabled = true\n'
            "[profiles.wifi.tls]\n[server.geo]\n"
            + EDGE.format('url = "https://a.example/"\nroot = "x"')
        ),
        [
            f'server.geo: is not a known key; allowed: {SERVER_KEYS} (did you mean "geo"?)',
            f"profiles.wifi.tls: is not a known key; allowed: {PROFILE_KEYS}",
            f"edges[0].root: is not a known key; allowed: {EDGE_KEYS}",
            (
                f"health.public_url: is not a known key; allowed: {HEALTH_KEYS} "
                '(did you mean "server.public_url"?)'
            ),
            f"health.enabled: is not a known key; allowed: {HEALTH_KEYS}",
            f'port: is not a known key; allowed: {SECTIONS} (did you mean "server.port"?)',
        ],
    ),
    (
        "values of a wrong type or name, and no warnings that follow from them",
        "[source]\nkind = 'http'\nurl = 'https://o.example/'\n"
        + EDGE.format('url = "https://a.example/"').replace("true", '"true"')
        + "[[origins]]\nurl = 'https://p.example/'",
        [
            (
                'source.kind: "http" is not one of the allowed values; allowed: directory, origin, '
                "generated"
            ),
            'edges[0].fallback: "true" is text; allowed: true or false',
            "source.url: is set, and so is [[origins]]; only one of them is allowed",
        ],
    ),
    (
        "an unknown section",
        "[[edge]]\nid = 'a'",
        [(f'edge: is not a known key; allowed: {SECTIONS} (did you mean "edges"?)')],
    ),
    (
        "whole addresses without addresses",
        "[access_log]\nwhole_address = true",
        [
            (
                "access_log.whole_address: true needs access_log.address = true; "
                "allowed: false, or true with address = true"
            )
        ],
    ),
    ("a section that is no table", "server = 3", ["server: 3 is a number; allowed: a table"]),
    (
        "profiles that are no tables",
        "profiles = 3",
        ["profiles: 3 is a number; allowed: a table"],
    ),
    (
        "names that are no text",
        "[[edges]]\nid = 1\nurl = 'https://a/'\nfallback = true",
        [f"edges[0].id: 1 is a number; allowed: {ID}"],
    ),
    (
        "rules and edges that are no lists",
        "rules = 3\nedges = [3]",
        [
            "rules: 3 is a number; allowed: a list; each item: a table",
            "edges[0]: (hidden) is a number; allowed: a table",
        ],
    ),
    (
        "a profile's name that a header could not hold (RFC 9651, 3.3.4)",
        "[profiles.2g]\n[profiles.'a b']",
        [
            f"profiles.2g: is not an allowed name; allowed: {NAME}",
            f'profiles."a b": is not an allowed name; allowed: {NAME}',
        ],
    ),
    (
        "a rule's keys are missing",
        "[[rules]]",
        [
            "rules[0].when: is missing; allowed: a table",
            f"rules[0].profile: is missing; allowed: {NAME}",
        ],
    ),
    (
        "a rule names a profile that is not there, several times over",
        (
            "[[rules]]\nwhen = {device = ['phone']}\nprofile = 'mobile_5g'\n"
            "[[rules]]\nwhen = {}\nprofile = 'x'"
        ),
        [
            (
                f'rules[0].profile: "mobile_5g" is not the name of a profile; allowed: {PROFILES} '
                '(did you mean "mobile_4g"?)'
            ),
            f'rules[1].profile: "x" is not the name of a profile; allowed: {PROFILES}',
        ],
    ),
    (
        "conditions of unknown values",
        RULE.format(
            "device = ['fone', 'tv'], country = ['UK'], continent = ['XX'], os = [''], "
            "asn = [0], asset_prefix = ['/a', 'a//b'], save_data = 1"
        ),
        [
            (
                'rules[0].when.device[0]: "fone" is not one of the allowed values; '
                f"allowed: {DEVICES} "
                '(did you mean "phone"?)'
            ),
            'rules[0].when.os[0]: "" is empty; allowed: text of 1 to 200 characters',
            (
                'rules[0].when.country[0]: "UK" is not a known country code; '
                "allowed: an ISO 3166-1 alpha-2 code, such as GB"
            ),
            (
                'rules[0].when.continent[0]: "XX" is not one of the allowed values; '
                "allowed: AF, AN, AS, EU, NA, OC, SA"
            ),
            "rules[0].when.asn[0]: 0 is below 1; allowed: an AS number from 1 to 4294967295",
            "rules[0].when.save_data: 1 is a number; allowed: true or false",
            (
                'rules[0].when.asset_prefix[0]: "/a" does not have the allowed form; '
                "allowed: the start of an asset id, such as kids/"
            ),
            (
                'rules[0].when.asset_prefix[1]: "a//b" has a segment that no asset id has: '
                'an empty one, "." or ".."; allowed: the start of an asset id, such as kids/'
            ),
            "rules[0].when.asn: warning: is never true; geo.asn_database is not set",
        ],
    ),
    (
        "start rules",
        (
            "start.enabled = 1\n[[start.rules]]\nwhen = { asn = [7], ect = ['5g'], os = ['iOS'] }\n"
            "bitrate_kbps = 0\n[[start.rules]]\nwhen = {}\n[[start.rules]]\n"
            "when = {}\nbitrate_kbps = 9"
        ),
        [
            "start.enabled: 1 is a number; allowed: true or false",
            (
                'start.rules[0].when.ect[0]: "5g" is not one of the allowed values; '
                "allowed: slow-2g, 2g, 3g, 4g"
            ),
            (
                "start.rules[0].when.os: is not a known key; "
                "allowed: country, continent, asn, device, save_data, ect"
            ),
            "start.rules[0].bitrate_kbps: 0 is below 1; allowed: whole kbit/s from 1 to 10000000",
            "start.rules[1].bitrate_kbps: is missing; allowed: whole kbit/s from 1 to 10000000",
            "start.rules[0].when.asn: warning: is never true; geo.asn_database is not set",
            "start.rules[2]: warning: is never reached; start.rules[1] matches every request",
        ],
    ),
    (
        "a list of conditions must not be empty, nor a single word",
        RULE.format("device = [], os = 'iOS'"),
        [
            (
                "rules[0].when.device: [] is empty; "
                f"allowed: a list with at least one item; each item: {DEVICES}"
            ),
            (
                'rules[0].when.os: "iOS" is text; '
                "allowed: a list with at least one item; each item: text of 1 to 200 characters"
            ),
        ],
    ),
    (
        "times of day",
        RULE.format("time_of_day = ['25:00-06:00', '6-7', '07:00-07:00', '22:00-24:00']"),
        [
            f'rules[0].when.time_of_day[0]: "25:00-06:00" is not a time of day; allowed: {WINDOW}',
            f'rules[0].when.time_of_day[1]: "6-7" is not a time of day; allowed: {WINDOW}',
            (
                'rules[0].when.time_of_day[2]: "07:00-07:00" is an empty span of time; '
                f"allowed: {WINDOW}"
            ),
        ],
    ),
    (
        "speeds that no request can have (inclusive)",
        RULE.format("speed_below_kbps = 1000, speed_at_least_kbps = 1000"),
        [
            (
                "rules[0].when.speed_below_kbps: 1000 "
                "can never be true together with the lower bound; allowed: more than 1000"
            )
        ],
    ),
    (
        "speeds that no request can have (exclusive)",
        RULE.format("speed_below_kbps = 1000, speed_above_kbps = 1000"),
        [
            (
                "rules[0].when.speed_below_kbps: 1000 "
                "can never be true together with the lower bound; allowed: more than 1000"
            )
        ],
    ),
    (
        "a bound on a speed that is not known",
        RULE.format("speed_known = false, speed_above_kbps = 1000"),
        [
            (
                "rules[0].when.speed_known: false can never be true together with "
                "speed_above_kbps; allowed: true"
            )
        ],
    ),
    (
        "an edge with half a point, of a strange id, with a strange URL",
        EDGE.format("latitude = 1")
        + EDGE.format("longitude = 1\nurl = 'https://b.example/'")
        + "[[edges]]\nid = '..'\nurl = 'ftp://c.example/'\nweight = 0",
        [
            f"edges[0].url: is missing; allowed: {URL}",
            "edges[1].latitude: is missing; allowed: latitude and longitude, both or neither",
            f'edges[2].id: ".." does not have the allowed form; allowed: {ID}',
            f'edges[2].url: "ftp://c.example/" is not an absolute URL; allowed: {URL}',
            "edges[2].weight: 0 is below 1; allowed: a whole number from 1 to 10000",
            'edges[1].id: "a" is also edges[0].id',
        ],
    ),
    (
        "one edge under two names, and bit rates in bit/s",
        EDGE.format("url = 'https://a.example/v'").replace('id = "a"', 'id = "b"')
        + EDGE.format("url = 'https://a.example/v/'\nlatitude = 1")
        + "[profiles.mobile_4g]\nmax_bitrate_kbps = 2500000\n"
        + RULE.format("speed_above_kbps = 10000000").replace("mobile_5g", "mobile_4g"),
        [
            "edges[1].longitude: is missing; allowed: latitude and longitude, both or neither",
            (
                "rules[0].when.speed_above_kbps: warning: is never true; no speed is above "
                "10000000 kbit/s"
            ),
            (
                'edges[1].url: warning: "https://a.example/v/" is also edges[0].url; two edges '
                "that are one fail together, and their capacity is that of one"
            ),
            (
                "profiles.mobile_4g.max_bitrate_kbps: warning: 2500000 is 2,500 Mbit/s; "
                "the unit is kbit/s"
            ),
        ],
    ),
    (
        "an edge without its longitude, and one with an unknown key",
        EDGE.format("latitude = 1\nurl = 'https://b.example/'")
        + "[[edges]]\nid = 'b'\nurl = 'https://c.example/'\nregion = 'EU'",
        [
            "edges[0].longitude: is missing; allowed: latitude and longitude, both or neither",
            f"edges[1].region: is not a known key; allowed: {EDGE_KEYS}",
        ],
    ),
    (
        "the same name again, in every list of names",
        (
            "[[ladder.rungs]]\nname = '1'\nheight = 1\nbandwidth_kbps = 1\n"
            "[[ladder.rungs]]\nname = '1'\nheight = 1\nbandwidth_kbps = 1\n"
            "[[devices]]\nname = 'x'\nmatch = 'x'\n[[devices]]\nname = 'x'\nmatch = 'x'\n"
            "[[devices]]\nname = 'x'\nmatch = 'x'"
        ),
        [
            'ladder.rungs[1].name: "1" is also ladder.rungs[0].name',
            'devices[1].name: "x" is also devices[0].name',
            'devices[2].name: "x" is also devices[0].name',
        ],
    ),
    (
        "regular expressions that cannot be used",
        (
            "[[devices]]\nname = 'x'\nmatch = '('\n[[devices]]\nname = 'y'\nmatch = '(?=a)'\n"
            "[[devices]]\nname = 'z'\nmatch = ''"
        ),
        [
            (
                f'devices[0].match: "(" is not a pattern that runs in linear time '
                f"(unclosed group); allowed: {PATTERN}"
            ),
            (
                f'devices[1].match: "(?=a)" is not a pattern that runs in linear time '
                f"(look-around, including look-ahead and look-behind, is not supported); "
                f"allowed: {PATTERN}"
            ),
            f'devices[2].match: "" is not 1 to 512 characters long; allowed: {PATTERN}',
        ],
    ),
    (
        "a rung that would break its line of the playlist",
        "[[ladder.rungs]]\nname = '..'\nheight = 1\nbandwidth_kbps = 1\ncodecs = 'a\"b'",
        [
            (
                'ladder.rungs[0].name: ".." does not have the allowed form; '
                "allowed: 1 to 64 letters, digits, or any of . _ ~ -, not starting with a dot"
            ),
            (
                'ladder.rungs[0].codecs: "a\\"b" does not have the allowed form; '
                "allowed: RFC 6381 codecs with commas, such as avc1.64001f,mp4a.40.2"
            ),
        ],
    ),
    (
        "a directory without a folder, and without edges",
        "source.kind = 'directory'",
        ['source.root: is missing; source.kind is "directory"', EXAMPLES.format("directory")],
    ),
    (
        "an origin without a URL, and without edges",
        "source.kind = 'origin'",
        ['source.url: is missing; source.kind is "origin"', EXAMPLES.format("origin")],
    ),
    (
        "an origin with edges of one's own, but for two that were copied",
        (
            "source.kind = 'origin'\nsource.url = 'https://o.example/'\n"
            + GOOD_EDGE
            + "".join(
                f"[[edges]]\nid = '{name}'\nurl = 'https://{name}.cdn.example.com{end}'\n"
                for name, end in (("us-east-1", ""), ("global", "/"))
            )
        ),
        [
            f"edges[{position}].url: is a shipped example, which has no media; "
            'source.kind is "origin"; allowed: the URL of your own edge'
            for position in (1, 2)
        ],
    ),
    (
        "an origin's URL, and a list of them, too; a token in the clear",
        (
            "source.kind = 'origin'\nsource.url = 'https://o.example/'\norigin.bearer_token = 'x'\n"
            "[[origins]]\nurl = 'http://p.example/'\nasset_prefix = 'kids/'"
        ),
        [
            "source.url: is set, and so is [[origins]]; only one of them is allowed",
            "origins: warning: all have an asset_prefix; assets with other prefixes are not found",
            "origins[0].url: warning: is not https; the bearer token is sent unencrypted",
            EXAMPLES.format("origin"),
        ],
    ),
    (
        "secrets are not shown when they are wrong",
        (
            "source.kind = 'origin'\nsource.url = 'https://o.example/'\n"
            "origin.bearer_token = 'hush hush'\n[[origins]]\nurl = 'x'\nhmac_key = 'hush\u00e4'"
        ),
        [
            f"origin.bearer_token: (hidden) cannot be sent in a header field; allowed: {SECRET}",
            f'origins[0].url: "x" is not an absolute URL; allowed: {URL}',
            f"origins[0].hmac_key: (hidden) cannot be sent in a header field; allowed: {SECRET}",
            "source.url: is set, and so is [[origins]]; only one of them is allowed",
            EXAMPLES.format("origin"),
        ],
    ),
    (
        "keys: two that sign, an id twice, secrets of wrong length, none, and both",
        (
            "[[keys.ring]]\nid = 'a'\nsecret = 'hush'\n[[keys.ring]]\nid = 'a'\n"
            "[[keys.ring]]\nid = 'b.c'\nsecret_file = 'gone'\nstatus = 'verify'\n"
            f"[[keys.ring]]\nid = 'd'\nsecret = '{LONG}'\nsecret_file = 'long'\n"
            "status = 'verify-only'"
        ),
        [
            (
                "keys.ring[0].secret: (hidden) is not long enough for a key, or has other "
                f"characters; allowed: {SIGNING}"
            ),
            "keys.ring[1].secret_file: is missing; allowed: secret or secret_file, one of them",
            (
                'keys.ring[2].id: "b.c" does not have the allowed form; '
                "allowed: 1 to 32 letters, digits, or any of _ -"
            ),
            (
                "keys.ring[2].secret_file: (hidden) does not exist; "
                "looked for the file FOLDER/gone; "
                "allowed: a file that holds such a secret, with or without a line end"
            ),
            (
                'keys.ring[2].status: "verify" is not one of the allowed values; '
                "allowed: active, verify-only, "
                'retired (did you mean "verify-only"?)'
            ),
            (
                "keys.ring[3].secret_file: (hidden) cannot be combined with secret; "
                "allowed: secret or secret_file, one of them"
            ),
            "keys.ring[1].status: is active, and so is keys.ring[0]; only one signs",
            'keys.ring[1].id: "a" is also keys.ring[0].id',
        ],
    ),
    (
        "keys: none that signs; files that hold no secret",
        (
            f"[[keys.ring]]\nid = 'a'\nsecret = '{LONG}'\nstatus = 'verify-only'\n"
            "[[keys.ring]]\nid = 'b'\nsecret_file = 'short'\nstatus = 'retired'\n"
        ),
        [
            (
                "keys.ring[1].secret_file: (hidden) holds no usable secret; the file is "
                "FOLDER/short; allowed: a file that holds such a secret, with or without a line end"
            ),
            "keys.ring: has no key whose status is active",
        ],
    ),
    (
        "problems of the schema and of the whole come together, warnings too",
        "server.port = 99999\npolicy.default_profile = 'x'\n"
        + EDGE.format("url = 'x'")
        + "[[rules]]\nwhen = {}\nprofile = 'wifi'\n[[rules]]\nwhen = {}\nprofile = 'wifi'",
        [
            f"server.port: 99999 is above 65535; allowed: {PORT}",
            f'edges[0].url: "x" is not an absolute URL; allowed: {URL}',
            f'policy.default_profile: "x" is not the name of a profile; allowed: {PROFILES}',
            "rules[1]: warning: is never reached; rules[0] matches every request",
        ],
    ),
    (
        "class manifests that depend on the Host of a request",
        "[dash]\nclass_manifests = true\nclass_max_age_share = 1.0",
        [
            (
                "dash.class_max_age_share: 1.0 is not below 1; allowed: a share above 0 and below "
                "1, such as 0.5"
            ),
            (
                "dash.class_manifests: true needs server.public_url; what caches keep may not "
                "depend on the Host of a request; allowed: false, or server.public_url as well"
            ),
        ],
    ),
    (
        "an inline steering manifest that leads nowhere",
        "[steering]\ninline = true",
        [
            (
                "steering.inline: true needs server.public_url; a data: URI cannot lead on to a "
                "path; allowed: false, or server.public_url as well"
            )
        ],
    ),
    (
        "a usual probe above the largest",
        "[probe]\ndefault_bytes = 10\nmax_bytes = 9",
        ["probe.default_bytes: 10 is larger than max_bytes; allowed: at most max_bytes, 9"],
    ),
]


@pytest.mark.parametrize(
    ("toml", "expected"), [row[1:] for row in TABLES], ids=[r[0] for r in TABLES]
)
def test_everything_wrong_is_told_at_once(tmp_path: Path, toml: str, expected: list[str]) -> None:
    """Whole files, with all lines of their errors."""
    (tmp_path / "long").write_text(LONG + "\n")
    (tmp_path / "short").write_text(LONG[1:] + "\n")
    lines = [line.replace("FOLDER", str(tmp_path)) for line in expected]
    assert [f"g.toml: {line}" for line in lines] == problems(toml, tmp_path)


WORD = (
    "Invalid value (TOML syntax); "
    "allowed: text in quotes, a number, true, false, a list in [ ] or a table in { }"
)
END = (
    "Expected newline or end of document after a statement (TOML syntax); "
    'allowed: one value on a line, behind which a comment starts with "#"'
)
ONCE = "(TOML syntax); allowed: each key once in its table, and [[name]] above each table of a list"
QUOTE = "(TOML syntax); allowed: text that ends with its quote on the same line"
SYNTAX = [
    (
        b"[server]\nport 8080\n",
        (
            "line 2, column 6: Expected '=' after a key in a key/value pair (TOML syntax); "
            'allowed: key = value, [table] or [[list]], or a comment that starts with "#"'
        ),
    ),
    (
        b"a = [1,\n\n2",
        (
            "line 3, column 2: Unclosed array (TOML syntax); "
            "allowed: a list in [ ] with commas between its items"
        ),
    ),
    (b"a = True", f"line 1, column 5: {WORD}"),
    (b"a = yes", f"line 1, column 5: {WORD}"),
    (b"a = 59,9", f"line 1, column 7: {END}"),
    (b"a = 59.9 // north", f"line 1, column 10: {END}"),
    (b'a = "x\n', f"line 1, column 7: Illegal character '\\n' {QUOTE}"),
    (b"a = 'x\n", f'line 2, column 1: Expected "\'" {QUOTE}'),
    (
        b"[health\na = 1",
        (
            "line 1, column 8: Expected ']' at the end of a table declaration (TOML syntax); "
            "allowed: [table] or [[list]]"
        ),
    ),
    (b"a = 1\na = 2", f"line 2, column 6: Cannot overwrite a value {ONCE}"),
    (b"[edges]\na = 1\n[edges]", f"line 3, column 7: Cannot declare edges twice {ONCE}"),
    (
        b"[profiles.'a b']\n[profiles.'a b']",
        f'line 2, column 16: Cannot declare profiles."a b" twice {ONCE}',
    ),
    (
        b"""["('a',)"]\n["('a',)"]""",
        f"""line 2, column 10: Cannot declare "('a',)" twice {ONCE}""",
    ),
    (
        b'a = "C:\\media"',
        (
            "line 1, column 10: Unescaped '\\' in a string (TOML syntax); "
            "allowed: \\\\ for each \\, or single quotes around the text"
        ),
    ),
    (b"[server]\nhost = '\xff'", "line 2: is not UTF-8; allowed: a file that is saved as UTF-8"),
    (
        b"a = " + b"[" * 5000,
        "cannot be read as TOML (RecursionError: maximum recursion depth exceeded",
    ),
    (b"a = " + b"9" * 5000, "cannot be read as TOML (ValueError: Exceeds the limit (4300 digits)"),
]


@pytest.mark.parametrize(("data", "expected"), SYNTAX)
def test_a_file_that_is_not_toml_says_where(tmp_path: Path, data: bytes, expected: str) -> None:
    """A syntax error has its line and column, and no other exception is raised."""
    (tmp_path / "g.toml").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "g.toml", {})
    assert str(caught.value).startswith(f"g.toml: {expected}")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message has the path and the reason of the operating system."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.toml", {})
    assert f"{tmp_path}/none.toml: cannot be read (No such file or directory)" == str(caught.value)


def test_files_and_folders_are_looked_for_beside_the_file(tmp_path: Path) -> None:
    """The message for a missing file has its full path."""
    toml = (
        "[geo]\ndatabase = 'x.mmdb'\nasn_database = '\\u0000'\n"
        f"anonymous_ip_database = '{'y' * 300}'\n[source]\nroot = 'x'\nkind = 'directory'"
    ).replace("'\\u0000'", '"\\u0000"')
    found = problems(toml, tmp_path)
    assert (
        f'g.toml: geo.database: "x.mmdb" does not exist; looked for the file {tmp_path}/x.mmdb; '
        'allowed: "embedded", or a City or Country .mmdb file'
    ) == found[0]
    assert [" does not exist; looked for the file " in line for line in found[1:3]] == [True] * 2
    assert (
        f'g.toml: source.root: "x" does not exist; looked for the folder {tmp_path}/x; '
        "allowed: a folder"
    ) == found[3]


@pytest.mark.parametrize(
    "value", ["https://u:S3cr3tPw@h/", "https://h/?t=S3cr3tPw", "r:S3cr3tPw@h"]
)
@pytest.mark.parametrize("key", ["source.root", "geo.database", "origin.ca_file", "log.level"])
def test_a_url_in_place_of_a_path_shows_no_secret(tmp_path: Path, key: str, value: str) -> None:
    """Not in the path that was looked for either."""
    assert "S3cr3tPw" not in "".join(problems(f'{key} = "{value}"', tmp_path))


WARNINGS = [
    (
        "the fallback is missing",
        "[[edges]]\nid = 'a'\nurl = 'https://a.example/'",
        [
            (
                "edges: warning: has no edge with fallback = true; "
                "players in unknown places get any edge"
            )
        ],
    ),
    (
        "everybody is trusted",
        "server.trusted_proxies = ['10.0.0.0/8', '::/0']",
        ['server.trusted_proxies[1]: warning: "::/0" lets every client claim any address'],
    ),
    (
        "a folder that nothing reads",
        "source.root = '.'",
        ['source.root: warning: is not used; source.kind is "generated"'],
    ),
    (
        "a rule about networks without the database",
        RULE.format("asn = [64496]"),
        ["rules[0].when.asn: warning: is never true; geo.asn_database is not set"],
    ),
    (
        "all rules after the one for everyone",
        RULE.format("") * 3,
        [
            "rules[1]: warning: is never reached; rules[0] matches every request",
            "rules[2]: warning: is never reached; rules[0] matches every request",
        ],
    ),
    (
        "rules with the conditions of an earlier one, and more",
        (
            RULE.format("device = ['phone', 'tv'], save_data = true")
            + RULE.format("device = ['phone']")
            + RULE.format("save_data = true, device = ['tv', 'phone']")
            + RULE.format("device = ['phone'], country = ['NO'], speed_below_kbps = 1000")
            + RULE.format("country = ['NO'], speed_below_kbps = 1000")
            + "[[start.rules]]\nwhen = {save_data = true}\nbitrate_kbps = 900\n" * 2
        ),
        [
            "rules[2]: warning: is never reached; rules[0] matches every request that it matches",
            "rules[3]: warning: is never reached; rules[1] matches every request that it matches",
            (
                "start.rules[1]: warning: is never reached; "
                "start.rules[0] matches every request that it matches"
            ),
        ],
    ),
    (
        "countries on other continents",
        (
            RULE.format("country = ['us', 'CA'], continent = ['EU', 'AS']")
            + RULE.format("country = ['US', 'NO'], continent = ['EU']")
            + "[[start.rules]]\nwhen = {country = ['NO'], continent = ['AF']}\nbitrate_kbps = 9\n"
        ),
        [
            f"{path}.when.country: warning: is probably never true together with continent; "
            "none of these countries is there"
            for path in ("rules[0]", "start.rules[0]")
        ],
    ),
    (
        "a speed that no request can have",
        RULE.format("speed_below_kbps = 1") + RULE.format("speed_below_kbps = 2"),
        ["rules[0].when.speed_below_kbps: warning: is never true; no speed is below 1 kbit/s"],
    ),
    (
        "a speed between two whole ones",
        RULE.format("speed_above_kbps = 9, speed_below_kbps = 10"),
        [],
    ),
    (
        "events that nobody takes",
        "events.enabled = true\nstore.url = 'memory'",
        ['events.enabled: warning: writes nothing; store.url is "memory"'],
    ),
    ("nothing is wrong", GOOD_EDGE, []),
]


@pytest.mark.parametrize(
    ("toml", "expected"), [row[1:] for row in WARNINGS], ids=[row[0] for row in WARNINGS]
)
def test_a_warning_keeps_nothing_from_starting(
    tmp_path: Path, toml: str, expected: list[str]
) -> None:
    """A configuration with warnings can be used."""
    (tmp_path / "g.toml").write_text(toml)
    loaded = load(tmp_path / "g.toml", {})
    assert [f"g.toml: {line}" for line in expected] == [str(each) for each in loaded.warnings]


def test_edges_of_one_url_may_be_found_by_different_names(tmp_path: Path) -> None:
    """Such as those with IPv4 and those with IPv6."""
    tables = "".join(
        f"[[edges]]\nid = '{kind}'\nurl = 'http://cdn.example/v/'\nfallback = true\n"
        f"dns = {{ name = 'edges.example', type = '{kind}' }}\n"
        for kind in ("A", "AAAA")
    )
    (tmp_path / "g.toml").write_text(tables)
    assert () == load(tmp_path / "g.toml", {}).warnings


SHOWN = [
    ("text", "ab", '"ab"'),
    ("a password", "redis://user:p/w@d@h:1/0", '"redis://***@h:1/0"'),
    ("a password inside a table", {"url": "redis://:pw@h"}, '{"url": "redis://***@h"}'),
    ("a password behind half a scheme", "redis:/:p/w@d@h:1/0", '"redis:***@h:1/0"'),
    ("a token in a query", "https://h/a?token=pw#x", '"https://h/a?***"'),
    ("a token behind half a scheme", "https:/h?t=pw", '"https:/h?***"'),
    ("a token in a fragment", "https://h/#pw", '"https://h/#***"'),
    ("a token behind a space", "https://h /a?pw x", '"https://h /a?***"'),
    ("a token of a path", "healthz?key=pw x&b=pw", '"healthz?key=***"'),
    ("a token among a path's parameters", "https://h/a;sig=pw/b", '"https://h/a;sig=***"'),
    ("a password without a URL", "Password=pw&db=1", '"Password=***&db=1"'),
    ("a password parameter", "redis://h?Password=pw&db=1", '"redis://h?***"'),
    ("control characters", "a\n\x1b\u2028\udc80", '"a\\n\\u001b\\u2028\\udc80"'),
    ("long text", "x" * 200, '"' + "x" * 78 + "…"),
]


@pytest.mark.parametrize(
    ("value", "expected"), [row[1:] for row in SHOWN], ids=[r[0] for r in SHOWN]
)
def test_a_value_is_shown_on_one_line_without_its_password(value: object, expected: str) -> None:
    """Messages are safe for logs and terminals."""
    assert expected == shown(value)


def test_a_path_is_written_as_operators_write_it() -> None:
    """Positions are in brackets, unusual names in quotes."""
    assert written(("rules", 3, "when", "a b", 0)) == 'rules[3].when."a b"[0]'
    assert written(("a.b", "c")) == '"a.b".c'


def test_the_nearest_name_ignores_case_and_what_is_no_name() -> None:
    """Only similar names are suggested."""
    assert nearest("WIEGHT", ["id", "weight"]) == "weight"
    assert None is nearest("zzz", ["id", "weight"])
    assert None is nearest(3, ["id", "weight"])


def test_a_problem_prints_only_what_it_has() -> None:
    """Without a path, the message starts with the source alone."""
    assert str(ConfigProblem("", "is empty", source="g.toml")) == "g.toml: is empty"
