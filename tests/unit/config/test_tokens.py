"""The configuration of playback tokens."""

import json
import re
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.config.load import load
from gateway.config.problem import ConfigError
from gateway.config.schema import Settings
from gateway.config.token_build import (
    protections_of,
    renewal_rules_of,
    token_rules_of,
    token_sources_of,
)
from gateway.trust.keys import Purpose, SigningKey
from gateway.trust.tokens.key import KeyUse, public_key, secret_key
from gateway.trust.tokens.key_set import TokenKeys
from gateway.trust.tokens.protection import RequiredClaim
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.sources import KeyFile, RefreshBounds, TokenSources
from gateway.trust.tokens.verifier import Verifier
from tests.unit.trust.tokens.making import (
    NOW_S,
    SECRET,
    cat,
    granted,
    private,
    token_key,
    verifier,
)

S = "0123456789abcdef0123456789abcdef"
PEM = private("ES256").as_pem(private=False).decode()
PRIVATE_PEM = private("ES256").as_pem(private=True).decode()
ED25519, RSA = OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)
OTHER_PEM = ECKey.generate_key("P-256").as_pem(private=True).decode()
JWK = json.dumps(private("ES256").as_dict(private=False))
RING = f'[[keys.ring]]\nid = "r"\nsecret = "{S}"\n'
KEY = f'[[tokens.keys]]\nid = "k"\nalgorithm = "HS256"\nsecret = "{S}"\n'
PROTECT = '[[tokens.protect]]\nasset_prefix = "a/"\n'
ON = "[tokens]\nenabled = true\n"


def settings(tmp_path: Path, text: str) -> Settings:
    """The checked settings of a config."""
    path = tmp_path / "g.toml"
    path.write_text(text)
    return load(path, {}).settings


def problems(tmp_path: Path, text: str) -> list[str]:
    """All lines of its problems."""
    path = tmp_path / "g.toml"
    path.write_text(text)
    try:
        return list(map(str, load(path, {}).warnings))
    except ConfigError as error:
        return list(map(str, error.problems))


def key(algorithm: str, *lines: str) -> str:
    """A table of a key."""
    table = f'[[tokens.keys]]\nid = "k"\nalgorithm = "{algorithm}"\n'
    return table + "".join(f"{line}\n" for line in lines)


RENEWAL = '[tokens.renewal]\nkey = "k"\n'
SIGNED = 'url = "https://e.example.com/v/"\nfallback = true\n[edges.signing]\nscheme = "cat"\n'
EDGE = (
    f'[server]\npublic_url = "https://g.example.com"\ncors_origins = ["https://p.example.com"]\n'
    f'[[edges]]\nid = "e"\n{SIGNED}carrier = "cookie"\ncookie_domain = "example.com"\n'
    f'[[edges.signing.keys]]\nid = "e1"\nstatus = "active"\nsecret = "{S.encode().hex()}"\n'
)


def edge_of(scheme: str, cookie: str | None) -> str:
    """An edge whose signatures are cookies of another scheme."""
    found = EDGE.replace('scheme = "cat"', f'scheme = "{scheme}"')
    if cookie is not None:
        found = found.replace("cookie_domain", f'token_name = "{cookie}"\ncookie_domain')
    if scheme in {"media-cdn", "cloudfront"}:
        kind = "Ed25519" if scheme == "media-cdn" else "RSA"
        found = re.sub('secret = ".*"', f'private_key_file = "{kind}.pem"', found)
    return found


