"""What do hostile players send? Requests made from a seed: paths, queries, headers, bodies.

Most of each request is what a player sends, with one or two parts replaced: garbage alone would be
refused by the first check.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

from tests.attack.client import Shot

CANARY = "c4n4ry"
"""In every text that a player makes up; looked for in answers, logs and Redis."""

HOSTILE: tuple[bytes, ...] = (
    *(b"", b"0", b"-1", b"1", b"1e309", b"-1e309", b"NaN", b"inf", b"9" * 400, b"1" * 25),
    *(b"0x10", b"1_0", b"\xd9\xa1", b"1.5", b"+5", b" 5", b"5 ", b"1e-400", b"0.0000001"),
    *(b"'", b'"', b"\\", b"{$viewer}", b"${jndi:ldap://127.0.0.1/a}", b"{{7*7}}", b"<script>"),
    *(b"../../etc/passwd", b"%2e%2e%2f", b"%00", b"%0d%0aEvil:%20yes", b"%250d%250a", b"%", b"%zz"),
    *(b"\xff\xfe\xfd", "\u202e".encode(), "\u2028".encode(), b"\xed\xa0\x80", b"\xc0\xaf"),
    *(b"\x1b[31m", b"\x7f", b"\x85", b"\xa0", b"*", b"(" * 300, b"," * 500, b";" * 500),
    *(b"=" * 300, b"&" * 60, b'"' * 301, b"\\" * 301, b"[" * 300, b"{" * 300, b"a=" * 200),
    *(b"x" * 3000, b"true", b"false", b"null", b"[]", b"{}", b"?0", b"?1", b":YQ==:", b"@1"),
    *(b"http://127.0.0.1:22/", b"//evil.example/", b"file:///etc/passwd", b"data:,a", b"a:b"),
)
_ALLOWED_IN_HEADERS = bytes([9, *range(32, 127), *range(128, 256)])
_NOT_IN_HEADERS = bytes(set(range(256)) - set(_ALLOWED_IN_HEADERS))

_WEBKIT = b"AppleWebKit/537.36 (KHTML, like Gecko) "
USER_AGENTS = (
    b"Mozilla/5.0 (Linux; Android 14; SM-S918B) %sChrome/131.0.0.0 Mobile Safari/537.36" % _WEBKIT,
    b"Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) %s85.0.4183.93/6.5 TV Safari/537.36" % _WEBKIT,
    b"AppleCoreMedia/1.0.0.21F79 (iPhone; U; CPU OS 17_5 like Mac OS X; en_us)",
    b"Mozilla/5.0 (X11; Linux x86_64) %sChrome/131.0 Safari/537.36" % _WEBKIT,
    b"curl/8.5.0",
    b"Googlebot/2.1",
    b"",
)
ADDRESSES = (b"129.240.2.6", b"128.101.101.101", b"103.4.145.245", b"2001:700::1", b"203.0.113.9")
PARAMETERS: dict[bytes, Sequence[bytes]] = {
    b"speed": (b"300", b"9000", b"90000"),
    b"session": (b"s1", b"s2", b"s3"),
    b"CMCD": (b"bl%3D2000%2Cmtp%3D5000%2Csid%3D%22s1%22", b"v%3D2%2Csta%3Dp%2Cmtp%3D(300%3Bv)"),
    b"max_resolution": (b"720p", b"2160p"),
    b"min_resolution": (b"360p",),
    b"max_bitrate": (b"1200",),
    b"codecs": (b"avc", b"avc,hevc,av1"),
    b"clientBandwidthHint": (b"1.5",),
    b"fields": (b"ladder", b"edges,reasons"),
    b"viewer": (b"alice",),
    b"state": (b"",),
    b"_HLS_pathway": (b"one",),
    b"_HLS_throughput": (b"5000000",),
    b"_DASH_pathway": (b"one,two",),
    b"_DASH_throughput": (b"5000000,100",),
    b"format": (b"dash", b"hls"),
    b"bytes": (b"1000",),
    b"token": (b"eyJhbGciOiJub25lIn0.e30.",),
    b"CTA-Common-Access-Token": (b"2D3RhEOhAQWhBFA",),
    b"limit": (b"10",),
    b"cursor": (b"1",),
    b"asset": (b"film",),
    b"": (b"",),
    b"x": (b"1",),
}
HEADERS: dict[bytes, Sequence[bytes]] = {
    b"User-Agent": USER_AGENTS,
    b"X-Forwarded-For": ADDRESSES,
    b"Forwarded": (b"for=129.240.2.6", b'for="[2001:700::1]:80";proto=https;host=x'),
    b"X-Forwarded-Proto": (b"https",),
    b"Accept-Encoding": (b"gzip", b"br;q=0.5, zstd", b"identity;q=0, *;q=0.1"),
    b"If-None-Match": (b'"x"', b'W/"x", "y"', b"*"),
    b"X-Request-ID": (b"abc",),
    b"Origin": (b"https://player.example", b"null"),
    b"Save-Data": (b"on",),
    b"Downlink": (b"1.7",),
    b"ECT": (b"4g",),
    b"RTT": (b"50",),
    b"CMCD-Object": (b"br=3200,d=4004,ot=v,tb=6000",),
    b"CMCD-Request": (b'bl=21300,mtp=48100,nor="..%2F300kbps%2Ftrack.m4v",su',),
    b"CMCD-Session": (b'cid="c",sid="s1",sf=h,st=v,v=1',),
    b"CMCD-Status": (b"bs,rtp=15000",),
    b"Sec-CH-UA": (b'"Chromium";v="131", "Not;A=Brand";v="24"',),
    b"Sec-CH-UA-Mobile": (b"?1",),
    b"Sec-CH-UA-Platform": (b'"Android"',),
    b"Sec-CH-UA-Platform-Version": (b'"14.0.0"',),
    b"Sec-CH-UA-Model": (b'"SM-S918B"',),
    b"Sec-CH-UA-Form-Factors": (b'"Mobile"',),
    b"Authorization": (b"Bearer a.b.c", b"Basic YTpi"),
    b"CTA-Common-Access-Token": (b"2D3RhEOhAQWhBFA",),
    b"Cookie": (b"a=b",),
    b"Range": (b"bytes=0-0",),
    b"Content-Type": (b"application/json",),
    b"Content-Encoding": (b"gzip",),
    b"Last-Event-ID": (b"1-0",),
    b"Signature": (b"sig1=:YQ==:",),
    b"Signature-Input": (b'sig1=("@method");created=1;keyid="a"',),
}
OPERATOR_PATHS = (
    *(b"/v1/play/film", b"/v1/sessions", b"/v1/sessions/s1", b"/v1/sessions/0123456789abcdef"),
    *(b"/readyz", b"/livez", b"/openapi.json", b"/v1/play/film.m3u8", b"/metrics"),
)
NOT_STREAMED = b"/v1/activity"
"""Answers that do not end have attacks of their own."""


class Hostile:
    """Makes requests. ``assets`` are names with the suffix of their source."""

    def __init__(self, seed: int, assets: Sequence[str]) -> None:
        self._random = random.Random(seed)
        self._assets = [name.encode() for name in assets] or [b"film.m3u8"]
        self._count = 0

    def value(self) -> bytes:
        """Any hostile text, sometimes two of them."""
        chance = self._random.random()
        if chance < 0.7:
            return self._random.choice(HOSTILE)
        if chance < 0.85:
            return self._random.randbytes(self._random.randrange(1, 60))
        return self._random.choice(HOSTILE) + self._random.choice(HOSTILE)

    def mutated(self, text: bytes) -> bytes:
        """The text with a few bytes flipped, cut, repeated or replaced."""
        data = bytearray(text)
        for _ in range(self._random.randrange(1, 4)):
            at = self._random.randrange(len(data) + 1)
            match self._random.randrange(5):
                case 0 if data:
                    data[at % len(data)] ^= 1 << self._random.randrange(8)
                case 1:
                    del data[at:]
                case 2:
                    data[at:at] = self._random.choice(HOSTILE)[:200]
                case 3:
                    data[at:at] = data[: min(at, 100)]
                case _:
                    del data[at : at + self._random.randrange(8)]
        return bytes(data)

    def path(self) -> bytes:
        """A path of the players' listener."""
        one = self._random
        asset = one.choice(self._assets)
        stem, _, suffix = asset.rpartition(b".")
        kind = one.random()
        if kind < 0.45:
            path = b"/v1/play/" + asset
        elif kind < 0.6:
            path = b"/v1/play/" + stem
        elif kind < 0.75:
            path = b"/v1/steering/" + stem
        elif kind < 0.8:
            path = b"/v1/class/" + quote(self.value()).encode() + b"/" + stem + b".mpd"
        elif kind < 0.85:
            fixed = (
                b"/livez",
                b"/readyz",
                b"/openapi.json",
                b"/v1/probe",
                b"/v1/cmcd",
                b"/metrics",
                b"/v1/decisions",
                b"/v1/sessions",
                b"/",
                b"//",
                b"/v1/play/",
            )
            path = one.choice(fixed)
        else:
            path = b"/v1/play/" + self.mutated(stem) + b"." + suffix
        return path

    def target(self, path: bytes) -> bytes:
        """A request target: what HTTP does not allow there is percent-encoded, mostly."""
        one = self._random
        names = list(PARAMETERS)
        pairs = []
        for name in one.sample(names, one.choice((0, 1, 1, 2, 3, 5))):
            value = one.choice(PARAMETERS[name]) if one.random() < 0.5 else self._query_value()
            pairs.append(name + b"=" + value)
        if one.random() < 0.02:
            pairs = [b"a%d=1" % number for number in range(one.randrange(60, 400))]
        query = b"?" + b"&".join(pairs) if pairs else b""
        return _cleaned(path) + _cleaned(query)

    def _query_value(self) -> bytes:
        value = self.value()
        return quote(value).encode() if self._random.random() < 0.7 else value

    def headers(self) -> list[bytes]:
        """Header lines, without those that frame the request."""
        one = self._random
        lines = []
        for name in one.sample(list(HEADERS), one.choice((1, 2, 3, 5))):
            known = HEADERS[name]
            chance = one.random()
            if chance < 0.5:
                value = one.choice(known)
            elif chance < 0.75:
                value = self.mutated(one.choice(known))
            else:
                value = self.value()
            lines.append(name + b": " + value.translate(None, _NOT_IN_HEADERS))
            if one.random() < 0.05:
                lines.append(lines[-1])
        return lines

    def get(self, path: bytes | None = None, extra: Sequence[bytes] = ()) -> Shot:
        """A GET, HEAD or OPTIONS request."""
        method = self._random.choice((b"GET",) * 8 + (b"HEAD", b"OPTIONS"))
        target = self.target(self.path() if path is None else path)
        self._count += 1
        lines = [method + b" " + target + b" HTTP/1.1", b"Host: localhost", *extra, *self.headers()]
        return Shot(b"\r\n".join([*lines, b"", b""]), method)

    def post(self, path: bytes, body: bytes, kind: bytes) -> Shot:
        """A POST request with a body of a media type."""
        lines = [
            *(b"POST " + self.target(path) + b" HTTP/1.1", b"Host: localhost"),
            *(line for line in self.headers() if not line.startswith(b"Content-")),
            *(b"Content-Type: " + kind, b"Content-Length: %d" % len(body)),
        ]
        return Shot(b"\r\n".join([*lines, b"", body]), b"POST")

    def cmcd(self) -> Shot:
        """A batch of reports; most lines were CMCD once."""
        one = self._random
        lines = []
        for _ in range(one.choice((0, 1, 1, 2, 5, 30))):
            chance = one.random()
            if chance < 0.3:
                lines.append(one.choice(_REPORTS))
            elif chance < 0.8:
                lines.append(self.mutated(one.choice(_REPORTS)))
            else:
                lines.append(self.value())
        kinds = (b"application/cmcd", b"text/cmcd", b"application/json", self.value()[:50])
        kind = one.choice(kinds).translate(None, _NOT_IN_HEADERS)
        return self.post(b"/v1/cmcd", one.choice((b"\n", b"\n", b"\r\n")).join(lines), kind)

    def batch(self) -> Shot:
        """A request for decisions of several assets."""
        one = self._random
        assets: list[object] = [one.choice(self._assets).decode("latin-1") for _ in range(3)]
        if one.random() < 0.5:
            assets.append(one.choice((None, 1, [], {}, "", "../x", "x" * 600, "\ud800", "\0")))
        body = json.dumps({"assets": assets}).encode()
        if one.random() < 0.6:
            body = self.mutated(body)
        return self.post(b"/v1/decisions", body, b"application/json")

    def probe_result(self) -> Shot:
        """The result of a probe."""
        one = self._random
        values: list[object] = [1000, 0, -1, 1e308, "1", None, [], True, 10**30]
        told = {name: one.choice(values) for name in ("session", "bytes", "duration_ms")}
        body = json.dumps(told).encode()
        return self.post(
            b"/v1/probe", self.mutated(body) if one.random() < 0.5 else body, b"application/json"
        )

    def player(self) -> Shot:
        """Any request to the players' listener."""
        chance = self._random.random()
        if chance < 0.86:
            return self.get()
        if chance < 0.92:
            return self.cmcd()
        return self.batch() if chance < 0.97 else self.probe_result()

    def operator(self) -> Shot:
        """Any request to the operators' listener."""
        one = self._random
        if one.random() < 0.15:
            return self.batch()
        path = (
            one.choice(OPERATOR_PATHS) if one.random() < 0.02 else one.choice(OPERATOR_PATHS[:-1])
        )
        if one.random() < 0.3:
            path = b"/v1/sessions/" + quote(self.value(), safe=b"").encode()[:1000]
        return self.get(path)


