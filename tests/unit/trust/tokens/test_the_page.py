"""The examples of docs/tokens.md work."""

import contextlib
import io
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.token_build import protections_of, token_rules_of, token_sources_of
from gateway.trust.keys import Purpose, SigningKey
from gateway.trust.tokens.claims import _RESTRICTING
from gateway.trust.tokens.key import public_key
from gateway.trust.tokens.key_set import TokenKeys
from gateway.trust.tokens.refusal import RefusalCode
from gateway.trust.tokens.verifier import Verifier
from tests.missing import missing
from tests.unit.trust.tokens.making import granted

PAGE = (Path(__file__).parents[4] / "docs/tokens.md").read_text("utf-8")


def block(language: str, containing: str) -> str:
    """The example in this language that contains a text."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(next(text for text in found if containing in text))


def shell(script: str, folder: Path, **environment: str) -> bytes:
    """What a script prints."""
    if shutil.which("openssl") is None:
        missing("openssl")
    done = subprocess.run(
        ["sh", "-ec", script],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        check=True,
    )
    return done.stdout


def test_a_token_with_keys_of_openssl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration of the page accepts the token of the page."""
    shell(block("sh", "ecparam"), tmp_path)
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(block("python", "jwt.encode"), {})  # noqa: S102
    (tmp_path / "g.toml").write_text(block("toml", "[[tokens.keys]]"))
    settings = load(tmp_path / "g.toml", {}).settings
    file = token_sources_of(settings).files[0]
    keys = TokenKeys([public_key(file.use, Path(file.path).read_text())])
    grant = granted(
        Verifier(keys, token_rules_of(settings)).verify(printed.getvalue().strip(), time.time())
    )
    assert grant.allows_asset("premium/film")
    assert (frozenset({"GB", "IE"}), 1080) == (grant.countries, grant.limits.max_height)
    protections = protections_of(settings)
    protection = protections.of("premium/film")
    assert protection is not None
    assert protection.mismatch(grant) is None
    assert protections.of("premium/trailers/film") is None


def test_the_derived_secret(tmp_path: Path) -> None:
    """The command of the page derives what the gateway derives."""
    secret = "0123456789abcdef0123456789abcdef"
    derived = shell(block("sh", "-hmac"), tmp_path, SECRET=secret)
    assert SigningKey("r", secret.encode()).derived[Purpose.PLAYBACK_TOKEN] == derived


def test_the_page_lists_every_code() -> None:
    """And every claim that refuses a token."""
    assert [] == [code for code in RefusalCode if f"`{code}`" not in PAGE]
    assert [] == [name for name in _RESTRICTING if f"{name}`" not in PAGE]
