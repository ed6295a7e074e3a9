"""The exposition of metrics."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

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


def test_durations_are_shown_as_prometheus_client_shows_them() -> None:
    """On a bound, between two, above all; a label that was never observed is shown as well."""
    own, theirs = CollectorRegistry(), CollectorRegistry()
    name, text, labels = "of_this_test_seconds", "Seconds.", ["route", "outcome"]
    mine = metrics.DurationHistogram(name, text, labels, registry=own)
    usual = Histogram(name, text, labels, buckets=metrics.BUCKETS_S, registry=theirs)
    for histogram in (mine, usual):
        histogram.labels("play", "never")
        for seconds in (0.0, 0.0004, 0.0005, 0.00051, 0.3, 2.5, 2.6, 100.0):
            histogram.labels("play", "ok").observe(seconds)
    assert generate_latest(theirs) == generate_latest(own)
