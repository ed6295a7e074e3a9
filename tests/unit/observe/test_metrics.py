"""The exposition of metrics."""

from gateway.observe import metrics


def test_the_exposition_shows_what_was_counted() -> None:
    """A count and a time appear under their labels."""
    metrics.decisions("profile-of-this-test", "tv", "local").inc()
    metrics.request_seconds("route-of-this-test").observe(0.3)
    shown = metrics.exposition().decode().splitlines()
    assert (
        'gateway_decisions_total{cache="local",device="tv",profile="profile-of-this-test"} 1.0'
        in shown
    )
    assert 'gateway_request_seconds_sum{route="route-of-this-test"} 0.3' in shown


def test_the_same_labels_give_the_same_counter() -> None:
    """Callers on the path of each request pay for finding a label set once."""
    assert metrics.requests("route-of-this-test", 200) is metrics.requests(
        "route-of-this-test", 200
    )
    assert metrics.edge_selections("a") is not metrics.edge_selections("b")