PROBLEMS: list[tuple[str, str, list[str]]] = [
    ("nothing is wrong", ON + KEY + PROTECT, []),
    ("off, and not yet complete", PROTECT, []),
    ("renewal with a secret", ON + KEY + PROTECT + RENEWAL, []),
    (
        "renewal with a key of the ring",
        RING + ON + key("HS256", 'ring_key = "r"') + PROTECT + RENEWAL,
        [],
    ),
    (
        "renewal without a key",
        ON + KEY + PROTECT + "[tokens.renewal]\n",
        ["tokens.renewal.key: is missing"],
    ),
    (
        "renewal with an unknown key",
        ON + KEY + PROTECT + '[tokens.renewal]\nkey = "kk"\n',
        ["is no active key of [[tokens.keys]]"],
    ),
    (
        "renewal with a retired key",
        ON + KEY + 'status = "retired"\n' + KEY.replace('"k"', '"l"') + PROTECT + RENEWAL,
        ["is no active key of [[tokens.keys]]"],
    ),
    (
        "renewal with a public key alone",
        ON + key("ES256", f'public_key = """{PEM}"""') + PROTECT + RENEWAL,
        ["tokens.renewal.private_key_file: is missing"],
    ),
    (
        "renewal with the private key of another",
        ON
        + key("ES256", f'public_key = """{PEM}"""')
        + PROTECT
        + RENEWAL
        + 'private_key_file = "other.pem"\n',
        ["is not the private key of this key"],
    ),
    (
        "a secret with a private key",
        ON + KEY + PROTECT + RENEWAL + 'private_key_file = "other.pem"\n',
        ["does not belong to a key for HS256"],
    ),
    (
        "a former key of renewal that nothing has",
        ON + KEY + PROTECT + RENEWAL + 'other_keys = ["k", "j"]\n',
        ['renewal.other_keys[1]: "j" is not that of [[tokens.keys]]'],
    ),
    (
        "a key that renews for some time",
        ON + KEY + 'not_after = "2027-11-01T00:00:00Z"\n' + PROTECT + RENEWAL,
        ['renewal.key: warning: "k" has not_after, and renews nothing outside of that time'],
    ),
    (
        "longer than tokens may be",
        ON + "max_lifetime_s = 60\n" + KEY + PROTECT + RENEWAL + "total_lifetime_s = 61\n",
        ["is above tokens.max_lifetime_s"],
    ),
    (
        "a cookie for pages of any origin",
        ON + 'cookies = ["cat"]\n' + KEY + PROTECT,
        ["keeps web pages from sending tokens.cookies"],
    ),
    (
        "the cookie of an edge",
        ON + 'cookies = ["CTA-Common-Access-Token"]\n' + KEY + PROTECT + EDGE,
        ['is the cookie with the signature of edge "e"'],
    ),
    *(
        (
            f"the cookie {cookie} of an edge of {scheme}",
            f"{ON}cookies = {json.dumps(['viewer', cookie])}\n{KEY}{PROTECT}"
            + edge_of(scheme, cookie if cookie == "mine" else None),
            [f'tokens.cookies: "{cookie}" is the cookie with the signature of edge "e"'],
        )
        for scheme, cookie in (
            ("akamai", "hdnts"),
            ("akamai", "mine"),
            ("cat", "mine"),
            ("media-cdn", "Edge-Cache-Cookie"),
            ("cloudfront", "CloudFront-Policy"),
            ("cloudfront", "CloudFront-Hash-Algorithm"),
        )
    ),
    ("nothing is protected", ON + KEY, ["tokens.enabled: warning: is true, but no"]),
    ("no keys", ON + PROTECT, ["tokens.keys: has no key that verifies tokens"]),
    (
        "the only key is retired",
        ON + KEY + 'status = "retired"\n' + PROTECT,
        ["tokens.keys: has no key that verifies tokens"],
    ),
    ("two keys with one id", KEY + KEY, ['tokens.keys[1].id: "k" is also tokens.keys[0].id']),
    (
        "two protections of one prefix",
        KEY + PROTECT + PROTECT,
        ['tokens.protect[1].asset_prefix: "a/" is also tokens.protect[0].asset_prefix'],
    ),
    (
        "a key that is never in force",
        KEY + 'not_before = "2027-01-01T00:00:00Z"\nnot_after = "2026-01-01T00:00:00Z"\n',
        ['tokens.keys[0].not_after: "2026-01-01T00:00:00Z" is not after not_before'],
    ),
    ("no secret", key("HS256"), ["tokens.keys[0].ring_key: is missing"]),
    ("two secrets", KEY + 'ring_key = "r"\n' + RING, ['tokens.keys[0].ring_key: "r" cannot be']),
    (
        "a secret for ES256",
        key("ES256", f'secret = "{S}"'),
        ["tokens.keys[0].secret: (hidden) does"],
    ),
    (
        "a public key as the secret of HS256",
        key("HS256", f"public_key = '{JWK}'"),
        ["tokens.keys[0].public_key: (hidden) does not belong to a key for HS256"],
    ),
    (
        "a short secret",
        key("HS256", 'secret = "short"'),
        ["tokens.keys[0].secret: (hidden) is not"],
    ),
    (
        "hexadecimal digits of few bytes",
        key("HS256", f'secret = "{S}"', 'secret_encoding = "hex"'),
        ["tokens.keys[0].secret: (hidden) has 16 bytes; at least 32 are needed"],
    ),
    (
        "not in the encoding",
        key("HS256", f'secret = "{S}+"', 'secret_encoding = "base64url"'),
        ["tokens.keys[0].secret: (hidden) is not in the encoding base64url"],
    ),
    (
        "a private key",
        key("ES256", "public_key = '-----BEGIN PRIVATE KEY-----'"),
        ["tokens.keys[0].public_key: (hidden) is a private key"],
    ),
    ("no file", key("ES256", 'public_key_file = "x"'), ['public_key_file: "x" does not exist']),
    (
        "another file",
        key("ES256", 'public_key_file = "g.toml"'),
        ['public_key_file: "g.toml" is no public key for ES256'],
    ),
    (
        "no ring key",
        key("HS256", 'ring_key = "q"') + RING,
        ['"q" is not the id of a key of [[keys'],
    ),
    (
        "a retired ring key",
        key("HS256", 'ring_key = "q"') + RING + RING.replace('"r"', '"q"') + 'status = "retired"\n',
        ['ring_key: warning: "q" is retired'],
    ),
    (
        "a bad time",
        KEY + 'not_after = "2026-13-01T00:00:00Z"\n',
        ["is not a time; allowed: a time"],
    ),
    ("a local time", KEY + 'not_before = "2026-11-01 00:00"\n', ["is not a time in UTC"]),
    ("http", '[[tokens.jwks]]\nissuer = "i"\nurl = "http://a.example/"\n', ["is not https"]),
    ("no place", '[[tokens.jwks]]\nissuer = "i"\n', ["tokens.jwks[0].url: is missing"]),
    (
        "no set",
        '[[tokens.jwks]]\nissuer = "i"\nfile = "g.toml"\n',
        ['jwks[0].file: "g.toml" Expect'],
    ),
    (
        "an empty set",
        '[[tokens.jwks]]\nissuer = "i"\nfile = "e.json"\n',
        ["has no key that can be"],
    ),
    (
        "a bound on tokens without an end",
        ON + "require_expiry = false\nmax_lifetime_s = 3600\n" + KEY + PROTECT,
        ["tokens.max_lifetime_s: 3600 does not bound tokens without exp"],
    ),
    *(
        (
            f"tokens without an end, {rest!r}",
            f"{ON}require_expiry = false\n{rest}{KEY}{PROTECT}",
            [],
        )
        for rest in ("", "max_lifetime_s = 0\n")
    ),
    (
        "bounds",
        ON + "jwks_min_refresh_s = 7200\n" + KEY + PROTECT,
        ["is above tokens.jwks_max_ref"],
    ),
    (
        "a prefix that no asset id has",
        KEY + '[[tokens.protect]]\nasset_prefix = "premium//"\n',
        ['protect[0].asset_prefix: "premium//" has a segment that no asset id has'],
    ),
    (
        "names that nothing has",
        KEY + 'issuer = "i"\n' + PROTECT + 'keys = ["j"]\nissuers = ["i", "h"]\n',
        ['protect[0].keys[0]: "j" is not that of', 'protect[0].issuers[1]: "h" is not that of'],
    ),
    *(
        (
            f"{line.partition(' ')[0]} of what needs no token",
            KEY + PROTECT + f'access = "open"\n{line}\n',
            [f'{line.partition(" = ")[2]} is not used with access = "open"; allowed: none, or'],
        )
        for line in (
            'issuers = ["i"]',
            'keys = ["k"]',
            'audiences = ["a"]',
            'required_claims = ["id"]',
        )
    ),
    (
        "no database",
        KEY + PROTECT + "refuse_anonymous = true\n",
        ["protect[0].refuse_anonymous: true needs geo.anonymous_ip_database"],
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in PROBLEMS], ids=[row[0] for row in PROBLEMS]
)
def test_what_is_wrong(tmp_path: Path, text: str, expected: list[str]) -> None:
    """Each with its path; no message has a secret."""
    (tmp_path / "e.json").write_text('{"keys": []}')
    (tmp_path / "other.pem").write_text(OTHER_PEM)
    for name, each in (("Ed25519", ED25519), ("RSA", RSA)):
        (tmp_path / f"{name}.pem").write_bytes(each.as_pem(private=True))
    found = problems(tmp_path, text)
    assert len(expected) == len(found), found
    for part, line in zip(expected, found, strict=True):
        assert part in line
        assert S not in line


