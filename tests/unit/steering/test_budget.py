"""Moves that were promised and do not show yet."""

from gateway.steering.budget import MoveBudget


def test_promises_count_until_they_show() -> None:
    """One settle time at least, two at most; what was free is asked each time."""
    free = {"a": 100}
    budget = MoveBudget(free.get, 10.0)
    assert 100 == budget.left_kbps("a", 0.0)
    budget.promise("a", 60, 1.0)
    assert 40 == budget.left_kbps("a", 1.0)
    budget.promise("a", 30, 9.0)
    assert 10 == budget.left_kbps("a", 18.9)
    free["a"] = 40
    assert -50 == budget.left_kbps("a", 19.9)
    assert 40 == budget.left_kbps("a", 20.1)


def test_everything_is_forgotten_after_silence() -> None:
    budget = MoveBudget({"a": 100}.get, 10.0)
    budget.promise("a", 60, 1.0)
    assert 100 == budget.left_kbps("a", 21.0)


def test_an_edge_without_a_limit_has_no_promises() -> None:
    budget = MoveBudget({"a": 100}.get, 10.0)
    budget.promise("b", 60, 1.0)
    assert budget.left_kbps("b", 1.0) is None
    assert 100 == budget.left_kbps("a", 1.0)
