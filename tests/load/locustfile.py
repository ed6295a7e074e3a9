"""Does the gateway hold its promises under an ordinary audience?

    python -m tests.load                                             (starts a gateway, 60 s)
    locust -f tests/load/locustfile.py --headless -u 100 -r 100 -t 60s --host http://…

Objectives, each of which fails the run:

1. No error: every answer is right in status, headers and body (``answers.py``).
2. p99 of all answers ≤ ``P99_MS``: three times the higher of two runs (23 and 55 ms, on two cores
   that generator, gateway, store and other work shared), and little beside the two seconds in which
   viewers expect a start. A full collection of garbage (up to 130 ms) alone does not break it.
3. At least ``FULFILLED`` of the offered requests are answered, so that a stalled run cannot pass.
4. Every shipped edge is named, and a repeated request gets 304: the audience is the one that is
   meant, and entity tags are stable.

Requests come as a Poisson process: each user asks ``RATE_PER_USER`` times a second on average, at
random, whatever the answers take. (At a constant pace users that were once held up together ask in
step from then on.) The rate is well below saturation: what is looked for is a wrong answer or a
stall, not the highest throughput, which is the benchmark's business.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from locust import FastHttpUser, events, task

from tests.load.answers import (
    EDGES,
    WrongAnswerError,
    check_decision,
    check_headers,
    check_playlist,
    edge_of,
)
from tests.load.population import PlayRequest, Population

P99_MS = 150
FULFILLED = 0.9
RATE_PER_USER = 1.5

audience = Population()
edges: Counter[str] = Counter()
caches: Counter[str] = Counter()
repeated: Counter[int] = Counter()
times: dict[str, float] = {}
verdict: list[str] = []


class Viewer(FastHttpUser):
    """One connection, on which the audience's requests come one after the other."""

    network_timeout = 10.0
    connection_timeout = 10.0

    def on_start(self) -> None:
        """Begin this user's own timetable."""
        self._due_s = time.monotonic()
        gevent.sleep(self.wait_time())

    def wait_time(self) -> float:
        """Seconds until the next request is due. A late answer does not move the timetable."""
        self._due_s += random.expovariate(RATE_PER_USER)
        return max(0.0, self._due_s - time.monotonic())

    @task(90)
    def play(self) -> None:
        """A player fetches its playlist."""
        self._play(audience.next_request())

    @task(6)
    def play_again(self) -> None:
        """A player asks for what it has just had."""
        request = audience.next_request()
        etag = self._play(request)
        if etag is None:
            return
        headers = {**dict(request.headers), "If-None-Match": etag}
        with self._ask("GET", request.target(), "GET again", headers) as answer:
            repeated[answer.status_code] += 1
            if answer.status_code == 304:
                check_headers(answer.headers)
                if answer.content:
                    raise WrongAnswerError("304 with a body")
                return
            # What is remembered of the session may have moved to another rung meanwhile.
            _expect(answer, 200)
            check_playlist(answer.headers, answer.content)
            if answer.headers["ETag"] == etag:
                raise WrongAnswerError("200 with the entity tag that the player has")

    @task(3)
    def head(self) -> None:
        """A proxy asks for the headers only."""
        request = audience.next_request()
        # The client would try to expand the body that is not there.
        headers = {**dict(request.headers), "Accept-Encoding": "identity"}
        with self._ask("HEAD", request.target(), "HEAD", headers) as answer:
            _expect(answer, 200)
            check_headers(answer.headers)

    @task(1)
    def decision(self) -> None:
        """Somebody looks at the decision itself."""
        request = audience.next_request()
        with self._ask("GET", request.target(""), "GET JSON", dict(request.headers)) as answer:
            _expect(answer, 200)
            check_decision(answer.headers, answer.content)

    def _play(self, request: PlayRequest) -> str | None:
        """Fetch a playlist; its entity tag, or None when there was no answer that has one."""
        with self._ask("GET", request.target(), "GET", dict(request.headers)) as answer:
            _expect(answer, 200)
            check_playlist(answer.headers, answer.content)
            edges[edge_of(answer.headers)] += 1
            caches[answer.headers["Gateway-Decision"].rpartition("cache=")[2]] += 1
        return answer.headers.get("ETag") if answer.headers else None

    @contextmanager
    def _ask(self, method: str, target: str, name: str, headers: dict[str, str]) -> Iterator[Any]:
        """Send a request. A :class:`WrongAnswerError` in the block counts as a failure."""
        with self.client.request(
            method, target, name=name, headers=headers, catch_response=True, allow_redirects=False
        ) as answer:
            try:
                yield answer
            except WrongAnswerError as error:
                answer.failure(str(error))
            else:
                answer.success()


def _expect(answer: Any, status: int) -> None:
    if answer.status_code != status:
        why = getattr(answer, "error", None) or (answer.content or b"")[:200]
        raise WrongAnswerError(f"status {answer.status_code}: {why!r}")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    times["begin"] = time.monotonic()


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    times["end"] = time.monotonic()


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Any, **_: Any) -> None:
    """Hold the figures against the objectives; the exit code says how it went."""
    total = environment.stats.total
    offered = environment.parsed_options.num_users * RATE_PER_USER * (times["end"] - times["begin"])
    p99_ms = total.get_response_time_percentile(0.99) or 0.0
    faults = len(environment.runner.exceptions)
    missing = ", ".join(sorted(EDGES - edges.keys())) or "none"
    not_modified = repeated[304] / max(1, repeated.total())
    objectives = {
        f"errors: {total.num_failures}; allowed: 0": total.num_failures == 0,
        f"faults of the test itself: {faults}; allowed: 0": faults == 0,
        f"p99: {p99_ms:.0f} ms; allowed: {P99_MS} ms": p99_ms <= P99_MS,
        f"answered: {total.num_requests} of {offered:.0f} offered; needed: {FULFILLED:.0%}": (
            total.num_requests >= FULFILLED * offered
        ),
        f"edges never named: {missing}; allowed: none": missing == "none",
        f"304 to repeated requests: {not_modified:.0%}; needed: {FULFILLED:.0%}": (
            not_modified >= FULFILLED
        ),
    }
    verdict.append(f"edges: {json.dumps(edges)}")
    verdict.append(f"decisions from: {json.dumps(caches)}")
    verdict.extend(f"{'held  ' if held else 'MISSED'} {text}" for text, held in objectives.items())
    environment.process_exit_code = 0 if all(objectives.values()) else 1


@events.quit.add_listener  # type: ignore[untyped-decorator]
def _tell(**_: Any) -> None:
    """Say so, below locust's own table."""
    print("\n".join(verdict))