def test_what_is_built(tmp_path: Path) -> None:
    """Keys of every kind, files, sets, rules and protections."""
    (tmp_path / "key.pem").write_text(PEM)
    (tmp_path / "secret").write_text(S + "\n")
    (tmp_path / "set.json").write_text(json.dumps({"keys": [json.loads(JWK)]}))
    found = settings(
        tmp_path,
        ON
        + 'max_lifetime_s = 0\naudiences = ["x"]\ncatu_base = "https://cdn.example/v"\n'
        + RING
        + KEY.replace('"k"', '"text"')
        + KEY.replace('"k"', '"gone"')
        + 'status = "retired"\n'
        + key("HS256", 'ring_key = "r"').replace('"k"', '"ring"')
        + key("HS256", f'secret = "{SECRET.hex()}"', 'secret_encoding = "hex"')
        + key("HS256", 'secret_file = "secret"').replace('"k"', '"file"')
        + key("ES256", f"public_key = '''{PEM}'''", 'issuer = "i"').replace('"k"', '"pem"')
        + key("ES256", 'public_key_file = "key.pem"', 'subject_is = "asset"').replace('"k"', '"f"')
        + 'not_before = "2026-11-01T00:00:00Z"\nnot_after = "2027-11-01T00:00:00Z"\n'
        + '[[tokens.jwks]]\nissuer = "i"\nfile = "set.json"\nrsa_algorithm = "PS256"\n'
        + '[[tokens.jwks]]\nissuer = "j"\nurl = "http://127.0.0.1:9/jwks.json"\n'
        + PROTECT
        + 'required_claims = ["session", "countries"]\naudiences = ["y"]\n'
        + '[[tokens.protect]]\nasset_prefix = ""\naccess = "open"\n',
    )
    sources = token_sources_of(found)
    derived = SigningKey("r", S.encode()).derived[Purpose.PLAYBACK_TOKEN]
    assert TokenKeys(sources.keys) == TokenKeys(
        [
            secret_key(KeyUse("text", "HS256"), S.encode()),
            secret_key(KeyUse("ring", "HS256"), derived),
            token_key(),
            secret_key(KeyUse("file", "HS256"), S.encode()),
            token_key("ES256", "pem", issuer="i"),
        ]
    )
    use = KeyUse("f", "ES256", None, "asset", 1793491200.0, 1825027200.0)
    assert (KeyFile(use, str(tmp_path / "key.pem")),) == sources.files
    assert [(str(tmp_path / "set.json"), None), (None, "http://127.0.0.1:9/jwks.json")] == [
        (place.path, place.url) for place in sources.sets
    ]
    assert RefreshBounds() == sources.refresh
    assert token_rules_of(found) == TokenRules(4096, 60, True, None, frozenset({"x", "y"}))
    protections = protections_of(found)
    assert protections.of("b") is None
    protection = protections.of("a/1")
    assert protection is not None
    assert (RequiredClaim.COUNTRIES, RequiredClaim.SESSION) == protection.required


