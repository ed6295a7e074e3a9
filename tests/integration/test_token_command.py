"""``gateway token check``; and what a gateway without tokens does not load."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.unit.trust.tokens.making import SECRET, cat, jwt

CONFIG = f"""
[tokens]
audiences = ["vod"]
[[tokens.keys]]
id = "k"
algorithm = "HS256"
secret = "{SECRET.decode()}"
[[tokens.protect]]
asset_prefix = "premium/"
required_claims = ["countries"]
"""
END_S = int(time.time()) + 86_400
CLAIMS = {"exp": END_S, "asset": "premium/a", "countries": ["GB"], "aud": "vod", "sub": "a\nb"}


def check(tmp_path: Path, text: str, *arguments: str) -> Result:
    """The command, with the token on its standard input."""
    path = tmp_path / "g.toml"
    path.write_text(CONFIG)
    given = ("token", "check", "--config", str(path), *arguments)
    return CliRunner().invoke(main, given, input=text + "\n")


def test_a_valid_token(tmp_path: Path) -> None:
    """What it allows, line by line, from standard input and from a file."""
    found = check(tmp_path, jwt(CLAIMS), "--asset", "premium/a")
    assert 0 == found.exit_code, found.output
    lines = found.stdout.splitlines()
    assert "valid: JWT, made with the key k" == lines[0]
    assert {"assets: premium/a", "countries: GB", "audiences: vod", "subject: 'a\\nb'"} <= set(
        lines
    )
    file = tmp_path / "token"
    file.write_text(jwt(CLAIMS))
    assert found.stdout == check(tmp_path, "", str(file), "--fetch").stdout
    of_cat = check(tmp_path, cat({4: END_S, 312: {0: {0: "https"}}}))
    assert "request: catu or cath must match" in of_cat.stdout
    renewed = {4: END_S, 323: {0: 1, 1: 120, 2: 30}}
    assert "renewal: none, the token has no exp or no cti" in check(tmp_path, cat(renewed)).stdout
    of_cat = check(tmp_path, cat(renewed | {7: b"a"}))
    assert "renewal: cookie, for 120 s, in its last 30 s" in of_cat.stdout


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("hello", (), "refused: The token is neither a JWT nor base64url"),
        (jwt(CLAIMS | {"exp": 1}), (), "refused: The token has expired. [token-expired]"),
        (jwt(CLAIMS, kid="x"), (), "Sets of keys with a URL were not fetched; --fetch does."),
        (jwt(CLAIMS), ("--asset", "premium/b"), "refused: The token is for other assets. [403]"),
        (
            jwt({"exp": END_S}),
            ("--asset", "premium/a"),
            "refused: This asset needs a token with the claim countries. [403]",
        ),
    ],
)
def test_a_token_that_is_refused(
    tmp_path: Path, text: str, arguments: tuple[str, ...], expected: str
) -> None:
    """Exit code 1, and the reason on stderr."""
    found = check(tmp_path, text, *arguments)
    assert (1, "") == (found.exit_code, found.stdout)
    assert expected in found.stderr


def test_a_gateway_without_tokens_loads_no_library_of_tokens() -> None:
    """They take some 0.4 s of every start."""
    script = (
        "import sys; from gateway.app import build; from gateway.config.load import load;"
        "build(load(None, {})); print({'joserfc', 'cwt', 'cbor2'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert b"set()" == done.stdout.splitlines()[-1]
