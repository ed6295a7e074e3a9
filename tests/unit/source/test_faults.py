"""What is kept and logged of manifests that cannot be served, however many there are."""

import pytest
from structlog.testing import capture_logs

from gateway.source.faults import MAX_FAULTS, MAX_WARNINGS, WARNINGS_S, SourceFaults
from gateway.source.source import BadSourceError, OriginError


class Clock:
    """Unix time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """The time now."""
        return self.now


def test_a_flood_of_faults_is_bounded_in_the_log_and_in_memory() -> None:
    """Players choose what an origin is asked for. The fault that was met longest ago is dropped;
    after a while, new ones are logged again."""
    clock = Clock()
    faults = SourceFaults(wall=clock)
    with capture_logs() as logs:
        for number in range(MAX_FAULTS + 5):
            faults.met(f"{number}", OriginError("answered 403", kind="status"))
        clock.now += WARNINGS_S
        faults.met("later", OriginError("answered 403", kind="status"))
    assert ["source_faulty"] * MAX_WARNINGS == [line["event"] for line in logs[:MAX_WARNINGS]]
    assert ["source_faults_not_logged", "source_faulty"] == [
        line["event"] for line in logs[MAX_WARNINGS:]
    ]
    listed = [fault.file for fault in faults.current()]
    assert (MAX_FAULTS, "6", "later") == (len(listed), listed[0], listed[-1])


def test_a_fault_that_is_no_longer_met_is_forgotten() -> None:
    """An origin's file is not looked at unless players ask for it."""
    clock = Clock()
    faults = SourceFaults(60, clock)
    faults.met("a", OriginError("answered 403", kind="status"))
    clock.now += 30
    faults.met("a", OriginError("answered 403", kind="status"))
    clock.now += 60
    (fault,) = faults.current()
    assert (1000.0, 1030.0, 2, True) == (
        *(fault.first_met, fault.last_met),
        *(fault.count, fault.may_pass),
    )
    clock.now += 1
    assert [] == faults.current()


def test_another_fault_of_a_file_replaces_the_first() -> None:
    """It counts anew, and is logged; the end is logged once."""
    faults = SourceFaults()
    with capture_logs() as logs:
        faults.met("a", BadSourceError("one", kind="score", line=3, rule="RFC 8216bis"))
        faults.met("a", BadSourceError("two", kind="size"))
        faults.ended("a")
        faults.ended("a")
    assert ["source_faulty", "source_faulty", "source_mended"] == [line["event"] for line in logs]
    assert ["one", "two", None] == [line.get("problem") for line in logs]


def test_an_error_that_is_raised_again_keeps_nothing_but_its_words() -> None:
    """Frames of the first time would keep whole playlists in memory."""
    with pytest.raises(OriginError) as caught:
        raise OriginError("of https://o.example/", "of the origin", kind="status")
    again = caught.value.again()
    assert (OriginError, "of https://o.example/", "of the origin", "status") == (
        *(type(again), str(again)),
        *(again.fault, again.kind),
    )
    assert (None, None) == (again.__traceback__, again.__context__)