def test_nothing_is_built_while_tokens_are_off(tmp_path: Path) -> None:
    """So that no library of tokens is loaded, and no URL is asked."""
    found = settings(tmp_path, KEY + PROTECT)
    assert (TokenSources(), False) == (token_sources_of(found), bool(protections_of(found)))


RENEWERS = [
    ("a secret", KEY, "", 43_200),
    ("a key of the ring", RING + key("HS256", 'ring_key = "r"'), "total_lifetime_s = 900\n", 900),
    (
        "a private key",
        key("ES256", 'public_key_file = "key.pem"'),
        'private_key_file = "private.pem"\n',
        43_200,
    ),
    ("a longer lifetime than tokens may have", KEY, "total_lifetime_s = 700000\n", 604_800),
]


@pytest.mark.parametrize(
    ("listed", "more", "most_s"), [row[1:] for row in RENEWERS], ids=[row[0] for row in RENEWERS]
)
def test_what_renews_tokens(tmp_path: Path, listed: str, more: str, most_s: int) -> None:
    """What it signs is accepted with the keys of the same configuration."""
    (tmp_path / "key.pem").write_text(PEM)
    (tmp_path / "private.pem").write_text(PRIVATE_PEM)
    given = settings(
        tmp_path, listed.replace("[[tokens", ON + "[[tokens", 1) + PROTECT + RENEWAL + more
    )
    rules = renewal_rules_of(given)
    assert rules is not None
    assert most_s == rules.most_s
    old = cat({7: b"a"})
    new = rules.key.renewed(old, granted(verifier().verify(old, NOW_S)), int(NOW_S) + 900, NOW_S)
    sources = token_sources_of(given)
    files = [public_key(each.use, Path(each.path).read_text()) for each in sources.files]
    keys = TokenKeys((*sources.keys, *files, token_key()))
    found = Verifier(keys, TokenRules()).verify(new, NOW_S)
    assert NOW_S + 900 == granted(found).expires_s


def test_which_keys_renew(tmp_path: Path) -> None:
    """That of ``[tokens.renewal]``, and others while it is replaced."""
    (tmp_path / "key.pem").write_text(PEM)
    keys = [KEY.replace('"k"', f'"{name}"') for name in ("gw", "old", "backend")]
    file = key("ES256", 'public_key_file = "key.pem"').replace('"k"', '"new"')
    renewal = RENEWAL.replace('"k"', '"gw"') + 'other_keys = ["old", "new"]\n'
    found = token_sources_of(settings(tmp_path, ON + "".join(keys) + file + PROTECT + renewal))
    assert {"gw": True, "old": True, "backend": False, "new": True} == {
        use.id: use.renews for use in (*(k.use for k in found.keys), *(f.use for f in found.files))
    }


def test_nothing_is_renewed_unless_it_is_configured(tmp_path: Path) -> None:
    assert renewal_rules_of(settings(tmp_path, ON + KEY + PROTECT)) is None
    assert renewal_rules_of(settings(tmp_path, "[tokens]\n" + KEY + PROTECT + RENEWAL)) is None