_REPORTS = (
    b'bl=2000,br=(3200;v),cid="film",e=t,mtp=(5000;v),pr=1,sid="s1",sta=p,ts=1767225600000,v=2',
    b'e=ps,sid="s2",sta=r,ts=1767225600000,v=2',
    b'e=e,ec=("404" "x"),sid="s3",sta=f,ts=1767225600000,v=2,cdn="one",msd=900,bs,bsd=(100)',
    b'{"v":2,"e":"t","sid":"s1","ts":1767225600000,"mtp":[5000]}',
)
_OTHER = re.compile(rb"[^!-~]|#")


def _cleaned(target: bytes) -> bytes:
    """The target with what would end it percent-encoded, and without fragments."""
    return _OTHER.sub(lambda found: b"%%%02X" % found[0][0], target)


def request(target: bytes, lines: Sequence[bytes], body: bytes | None = None) -> bytes:
    """A GET request, or a POST request with JSON."""
    method = b"GET" if body is None else b"POST"
    head = [method + b" " + target + b" HTTP/1.1", b"Host: localhost", *lines]
    if body is not None:
        head += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*head, b"", body or b""])


def shots(make: Callable[[], Shot], count: int) -> Iterator[Shot]:
    """So many of them."""
    for _ in range(count):
        yield make()
