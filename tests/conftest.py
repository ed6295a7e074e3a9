"""What holds for every test."""

import gc
import logging
import os
import shlex
import signal
import tempfile
from collections.abc import Iterator, Sequence

import certifi
import execnet
import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.integration import forked, xdist_worker

_FIRST = (
    *("tests/unit/store/test_leases", "tests/unit/serving/test_connection"),
    "tests/drills/test_drills_",
    *(
        f"tests/integration/test_{name}"
        for name in ("activity", "edge_failover", "workers", "capacity", "reload", "listeners")
    ),
    *("tests/browser/test_signed_film", "tests/browser/test_playback", "tests/attack/"),
    *("tests/integration/test_origin_attacks", "tests/pages/test_pages", "tests/pages/test_site"),
    *("tests/pages/test_own_title", "tests/integration/test_hostile_redis", "tests/monitoring/"),
    *("tests/integration/test_store_redis", "tests/integration/test_health"),
)
"""What takes longest begins first, or all else would wait for it in the end. Drills have bounds in
seconds: what begins with them waits more than it computes."""

# How long an example takes says how busy the machine is, not whether the code is right. Each run
# tries new examples, so that few of them a run are many in a week.
for _name, _examples in (("any-machine", 30), ("thorough", 2_000)):
    settings.register_profile(
        _name,
        deadline=None,
        max_examples=_examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "any-machine"))

# structlog's default writes a traceback with rich, which takes 0.7 s of CPU for each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


_END = "-----END CERTIFICATE-----\n"


def pytest_configure(config: pytest.Config) -> None:
    """Prepare this process, and what it starts."""
    # What computes takes up to a tenth less CPU when the cyclic garbage collector runs less often.
    gc.set_threshold(50_000, 20, 100)
    _trust_one_certificate(config)
    # The shell that starts `make test &` ignores Ctrl-C, and so would what tests start.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None):  # the workers of xdist share one process that forks
        forks = forked.Forks()
        os.environ[forked.PATH_VARIABLE] = forks.path
        config.add_cleanup(forks.close)


def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[execnet.XSpec]) -> None:
    """The workers of xdist are forked from one process that has collected the tests."""
    forks = forked.Forks(collected=config.args)
    config.add_cleanup(forks.close)
    for spec in specs:
        spec.python = shlex.join(forks.command(xdist_worker.__file__))


def _trust_one_certificate(config: pytest.Config) -> None:
    """Trust one certificate instead of all that the machine trusts, which takes 20 ms of CPU for
    each client of httpx. No test asks a server that these vouch for; npm has its own."""
    trusted = tempfile.NamedTemporaryFile("w", suffix=".pem")  # noqa: SIM115  (closed by the cleanup)
    config.add_cleanup(trusted.close)
    trusted.write(certifi.contents().partition(_END)[0] + _END)
    trusted.flush()
    certifi.where = lambda: trusted.name
    os.environ["SSL_CERT_FILE"] = trusted.name
    os.environ.pop("SSL_CERT_DIR", None)


def pytest_collection_finish() -> None:
    """Exclude what was imported, and the tests themselves, from every later garbage collection."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files; tests of one file share what they start, and keep theirs."""
    items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    return next((at for at, name in enumerate(_FIRST) if nodeid.startswith(name)), len(_FIRST))


@pytest.fixture(scope="session", autouse=True)
def forking() -> Iterator[None]:
    """Gateways are forked from a process that has imported what they need."""
    with forked.forking():
        yield


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands that run within a test set up logging for its whole process; the next test gets it
    as this one did."""
    gateways = logging.getLogger("gateway")
    handlers, root_level = logging.root.handlers[:], logging.root.level
    level, configured = gateways.level, structlog.get_config()
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(root_level)
    gateways.setLevel(level)
    structlog.configure(**configured)
