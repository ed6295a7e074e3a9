"""The configuration of signed edge URLs."""

import re
from pathlib import Path
from secrets import token_hex

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.config.build import templates_of
from gateway.config.load import load
from gateway.config.problem import ConfigError
from gateway.config.registration import facts_of
from gateway.config.signing_build import signing_of
from gateway.edge.resolved import DnsRecord, KnownRecords, edges_of
from tests.unit.trust.edge_signing.keys import ed25519_pem, rsa_pem

DOCS = Path(__file__).parents[3] / "docs" / "edge-signing.md"
HEX = "52a152a152a152a152a152a152a152a1"
EDGE = (
    '[server]\npublic_url = "https://play.example.com/"\ncors_origins = ["https://a.example.com"]\n'
    '[[edges]]\nid = "a"\nfallback = true\n'
)
URL = 'url = "https://a.example.com/v/"\n'
PLAIN = f'keys = [{{ id = "k", secret = "{HEX}" }}]\n'
SECRETS = {
    "fastly-token": b"iqFPeN2u+Z0Lm5IrsKaOFKRqEU5Gw8ePtaEkHZWuD24=\n",
    "akamai-hex": HEX.encode(),
    "cat-hex": HEX.encode() * 2,
    "cloudfront-rsa.pem": rsa_pem(),
    "media-cdn-ed25519.pem": ed25519_pem(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the secrets that the documentation names."""
    made = tmp_path_factory.mktemp("secrets")
    for name in re.findall(r"/run/secrets/([\w.-]+)", DOCS.read_text("utf-8")):
        (made / name).write_bytes(SECRETS.get(name, token_hex(32).encode()))
    (made / "small.pem").write_bytes(rsa_pem(1024))
    (made / "public.pem").write_text("-----BEGIN PUBLIC KEY-----\n")
    return made


def problems_of(folder: Path, text: str) -> list[str]:
    """The errors of a configuration, without the name of its file."""
    path = folder / "g.toml"
    path.write_text(text)
    try:
        found = load(path, {}).warnings
    except ConfigError as error:
        found = error.problems
    return [str(problem).removeprefix("g.toml: ") for problem in found]


BLOCKS = [block.split("```")[0] for block in DOCS.read_text("utf-8").split("```toml\n")[1:]]


@pytest.mark.parametrize("block", BLOCKS, ids=[str(at) for at in range(len(BLOCKS))])
def test_the_documented_configurations(folder: Path, block: str) -> None:
    """Each can be used as it is, and every edge signs."""
    text = block.replace("/run/secrets/", f"{folder}/")
    text = text.replace("[edges.signing]", "fallback = true\n[edges.signing]")
    assert [] == problems_of(folder, text)
    settings = load(folder / "g.toml", {}).settings
    table = settings.registry.signing or settings.edges[0].signing
    assert table is not None
    assert signing_of(table).validity(0).expires_s == 43_200 + 3600


REFUSED = [
    ('scheme = "nginx"\ncarrier = "query"\n', "signing.carrier", "is not inherited"),
    ('scheme = "nginx"\ncarrier = "cookie"\n', "signing.carrier", 'possible with scheme "nginx"'),
    ('scheme = "nginx"\nskew_s = 5\n', "signing.skew_s", "have no start"),
    ('scheme = "nginx"\nissuer = "x"\n', "signing.issuer", 'not used by scheme "nginx"'),
    ('scheme = "nginx"\nalgorithm = "sha1"\n', "signing.algorithm", 'not used by scheme "nginx"'),
    ('scheme = "nginx"\nstep_s = 50000\n', "signing.step_s", "above lifetime_s"),
    ('scheme = "nginx"\nsegments = 2\n', "signing.segments", "is not used"),
    ('scheme = "nginx"\ncovers = "segments"\n', "signing.segments", "is missing"),
    ('scheme = "cat"\n', "signing.keys", "a secret of 16 bytes"),
    ('scheme = "akamai"\ncarrier = "cookie"\n', "signing.cookie_domain", "is missing"),
    ('scheme = "akamai"\ncookie_domain = "example.com"\n', "signing.cookie_domain", "in the path"),
    (
        'scheme = "akamai"\ncarrier = "cookie"\ncookie_domain = "b.example.com"\n',
        "signing.cookie_domain",
        "is no parent of a.example.com",
    ),
    ('scheme = "cloudfront"\ncookie_domain = "example.com"\n', "signing.keys", '"k" cannot sign'),
    ('scheme = "template"\npath = "/{mac}/"\n', "signing.path", "has no {prefix}"),
    ('scheme = "template"\nmessage = "{prefix}"\n', "signing.message", "has no {expires}"),
]


@pytest.mark.parametrize(("table", "key", "words"), REFUSED)
def test_what_is_refused(folder: Path, table: str, key: str, words: str) -> None:
    """Each problem names the key, the reason and what is allowed; none shows the secret."""
    found = problems_of(folder, f"{EDGE}{URL}[edges.signing]\n{table}{PLAIN}")
    assert 1 <= len(found)
    assert found[0].startswith(f"edges[0].{key}: ")
    assert words in found[0]
    assert "; allowed: " in found[0]
    assert HEX not in "".join(found)


KEYS = [
    ("akamai", f'{{ id = "k", secret = "{HEX}x" }}', '"k" has a secret that is not hexadecimal'),
    ("fastly", f'{{ id = "k", secret = "{HEX[:-1]}-" }}', '"k" has a secret that is not base64'),
    (
        "fastly",
        '{ id = "k", secret = "ERERERERERERERERAAIiIiIiIiIiIiIiIiIiIiIiIiI=" }',
        '"k" has a secret with a zero byte',
    ),
    ("nginx", '{ id = "k", secret = "short" }', "is not long enough for a key"),
    ("nginx", '{ id = "k" }', "is missing"),
    ("nginx", '{ id = "k.", secret = "x" }', "does not have the allowed form"),
    ("nginx", f'{{ id = "k", secret = "{HEX}", secret_file = "cat-hex" }}', "cannot be combined"),
    ("nginx", f'{{ id = "k", secret = "{HEX}", status = "standby" }}', "no key whose status"),
    ("nginx", f'{{ id = "k", secret = "{HEX}" }}, {{ id = "k", secret = "{HEX}" }}', "id twice"),
    ("media-cdn", f'{{ id = "k", secret = "{HEX}" }}', "cannot sign by scheme"),
    ("media-cdn", '{ id = "k", private_key_file = "gone.pem" }', "does not exist"),
    ("media-cdn", '{ id = "k", private_key_file = "cat-hex" }', "holds no private key"),
    ("media-cdn", '{ id = "k", private_key_file = "public.pem" }', "holds a public key or"),
    ("media-cdn", '{ id = "k", private_key_file = "cloudfront-rsa.pem" }', "another kind (RSA)"),
    (
        "media-cdn",
        (
            '{ id = "k", private_key_file = "media-cdn-ed25519.pem" }, '
            '{ id = "old", private_key_file = "small.pem", status = "standby" }'
        ),
        '"old" is a private key of another kind (RSA)',
    ),
]


@pytest.mark.parametrize(("scheme", "keys", "words"), KEYS)
def test_keys_that_cannot_sign(folder: Path, scheme: str, keys: str, words: str) -> None:
    """Of a wrong length, kind or encoding, also those on standby. None is shown."""
    text = f'{EDGE}{URL}[edges.signing]\nscheme = "{scheme}"\nkeys = [{keys}]\n'
    found = problems_of(folder, text)
    assert found
    assert words in found[0]
    assert found[0].startswith("edges[0].signing.keys")
    assert HEX not in "".join(found)
    assert "PRIVATE" not in "".join(found)


@pytest.mark.parametrize(
    ("url", "more", "path", "words"),
    [
        ("https://a.example.com/v%2f/", "", "edges[0].url", "may normalise"),
        ("http://a.example.com/v/", 'dns = { name = "x.example", type = "A" }', None, ""),
    ],
)
def test_urls(folder: Path, url: str, more: str, path: str | None, words: str) -> None:
    """A URL in normal form; with DNS as well."""
    text = f'{EDGE}url = "{url}"\n{more}\n[edges.signing]\nscheme = "nginx"\n{PLAIN}'
    found = problems_of(folder, text)
    assert ([path] if path else []) == [one.partition(": ")[0] for one in found]
    assert words in "".join(found)


COOKIE = '[edges.signing]\nscheme = "akamai"\ncarrier = "cookie"\ncookie_domain = "example.com"\n'


def test_cookies(folder: Path) -> None:
    """The gateway must be below the domain, two edges share no cookies, and hosts must be known."""
    text = f"{EDGE}{URL}{COOKIE}{PLAIN}"
    assert [] == problems_of(folder, text)
    (found,) = problems_of(folder, text.replace("play.example.com", "play.example.org"))
    assert (
        'edges[0].signing.cookie_domain: "example.com" is no parent of server.public_url' in found
    )
    (found,) = problems_of(folder, text.replace("public_url", "# public_url"))
    assert "(which is not set)" in found
    other = '[[edges]]\nid = "b"\nurl = "https://b.example.com/v"\n'
    (found,) = problems_of(folder, f"{text}{other}{COOKIE}{PLAIN}")
    assert found.startswith("edges[1].signing.cookie_domain: warning: ")
    assert "is that of edges[0] as well" in found
    (found,) = problems_of(folder, text.replace('["https://a.example.com"]', '["*"]'))
    assert found.startswith('server.cors_origins: warning: ["*"] keeps web pages from taking')
    (found,) = problems_of(
        folder, text.replace("https://a.example.com/v/", "http://a.example.com/")
    )
    assert found.startswith('edges[0].url: "http://a.example.com/" is not https')
    (found,) = problems_of(folder, f"[dash]\nclass_manifests = true\n{text}")
    assert found.startswith("dash.class_manifests: true is not possible with edges whose")
    dns = 'dns = { name = "_http._tcp.example.com", type = "SRV" }\n'
    (found,) = problems_of(folder, f"{EDGE}{URL}{dns}{COOKIE}{PLAIN}")
    assert 'edges[0].signing.carrier: "cookie" is not possible with dns' in found
    table = COOKIE.replace("[edges.", "[registry.")
    (found,) = problems_of(folder, f"{EDGE}{URL}{table}{PLAIN}")
    assert found.startswith('registry.signing.carrier: "cookie" is not possible')


def test_edges_of_dns_have_the_signing_of_their_table(folder: Path) -> None:
    """Each with its own host."""
    dns = 'dns = { name = "x.example", type = "A" }\n'
    path = folder / "dns.toml"
    path.write_text(
        f'{EDGE}url = "http://a.example.com/v/"\n{dns}[edges.signing]\nscheme = "nginx"\n{PLAIN}'
    )
    (template,) = templates_of(load(path, {}).settings)
    (edge,) = edges_of(template, KnownRecords((DnsRecord("192.0.2.1"),)))
    assert edge.signing is not None
    assert edge.signing == template.edge.signing
    url = edge.signing.signed_url(edge.url, "a/b.ts", 0)
    assert url.startswith("http://192.0.2.1/v/a/~")
    assert edge.signing.signer.refusal(url, {}, 0) is None


def test_a_registration_has_no_secret() -> None:
    """A registered edge cannot bring its own signing."""
    table = {"id": "a", "url": "https://a.example/", "signing": {"scheme": "nginx"}}
    with pytest.raises(ConfigError, match="--signing: is not allowed for registered edges"):
        facts_of(table, 6.0, "me")


def test_what_changes_the_signing(folder: Path) -> None:
    """Another secret under the same id, and every key of the table; so does the order of keys."""
    found: dict[str, str] = {}
    for table in (
        PLAIN,
        PLAIN.replace("52a1", "52a2"),
        PLAIN.replace('"k"', '"k2"'),
        f"lifetime_s = 7200\n{PLAIN}",
        f'covers = "edge"\n{PLAIN}',
        f'salt = "s"\n{PLAIN}',
        f'salt = "t"\n{PLAIN}',
        (
            f'keys = [{{ id = "k", secret = "{HEX}", status = "standby" }}, '
            f'{{ id = "new", secret = "{HEX}" }}]\n'
        ),
    ):
        path = folder / "id.toml"
        path.write_text(f'{EDGE}{URL}[edges.signing]\nscheme = "akamai"\n{table}')
        (edge,) = load(path, {}).policy.edges
        assert edge.signing is not None
        found[edge.signing.id] = edge.signing.signer.key_id
        assert edge.signing.skew_s == 60
        assert HEX not in repr(edge)
    assert ["k", "k", "k2", "k", "k", "k", "k", "new"] == list(found.values())


def test_check_prints_a_sample(folder: Path) -> None:
    """One line for each key of each edge that signs, and nothing that opens anything now."""
    path = folder / "sample.toml"
    more = f', {{ id = "old", secret = "{HEX}", status = "standby" }}]'
    path.write_text(
        f'[admin]\nenabled = false\n{EDGE}{URL}[edges.signing]\nscheme = "nginx"\n'
        f"{PLAIN.replace(']', more)}"
    )
    result = CliRunner().invoke(main, ["check", str(path)])
    assert 0 == result.exit_code, result.output
    mac = r"[\w-]{22}"
    url = f"https://a.example.com/v/sample-asset/~946688400~{mac}/"
    lines = result.output.splitlines()
    assert re.fullmatch(f"edge a: nginx, key k, in the path: {url}", lines[-2])
    assert re.fullmatch(f"edge a: nginx, key old, in the path: {url}", lines[-1])
    assert HEX not in result.output


def test_short_lifetimes(folder: Path) -> None:
    """A warning: some players get no new signature, and without steering none does."""
    text = f'{EDGE}{URL}[edges.signing]\nscheme = "nginx"\n{PLAIN}lifetime_s = 3600\n'
    (found,) = problems_of(folder, text)
    assert found.startswith("edges[0].signing.lifetime_s: warning: 3600 is short: players of MPDs,")
    (found,) = problems_of(folder, f"[steering]\nenabled = false\n{text}")
    assert "3600 is short: players cannot play" in found
